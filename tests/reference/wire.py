"""A slow twin of kernels/wire: the wire format by hand, on Python numbers, from the generated descriptors.

A payload is either refused with a name of `Reject`, or becomes a `Batch`: its own fields and three lists of
dicts. Nothing is shared with the kernels but the names of columns and reasons.
"""

import struct
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.descriptor import FieldDescriptor as F
from google.protobuf.message import DecodeError

from phusong.v1 import telemetry_pb2

PAYLOAD_MAX_BYTES = 1024 * 1024
ROW_COUNT_MAX = 16384

KINDS = ("signal_readings", "usage_readings", "cell_reports")
WIRE_TYPES = {
    F.TYPE_INT64: 0,
    F.TYPE_UINT64: 0,
    F.TYPE_UINT32: 0,
    F.TYPE_ENUM: 0,
    F.TYPE_BOOL: 0,
    F.TYPE_FIXED64: 1,
    F.TYPE_DOUBLE: 1,
    F.TYPE_FLOAT: 5,
    F.TYPE_STRING: 2,
    F.TYPE_MESSAGE: 2,
}


class Refused(Exception):
    """The name of a reason."""


@dataclass
class Batch:
    own: dict[str, Any]
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {k: [] for k in KINDS})


class Bytes:
    """Bytes that are taken from the front."""

    def __init__(self, content: bytes) -> None:
        self.rest = content

    def take(self, count: int) -> bytes:
        if count > len(self.rest):
            raise Refused("TRUNCATED")
        taken, self.rest = self.rest[:count], self.rest[count:]
        return taken

    def varint(self, byte_count_max: int = 10) -> int:
        value = 0
        for i in range(byte_count_max):
            byte = self.take(1)[0]
            value += (byte % 128) * 128**i
            if byte < 128:
                return value % 2**64
        raise Refused("MALFORMED")

    def tag(self) -> tuple[int, int]:
        tag = self.varint(5)
        if not 8 <= tag < 2**32:
            raise Refused("MALFORMED")
        return tag // 8, tag % 8

    def delimited(self) -> bytes:
        length = self.varint(5)
        if length >= 2**31:
            raise Refused("MALFORMED")
        return self.take(length)

    def value(self, wire_type: int, number: int, depth: int) -> Any:
        if wire_type == 0:
            return self.varint()
        if wire_type == 1:
            return self.take(8)
        if wire_type == 2:
            return self.delimited()
        if wire_type == 5:
            return self.take(4)
        if wire_type == 3 and depth > 0:
            return self.group(number, depth)
        raise Refused("MALFORMED")

    def group(self, number: int, depth: int) -> None:
        while True:
            inner, wire_type = self.tag()
            if wire_type == 4:
                if inner != number:
                    raise Refused("MALFORMED")
                return
            self.value(wire_type, inner, depth - 1)


def decode(payload: bytes) -> Batch | str:
    try:
        return decode_batch(payload)
    except Refused as refused:
        return str(refused)


def decode_batch(payload: bytes) -> Batch:
    if not payload:
        raise Refused("EMPTY")
    if len(payload) > PAYLOAD_MAX_BYTES:
        raise Refused("TOO_LARGE")
    own, repeated = decode_message(payload, telemetry_pb2.Batch.DESCRIPTOR, 100)
    batch = Batch(own)
    if not repeated:
        raise Refused("NO_ROWS")
    if len(repeated) > ROW_COUNT_MAX:
        raise Refused("TOO_MANY_ROWS")
    for name, content in repeated:
        message = telemetry_pb2.Batch.DESCRIPTOR.fields_by_name[name].message_type
        row, bins = decode_message(content, message, 99)
        if name == "cell_reports":
            row["rsrp_histogram_count"] = [value for _, value in bins]
        batch.rows[name].append(row)
    return batch


def decode_message(content: bytes, message: Any, depth: int) -> tuple[dict[str, Any], list[Any]]:
    """Return singular fields by name (None when absent and optional), and (name, value) of repeated ones."""
    singular = {
        f.name: None if f.has_presence else "" if f.type == F.TYPE_STRING else 0
        for f in message.fields
        if not f.is_repeated
    }
    repeated: list[Any] = []
    source = Bytes(content)
    while source.rest:
        number, wire_type = source.tag()
        known = message.fields_by_number.get(number)
        if known is None or wire_type > 5:
            source.value(wire_type, number, depth)
        elif known.is_repeated and known.type == F.TYPE_UINT32 and wire_type == 2:
            packed = Bytes(source.delimited())
            while packed.rest:
                repeated.append((known.name, packed.varint() % 2**32))
        elif wire_type != WIRE_TYPES[known.type]:
            raise Refused("MISTYPED")
        else:
            value = native(known, source.value(wire_type, number, depth))
            if known.is_repeated:
                repeated.append((known.name, value))
            else:
                singular[known.name] = value
    return singular, repeated


def native(known: Any, value: Any) -> Any:
    if known.type == F.TYPE_INT64:
        return value - 2**64 if value >= 2**63 else value
    if known.type == F.TYPE_UINT32:
        return value % 2**32
    if known.type == F.TYPE_ENUM:
        low = value % 2**32
        return low - 2**32 if low >= 2**31 else low
    if known.type == F.TYPE_BOOL:
        return value != 0
    if known.type == F.TYPE_FIXED64:
        return int.from_bytes(value, "little")
    if known.type == F.TYPE_DOUBLE:
        return struct.unpack("<d", value)[0]
    if known.type == F.TYPE_FLOAT:
        return struct.unpack("<f", value)[0]
    if known.type == F.TYPE_STRING:
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise Refused("NOT_UTF8") from None
    return value


def from_official(payload: bytes) -> Batch | None:
    """Return what the official library reads, in the same form; None when it refuses."""
    try:
        message = telemetry_pb2.Batch.FromString(payload)
    except DecodeError:
        return None
    batch = Batch(
        {name: getattr(message, name) for name in ("source", "boot_epoch", "sequence", "operator")}
    )
    for kind in KINDS:
        for row in getattr(message, kind):
            values = {}
            for f in row.DESCRIPTOR.fields:
                absent = f.has_presence and not row.HasField(f.name)
                value = getattr(row, f.name)
                values[f.name] = None if absent else list(value) if f.is_repeated else value
            batch.rows[kind].append(values)
    return batch


Cells = list[tuple[str, Any]]


def cells_of(row: dict[str, Any], kind: str, hash_of: Any, plmn_of: Any) -> Cells:
    """Return a row as (column, value): what the columns must hold, floats in hexadecimal so that NaN equals NaN."""
    message = telemetry_pb2.Batch.DESCRIPTOR.fields_by_name[kind].message_type
    cells = []
    for f in message.fields:
        value = row[f.name]
        if f.type in (F.TYPE_FLOAT, F.TYPE_DOUBLE):
            value = float("nan").hex() if value is None else value.hex()
        elif value is None:
            value = -1
        elif f.name.endswith("plmn"):
            value = plmn_of(value)
        elif f.type == F.TYPE_STRING:
            value = hash_of(value)
        elif not f.is_repeated:
            value = (int(value) + 2**63) % 2**64 - 2**63
        cells.append((f.name, value))
    return cells
