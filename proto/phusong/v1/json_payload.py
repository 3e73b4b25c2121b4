"""Batches in protobuf's JSON mapping, turned into the protobuf bytes that the decoder reads."""

from google.protobuf import json_format

from phusong.kernels.reject import Reject
from phusong.kernels.wire.survey import PAYLOAD_MAX_BYTES
from phusong.v1.telemetry_pb2 import Batch

WHITESPACE = " \t\r\n"  # of JSON (RFC 8259), which is less than Python's


def batch_from_json(payload: bytes) -> bytes | Reject:
    """Return a batch as protobuf bytes, or why it cannot be read: TOO_LARGE, NOT_UTF8 or NOT_JSON.

    Unknown fields, and unknown names of enums, are skipped as the mapping demands of parsers that ignore unknown fields.
    The limit of size is that of protobuf payloads, which say the same in fewer bytes.
    """
    if len(payload) > PAYLOAD_MAX_BYTES:
        return Reject.TOO_LARGE
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        return Reject.NOT_UTF8
    # The library takes a list or a text for an object with that many names.
    if not text.lstrip(WHITESPACE).startswith("{"):
        return Reject.NOT_JSON
    try:
        batch = json_format.Parse(text, Batch(), ignore_unknown_fields=True)
        encoded: bytes = batch.SerializeToString(deterministic=True)
    except (ValueError, RecursionError, json_format.ParseError):
        # ValueError also for half a surrogate pair, and for numbers of thousands of digits.
        return Reject.NOT_JSON
    return encoded
