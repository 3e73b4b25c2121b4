"""A run of rows under the names of their message's fields: as text, as values, and as the encoder wants them."""

from typing import NamedTuple

import numpy as np
import polars as pl

from phusong.collector.importing.convert import Values, convert, reason_of
from phusong.collector.importing.fields import Field, RowShape, Shape
from phusong.collector.importing.tables import BadLine
from phusong.kernels.columns import Int64Column
from phusong.kernels.reject import TAKEN, Reject
from phusong.kernels.wire_encode import TEXT_LENGTH_BITS, RowValues
from phusong.v1.telemetry_pb2 import RECORD_TYPE_START

# Counters that say nothing are no usage of 0 bytes. Only a session that starts has none yet.
COUNTERS = ("uplink_bytes", "downlink_bytes")


class Sheet(NamedTuple):
    """Rows under the field names, plus optional `operator` and `source`; text, null = absent.

    `shown` has the columns as they stand in the file, for the rows that are refused.
    """

    columns: dict[str, pl.Series]
    shown: pl.DataFrame
    line: Int64Column
    bad_lines: list[BadLine]
    read_bytes: int


class ReadSheet(NamedTuple):
    """The same as values: one `Values` for each field that the sheet has.

    reason: a Reject for a row that cannot be read, TAKEN else. culprit: the place in `fields` of the field to
    blame, -1 for none.
    """

    fields: list[Field]
    values: list[Values]
    reason: Int64Column
    culprit: Int64Column


def read_sheet(shape: RowShape, sheet: Sheet, timezone: str) -> ReadSheet:
    """Return the values of a sheet. `timezone` is of times without a zone; "" refuses them."""
    fields = [field for field in shape.fields.values() if field.name in sheet.columns]
    values = [convert(field, sheet.columns[field.name], timezone) for field in fields]
    reason = np.full(len(sheet.line), TAKEN, np.int64)
    culprit = np.full(len(sheet.line), -1, np.int64)
    read = ReadSheet(fields, values, reason, culprit)
    for k, (field, column) in enumerate(zip(fields, values, strict=True)):
        is_first = column.is_unreadable & (reason == TAKEN)
        reason[is_first] = int(reason_of(field.shape))
        culprit[is_first] = k
    if all(name in shape.required for name in COUNTERS):
        _refuse_silent_counters(read)
    return read


def _refuse_silent_counters(read: ReadSheet) -> None:
    names = [field.name for field in read.fields]
    is_start = np.zeros(len(read.reason), np.bool_)
    if "record_type" in names:
        is_start = read.values[names.index("record_type")].bits == RECORD_TYPE_START
    for name in COUNTERS:
        k = names.index(name)
        is_silent = ~read.values[k].is_present & (read.reason == TAKEN) & ~is_start
        read.reason[is_silent] = int(Reject.COLUMN_MISSING)
        read.culprit[is_silent] = k


def row_values(read: ReadSheet) -> RowValues:
    """Return the columns side by side as the encoder wants them."""
    value = np.zeros((len(read.reason), len(read.fields)), np.int64)
    is_present = np.zeros(value.shape, np.bool_)
    texts: list[bytes] = []
    text_bytes = 0
    for k, (field, column) in enumerate(zip(read.fields, read.values, strict=True)):
        is_present[:, k] = column.is_present
        if column.text is None:
            value[:, k] = column.bits
            if not field.has_presence:
                is_present[:, k] &= column.bits != 0
            continue
        encoded = [_text_bytes(field, cell) for cell in column.text]
        length = np.array([len(cell) for cell in encoded], np.int64)
        offset = text_bytes + np.cumsum(length) - length
        value[:, k] = offset << TEXT_LENGTH_BITS | length
        texts.append(b"".join(encoded))
        text_bytes += len(texts[-1])
    # np.frombuffer of bytes is read-only, and kernels take writable columns.
    text = np.frombuffer(bytearray(b"".join(texts)), np.uint8)
    return RowValues(value, is_present, text)


def _text_bytes(field: Field, cell: str | None) -> bytes:
    if cell is None:
        return b""
    if field.shape is not Shape.COUNTS:
        return cell.encode()
    # A packed repeated field: the varints alone, as protobuf writes them.
    return b"".join(_varint(int(count)) for count in cell.replace(";", " ").split())


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
