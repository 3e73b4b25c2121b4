"""The MQTT 5 endpoint."""
