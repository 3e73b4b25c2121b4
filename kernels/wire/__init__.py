"""Protobuf wire format straight into columns."""
