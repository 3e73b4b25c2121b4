"""Journal frames: what one group commit took in, to bytes and back. Pure; the files are opened elsewhere.

The body of a frame is a protobuf `JournalFrame` (proto/phusong/v1/journal.proto):

    ┌──────────────────┬───┬──────────────────────────────────────────────────┬───┐
    │ 0a len <Route>   │ … │ 12 len < 08 route number   12 len payload >      │ … │
    └──────────────────┴───┴──────────────────────────────────────────────────┴───┘

Routes and the heads of envelopes are encoded apart, so that a door keeps them and joins them with the payloads once, at
the commit. With the routes first the result is, byte for byte, what the official library writes.
"""

import hashlib
from enum import IntEnum
from typing import NamedTuple

import numpy as np

from phusong.kernels import frame_fields as fields
from phusong.kernels.columns import ByteColumn, Int, Int64Column
from phusong.kernels.reject import Reject

# The chain before sequence 1.
CHAIN_START = bytes(32)


class Transport(IntEnum):
    """How a payload came in; the numbers of journal.proto."""

    UNSPECIFIED = 0
    MQTT = 1
    MQTT_BROKER = 2
    GRPC = 3
    IMPORT = 4
    SERVICE = 5


class PayloadKind(IntEnum):
    """What a payload is; the numbers of journal.proto."""

    UNSPECIFIED = 0
    BATCH = 1
    BATCH_JSON = 2
    FILE_ROW = 3
    REGISTRY = 4
    UNREADABLE = 5
    DECISION = 6
    ACKNOWLEDGEMENT = 7
    OVERSIZED = 8
    DISPUTE = 9
    RULING = 10
    DECISIONS_SENT = 11
    RESERVATION = 12


class Route(NamedTuple):
    """Where a payload came from. `transport` and `kind` are plain numbers: a newer writer may know more."""

    operator: str
    source: str
    principal: str
    transport: int
    kind: int


class Frame(NamedTuple):
    """One frame, opened: payload i is `buffer[offset[i] : offset[i] + length[i]]` and came by `routes[route[i]]`."""

    routes: dict[int, Route]
    route: Int64Column
    offset: Int64Column
    length: Int64Column
    buffer: ByteColumn


class FrameDamaged(ValueError):
    """The body of a frame is not what this service writes: the journal was damaged or forged."""


def encode_route(number: int, route: Route) -> bytes:
    """Return the bytes of one `routes` field of a frame's body."""
    content = b"".join(
        (
            _number_field(fields.ROUTE_NUMBER, number),
            _bytes_field(fields.ROUTE_OPERATOR, route.operator.encode()),
            _bytes_field(fields.ROUTE_SOURCE, route.source.encode()),
            _bytes_field(fields.ROUTE_PRINCIPAL, route.principal.encode()),
            _number_field(fields.ROUTE_TRANSPORT, route.transport),
            _number_field(fields.ROUTE_KIND, route.kind),
        )
    )
    return _varint(fields.FRAME_ROUTE) + _varint(len(content)) + content


def encode_envelope_head(route_number: int, payload_bytes: int) -> bytes:
    """Return the bytes of one `envelopes` field up to its payload; the payload must follow."""
    head = _number_field(fields.ENVELOPE_ROUTE, route_number)
    if payload_bytes:
        head += _varint(fields.ENVELOPE_PAYLOAD) + _varint(payload_bytes)
    return _varint(fields.FRAME_ENVELOPE) + _varint(len(head) + payload_bytes) + head


def decode_frame(body: bytes) -> Frame:
    """Return the routes of a frame and where its payloads lie, in the order of the frame.

    Raises:
        FrameDamaged: the body is not protobuf, a text is not UTF-8, a route is given twice, or an envelope names a
            route that the frame does not have.
    """
    buffer = np.frombuffer(bytearray(body), np.uint8)  # a copy: kernels take writable arrays only
    count = np.zeros(2, np.int64)
    _check(fields.count_fields(buffer, count), "its fields")
    routes = _decode_routes(body, buffer, int(count[fields.ROUTES]))
    route, offset, length = (np.empty(count[fields.ENVELOPES], np.int64) for _ in range(3))
    _check(fields.find_envelopes(buffer, route, offset, length), "its envelopes")
    if not np.isin(route, list(routes)).all():
        raise FrameDamaged("an envelope names a route that its frame does not have")
    return Frame(routes, route, offset, length, buffer)


def chain_hash(previous: bytes, sequence: int, received_time_ms: int, body: bytes) -> bytes:
    """Return the chain after a frame: SHA-256 over the chain before it, its numbers and its body.

    The received time is in it because it decides what was known when.
    """
    assert len(previous) == len(CHAIN_START), "the chain is 32 bytes"

    digest = hashlib.sha256(previous)
    digest.update(sequence.to_bytes(8, "big"))
    digest.update(received_time_ms.to_bytes(8, "big"))
    digest.update(body)
    return digest.digest()


def _decode_routes(body: bytes, buffer: ByteColumn, count: int) -> dict[int, Route]:
    table = np.zeros((count, fields.ROUTE_COLUMN_COUNT), np.int64)
    _check(fields.find_routes(buffer, table), "its routes")

    routes: dict[int, Route] = {}
    for row in table.tolist():
        number = row[fields.NUMBER]
        if number in routes:
            raise FrameDamaged(f"route {number} is given twice")
        operator, source, principal = (
            _decode_text(body[row[column] : row[column] + row[column + 1]], number)
            for column in (fields.OPERATOR, fields.SOURCE, fields.PRINCIPAL)
        )
        routes[number] = Route(operator, source, principal, row[fields.TRANSPORT], row[fields.KIND])
    return routes


def _decode_text(text: bytes, number: int) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        raise FrameDamaged(f"a text of route {number} is not UTF-8") from error


def _check(position: Int, reading: str) -> None:
    if position < 0:
        raise FrameDamaged(f"reading {reading}: {Reject(int(-position)).name}")


def _number_field(tag: int, value: int) -> bytes:
    return _varint(tag) + _varint(value) if value else b""


def _bytes_field(tag: int, value: bytes) -> bytes:
    return _varint(tag) + _varint(len(value)) + value if value else b""


def _varint(value: int) -> bytes:
    assert value >= 0, "a negative number has no short varint"

    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
