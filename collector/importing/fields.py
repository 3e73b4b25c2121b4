"""The columns a file may have: the fields of the row messages, read from their descriptors.

A field added to `telemetry.proto` is a column of the next import without a line written here.
"""

from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import cast

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from phusong.kernels.wire_encode import BYTES, FIXED32, FIXED64, VARINT
from phusong.v1.ingest_pb2 import RowKind
from phusong.v1.telemetry_pb2 import Batch, CellReport, SignalReading, UsageReading


class Shape(Enum):
    """How the text of a cell becomes a value."""

    KEY = "64-bit key, decimal or 0x hexadecimal"
    TIME = "Unix milliseconds, or ISO 8601 with a zone"
    WHOLE = "whole number"
    MEASURE = "decimal number"
    WORD = "word"
    FLAG = "true or false"
    PLMN = "network code such as 452-04"
    TEXT = "text"
    COUNTS = "whole numbers with spaces between"


@dataclass(frozen=True, slots=True)
class Field:
    """One column: what it is called, and how it is written on the wire."""

    name: str
    number: int
    shape: Shape
    wire_type: int
    has_presence: bool
    largest: int  # of a whole number or a time
    words: dict[str, int]  # of a WORD, in lower case
    short_words: tuple[str, ...]  # of a WORD, as a document names them

    @property
    def tag(self) -> int:
        """The tag before each value on the wire."""
        return self.number << 3 | self.wire_type

    @property
    def expected(self) -> str:
        """What a cell of this column must hold, in words."""
        if self.shape is Shape.WORD:
            return "one of " + ", ".join(self.short_words)
        if self.shape is Shape.WHOLE:
            return f"a whole number from 0 to {self.largest}"
        return _EXPECTED[self.shape]


@dataclass(frozen=True, slots=True)
class RowShape:
    """One of the three row messages as columns of a file."""

    kind: RowKind
    batch_tag: int  # the tag of the repeated field of Batch that holds such rows
    fields: dict[str, Field]
    required: tuple[str, ...]  # columns without which no row can be read


# The longest text of the wire, and the only one that is not a key: longer is a mistake in the file.
TEXT_MAX_BYTES = 64
PLMN_MAX_BYTES = 16
COUNTS_MAX = 128

# 9999-12-31: a larger number is not milliseconds but microseconds or nanoseconds.
TIME_MS_MAX = 253_402_300_799_999

_EXPECTED = {
    Shape.KEY: "an opaque 64-bit key, decimal or 0x hexadecimal, never a number of a SIM or phone",
    Shape.TIME: "Unix milliseconds, or ISO 8601 with a zone such as 2021-10-01T07:00:00+07:00",
    Shape.MEASURE: "a decimal number with a point",
    Shape.FLAG: "true or false",
    Shape.PLMN: f"five or six digits such as 452-04, at most {PLMN_MAX_BYTES} characters",
    Shape.TEXT: f"UTF-8 text of at most {TEXT_MAX_BYTES} bytes",
    Shape.COUNTS: f"at most {COUNTS_MAX} whole numbers with spaces between",
}

# Everybody's names beside those of the standard.
_RAT_NAMES = {"2g": 1, "3g": 2, "4g": 3, "5g": 4}

_LARGEST = {
    FieldDescriptor.TYPE_UINT32: 2**32 - 1,
    FieldDescriptor.TYPE_UINT64: 2**64 - 1,
    # Negative would be read as "missing" or refused later: every int64 of the wire is 0 or more.
    FieldDescriptor.TYPE_INT64: 2**63 - 1,
}

_WIRE_TYPE = {
    FieldDescriptor.TYPE_FIXED64: FIXED64,
    FieldDescriptor.TYPE_DOUBLE: FIXED64,
    FieldDescriptor.TYPE_FLOAT: FIXED32,
    FieldDescriptor.TYPE_STRING: BYTES,
}

# Durations whose names end like those of times.
_DURATIONS = {"session_time_ms"}


def _shape_of(field: FieldDescriptor) -> Shape:
    if field.is_repeated:
        return Shape.COUNTS
    if field.type == FieldDescriptor.TYPE_STRING:
        return Shape.PLMN if field.name.endswith("plmn") else Shape.TEXT
    if field.name.endswith("_time_ms") and field.name not in _DURATIONS:
        return Shape.TIME
    return {
        FieldDescriptor.TYPE_FIXED64: Shape.KEY,
        FieldDescriptor.TYPE_DOUBLE: Shape.MEASURE,
        FieldDescriptor.TYPE_FLOAT: Shape.MEASURE,
        FieldDescriptor.TYPE_ENUM: Shape.WORD,
        FieldDescriptor.TYPE_BOOL: Shape.FLAG,
    }.get(field.type, Shape.WHOLE)


def _words_of(field: FieldDescriptor) -> dict[str, int]:
    if field.enum_type is None:
        return {}
    words: dict[str, int] = dict(_RAT_NAMES) if field.enum_type.name == "Rat" else {}
    prefix = field.enum_type.values_by_number[0].name.removesuffix("UNSPECIFIED")
    for value in field.enum_type.values:
        words[value.name.lower()] = value.number
        words[value.name.removeprefix(prefix).lower()] = value.number
        words[str(value.number)] = value.number
    return words


def _short_words_of(field: FieldDescriptor) -> tuple[str, ...]:
    if field.enum_type is None:
        return ()
    prefix = field.enum_type.values_by_number[0].name.removesuffix("UNSPECIFIED")
    return tuple(
        value.name.removeprefix(prefix) for value in field.enum_type.values if value.number
    )


def _largest_of(field: FieldDescriptor, shape: Shape) -> int:
    if shape is Shape.TIME:
        return TIME_MS_MAX
    largest = _LARGEST.get(field.type, 0)
    # 2^64-1 in an optional field would be read as "missing" by the decoder, which keeps the bits as int64.
    return min(largest, 2**63 - 1) if field.has_presence else largest


def _field_of(field: FieldDescriptor) -> Field:
    shape = _shape_of(field)
    return Field(
        name=field.name,
        number=field.number,
        shape=shape,
        wire_type=BYTES if field.is_repeated else _WIRE_TYPE.get(field.type, VARINT),
        has_presence=field.has_presence,
        largest=_largest_of(field, shape),
        words=_words_of(field),
        short_words=_short_words_of(field),
    )


def _row_shape(
    kind: RowKind, message: type[Message], rows: str, required: tuple[str, ...]
) -> RowShape:
    # The stubs know two descriptor classes; the C one has all that the other has.
    descriptors = cast("list[FieldDescriptor]", list(message.DESCRIPTOR.fields))
    fields = sorted((_field_of(field) for field in descriptors), key=lambda field: field.number)
    return RowShape(
        kind=kind,
        batch_tag=Batch.DESCRIPTOR.fields_by_name[rows].number << 3 | BYTES,
        fields={field.name: field for field in fields},
        required=required,
    )


@cache
def signal_shape() -> RowShape:
    """Columns of signal readings."""
    required = ("device_key", "observed_time_ms", "rat")
    return _row_shape(RowKind.ROW_KIND_SIGNAL, SignalReading, "signal_readings", required)


@cache
def usage_shape() -> RowShape:
    """Columns of usage readings."""
    required = ("subscriber_key", "observed_time_ms", "uplink_bytes", "downlink_bytes")
    return _row_shape(RowKind.ROW_KIND_USAGE, UsageReading, "usage_readings", required)


@cache
def cell_shape() -> RowShape:
    """Columns of cell reports."""
    required = ("plmn", "cell_identity", "observed_time_ms", "rat")
    return _row_shape(RowKind.ROW_KIND_CELL, CellReport, "cell_reports", required)
