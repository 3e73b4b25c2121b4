"""The second pass over payloads: every row into its columns."""

from typing import NamedTuple

import numpy as np

from phusong.kernels.columns import ByteColumn, Float64Column, Int, Int64Column, Payloads
from phusong.kernels.plmn import PLMN_INVALID
from phusong.kernels.reject import Reject
from phusong.kernels.wire.bare import bare_kernel
from phusong.kernels.wire.fields import (
    DEPTH_MAX,
    LENGTH,
    read_length,
    read_tag,
    read_varint,
    skip_field,
)
from phusong.kernels.wire.schema import (
    ACTIONS,
    BITS64,
    BOOL,
    COLUMN_SHIFT,
    FIRST_KIND_FIELD,
    FLOAT,
    INT32,
    MISSING_BITS,
    MISTYPED,
    PACKED,
    PAYLOAD_ROW,
    PLMN,
    ROW,
    STORE_MASK,
    TAG_COUNT,
    TEXT,
    UINT32,
    UNKNOWN,
    UNPACKED,
    VARINT_LAST,
    WIDTHS,
)
from phusong.kernels.wire.survey import forget_rows
from phusong.kernels.wire.text import hash_text, is_utf8, read_plmn
from phusong.kernels.wire.words import float_at, word_at

TRUNCATED = int(Reject.TRUNCATED)
REJECT_MISTYPED = int(Reject.MISTYPED)
NOT_UTF8 = int(Reject.NOT_UTF8)

SIGNAL_TAG = FIRST_KIND_FIELD << 3 | LENGTH
CELL_TAG = (FIRST_KIND_FIELD + 2) << 3 | LENGTH

UINT32_MASK = 0xFFFFFFFF

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
        for row in range(first, behind):
            arena.cells[place + row] = MISSING_BITS[kind, column]
    arena.filled[kind] = behind


@bare_kernel
def decode_row(
    buffer: ByteColumn,
    start: Int,
    end: Int,
    limit: Int,
    first_action: Int,
    cells: Int64Column,
    floats: Float64Column,
    place: Int,
    stride: Int,
) -> Int:
    """Decode one row message into the cells `place + column * stride`; return a reason or 0.

    The last of a repeated scalar counts, as protobuf says.
    """
    position = start
    while position < end:
        tag, position = read_tag(buffer, position, end)
        if position < 0:
            return -position
        action = ACTIONS[np.uint64(first_action + tag)] if tag < TAG_COUNT else UNKNOWN
        store = action & STORE_MASK
        cell = place + (action >> COLUMN_SHIFT) * stride

        if store == UNKNOWN:
            position = skip_field(buffer, position, end, tag, DEPTH_MAX - 1)
        elif store <= VARINT_LAST:
            value, position = read_varint(buffer, position, end, limit)
            if store == UINT32:
                value &= UINT32_MASK
            elif store == INT32:
                value = np.int64(np.int32(value & UINT32_MASK))
            elif store == BOOL:
                value = np.int64(value != 0)
            cells[np.uint64(cell)] = value
        elif store == BITS64:
            if end - position < 8:
                return TRUNCATED
            cells[np.uint64(cell)] = np.int64(word_at(buffer, position))
            position += 8
        elif store == FLOAT:
            if end - position < 4:
                return TRUNCATED
            floats[np.uint64(cell)] = float_at(buffer, position)
            position += 4
        elif store == MISTYPED:
            return REJECT_MISTYPED
        else:
            position = decode_long(buffer, position, start, end, limit, store, cells, cell, stride)
        if position < 0:
            return -position
    return 0


@bare_kernel
def decode_long(
    buffer: ByteColumn,
    position: Int,
    start: Int,
    end: Int,
    limit: Int,
    store: Int,
    cells: Int64Column,
    cell: Int,
    stride: Int,
) -> Int:
    """Decode a text or a histogram; return the position behind it.

    One packed histogram is told by its place and length. Protobuf also allows it in several pieces or unpacked; then the
    place is that of the whole row, and the length is negative: `kernels.wire.histogram` picks the pieces out of it.
    """
    if store == UNPACKED:
        _, position = read_varint(buffer, position, end, limit)
        cells[cell] = start
        cells[cell + stride] = start - end
        return position

    length, position = read_length(buffer, position, end)
    if position < 0:
        return position
    behind = position + length
    if store == PLMN:
        cells[cell] = read_plmn(buffer, position, behind, limit)
        if cells[cell] == PLMN_INVALID and not is_utf8(buffer, position, behind):
            return -NOT_UTF8
    elif store == TEXT:
        cells[cell], is_ascii = hash_text(buffer, position, behind, limit)
        if not is_ascii and not is_utf8(buffer, position, behind):
            return -NOT_UTF8
    elif cells[cell + stride] == 0:
        cells[cell] = position
        cells[cell + stride] = length
    else:
        cells[cell] = start
        cells[cell + stride] = start - end
    if store == PACKED:
        while position < behind:
            _, position = read_varint(buffer, position, behind, limit)
            if position < 0:
                return position
    return behind
