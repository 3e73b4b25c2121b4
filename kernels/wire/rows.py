"""The second pass over payloads: every row into its columns."""

from typing import NamedTuple

import numpy as np

from phusong.kernels.columns import ByteColumn, Float64Column, Int, Int64Column, Payloads
from phusong.kernels.wire.bare import bare_kernel
from phusong.kernels.wire.fields import DEPTH_MAX, LENGTH, read_length, read_tag, skip_field
from phusong.kernels.wire.row import decode_row
from phusong.kernels.wire.schema import (
    FIRST_KIND_FIELD,
    MISSING_BITS,
    PAYLOAD_ROW,
    ROW,
    TAG_COUNT,
    WIDTHS,
)
from phusong.kernels.wire.survey import forget_rows

SIGNAL_TAG = FIRST_KIND_FIELD << 3 | LENGTH
CELL_TAG = (FIRST_KIND_FIELD + 2) << 3 | LENGTH

# Rows are filled with what absent fields hold this many at a time, column by column: the memory is then still in
# the cache when the rows are decoded.
FILL_ROW_COUNT = 128


class Arena(NamedTuple):
    """All columns of all kinds in one flat array: column c of row r of kind k is cell `base[k] + c * stride[k] + r`."""

    cells: Int64Column
    floats: Float64Column  # the same memory
    base: Int64Column  # the others: one number for each kind
    stride: Int64Column
    row_count: Int64Column  # rows decoded so far
    payload_first: Int64Column  # how many there were before this payload
    filled: Int64Column  # rows that hold what absent fields hold


@bare_kernel
def decode_rows(
    buffer: ByteColumn,
    offset: Int64Column,
    length: Int64Column,
    payloads: Payloads,
    arena: Arena,
) -> None:
    """Decode the rows of all payloads that have no reason yet, and give a reason to those that turn out damaged."""
    for payload_row in range(len(offset)):
        if payloads.reject[payload_row] != 0:
            continue
        for kind in range(len(WIDTHS)):
            arena.payload_first[kind] = arena.row_count[kind]
        start = offset[payload_row]
        reason = decode_payload(buffer, start, start + length[payload_row], payload_row, arena)
        if reason != 0:
            payloads.reject[payload_row] = reason
            forget_rows(payloads, payload_row)
            for kind in range(len(WIDTHS)):
                arena.row_count[kind] = arena.payload_first[kind]
                arena.filled[kind] = arena.payload_first[kind]  # above, its rows have left marks


@bare_kernel
def decode_payload(
    buffer: ByteColumn, position: Int, end: Int, payload_row: Int, arena: Arena
) -> Int:
    """Decode the rows of one surveyed payload; return a reason or 0."""
    while position < end:
        tag, position = read_tag(buffer, position, end)
        if tag < SIGNAL_TAG or tag > CELL_TAG or tag & 7 != LENGTH:
            position = skip_field(buffer, position, end, tag, DEPTH_MAX)
            continue

        row_bytes, position = read_length(buffer, position, end)
        kind = (tag >> 3) - FIRST_KIND_FIELD
        row = arena.row_count[kind]
        if row >= arena.filled[kind]:
            fill_missing(kind, arena)
        stride = arena.stride[kind]
        place = arena.base[kind] + row
        arena.cells[place + PAYLOAD_ROW * stride] = payload_row
        arena.cells[place + ROW * stride] = row - arena.payload_first[kind]
        reason = decode_row(
            buffer,
            position,
            position + row_bytes,
            end,
            kind * TAG_COUNT,
            arena.cells,
            arena.floats,
            place,
            stride,
        )
        if reason != 0:
            return reason
        arena.row_count[kind] = row + 1
        position += row_bytes
    return 0


@bare_kernel
def fill_missing(kind: Int, arena: Arena) -> None:
    """Fill the next rows of a kind with what absent fields hold."""
    stride = arena.stride[kind]
    first = arena.filled[kind]
    behind = min(first + FILL_ROW_COUNT, stride)
    for column in range(ROW + 1, WIDTHS[kind]):
        place = arena.base[kind] + column * stride
        missing = MISSING_BITS[kind, column]
        for cell in range(place + first, place + behind):
            arena.cells[np.uint64(cell)] = missing
    arena.filled[kind] = behind
