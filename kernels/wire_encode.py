"""Columns to the protobuf bytes of repeated rows: what an importer needs a million times.

Building message objects costs about 10 µs a row; this writes the same bytes from columns. The
field numbers and forms come from the caller, who reads them from the message's descriptor, so
nothing of the `.proto` is repeated here.
"""

from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from phusong.kernels.columns import ByteColumn, Int, Int64Column
from phusong.kernels.jit import kernel

Int64Table: TypeAlias = NDArray[np.int64]
BoolTable: TypeAlias = NDArray[np.bool_]

# Wire types of protobuf.
VARINT = 0
FIXED64 = 1
BYTES = 2
FIXED32 = 5

# A text's place and length share one int64. A row holds texts of at most 64 bytes and one histogram of
# at most 128 counts of 5 bytes, so 16 bits are plenty.
TEXT_LENGTH_BITS = 16
TEXT_MAX_BYTES = (1 << TEXT_LENGTH_BITS) - 1

VARINT_MAX_BYTES = 10
FIELD_MAX_BYTES = 2 * VARINT_MAX_BYTES  # tag, and a value or a length


class RowFields(NamedTuple):
    """The fields of one row message in ascending order: their tags (number << 3 | wire type)."""

    tag: Int64Column


class RowValues(NamedTuple):
    """The values of a run of rows, int64[rows, fields], and which are present.

    Floats are their IEEE bits; a text is its offset in `text` << TEXT_LENGTH_BITS | its length.
    """

    value: Int64Table
    is_present: BoolTable
    text: ByteColumn


@kernel
def varint_bytes(value: Int) -> int:
    """Return how many bytes the varint of the 64 bits of `value` takes."""
    rest = np.uint64(value) >> np.uint64(7)
    size = 1
    while rest != np.uint64(0):
        rest >>= np.uint64(7)
        size += 1
    return size


@kernel
def write_varint(value: Int, out: ByteColumn, at: int) -> int:
    """Write the varint of the 64 bits of `value` at `at`; return where it ends."""
    rest = np.uint64(value)
    while rest >= np.uint64(0x80):
        out[at] = np.uint8((rest & np.uint64(0x7F)) | np.uint64(0x80))
        rest >>= np.uint64(7)
        at += 1
    out[at] = np.uint8(rest)
    return at + 1


@kernel
def row_bytes(row: int, fields: RowFields, values: RowValues) -> int:
    """Return the size of one row's message, without the tag and length around it."""
    size = 0
    for k in range(len(fields.tag)):
        if not values.is_present[row, k]:
            continue
        size += varint_bytes(fields.tag[k])
        form = fields.tag[k] & 7
        if form == VARINT:
            size += varint_bytes(values.value[row, k])
        elif form == FIXED64:
            size += 8
        elif form == FIXED32:
            size += 4
        else:
            length = values.value[row, k] & TEXT_MAX_BYTES
            size += varint_bytes(length) + length
    return size


@kernel
def encode_rows(
    fields: RowFields,
    values: RowValues,
    row: Int64Column,
    row_tag: Int,
    out: ByteColumn,
    end: Int64Column,
) -> None:
    """Write the rows named by `row`, each as one field `row_tag` of the message around them.

    out has room for `out_max_bytes`; end[i] is where the i-th row ends in it, so a payload is any run of them.
    """
    assert len(end) == len(row)
    at = 0
    for i in range(len(row)):
        r = row[i]
        at = write_varint(row_tag, out, at)
        at = write_varint(np.int64(row_bytes(r, fields, values)), out, at)
        for k in range(len(fields.tag)):
            if not values.is_present[r, k]:
                continue
            at = write_varint(fields.tag[k], out, at)
            value = values.value[r, k]
            form = fields.tag[k] & 7
            if form == VARINT:
                at = write_varint(value, out, at)
            elif form == BYTES:
                length = value & TEXT_MAX_BYTES
                start = value >> TEXT_LENGTH_BITS
                at = write_varint(length, out, at)
                for b in range(length):
                    out[at + b] = values.text[start + b]
                at += length
            else:
                size = 8 if form == FIXED64 else 4
                rest = np.uint64(value)
                for b in range(size):
                    out[at + b] = np.uint8(rest & np.uint64(0xFF))
                    rest >>= np.uint64(8)
                at += size
        end[i] = at


def out_max_bytes(fields: RowFields, values: RowValues) -> int:
    """Return how many bytes `encode_rows` may write when every row is named once."""
    row_count = len(values.value)
    # A text may be shared by many rows, so its bytes are counted once for each that names it.
    is_text = (fields.tag & 7) == BYTES
    text_bytes = int(
        (values.value[:, is_text] & TEXT_MAX_BYTES)[values.is_present[:, is_text]].sum()
    )
    return row_count * FIELD_MAX_BYTES * (len(fields.tag) + 1) + text_bytes


def encode_payload_rows(
    fields: RowFields, values: RowValues, row: Int64Column, row_tag: int
) -> tuple[ByteColumn, Int64Column]:
    """Return the bytes of the rows named by `row`, and where each ends."""
    out = np.empty(out_max_bytes(fields, values), np.uint8)
    end = np.empty(len(row), np.int64)
    encode_rows(fields, values, row, row_tag, out, end)
    return out[: end[-1] if len(end) else 0], end
