"""What ends a connection: the client broke a rule, and is told which."""

from phusong.collector.mqtt.codec import DisconnectReasonCode


class Refused(Exception):
    """The client broke a rule that ends its connection."""

    def __init__(self, code: DisconnectReasonCode, reason: str) -> None:
        """Say which, in MQTT's and in our words."""
        super().__init__(reason)
        self.code = code
        self.reason = reason
