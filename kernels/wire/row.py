"""One row message into its columns."""

import numpy as np

from phusong.kernels.columns import ByteColumn, Float64Column, Int, Int64Column
from phusong.kernels.plmn import PLMN_INVALID
from phusong.kernels.reject import Reject
from phusong.kernels.wire.bare import bare_kernel, inlined_kernel
from phusong.kernels.wire.fields import (
    DEPTH_MAX,
    MALFORMED,
    TAG_MIN,
    read_length,
    read_tag,
    read_varint,
    skip_field,
)
from phusong.kernels.wire.schema import (
    ACTIONS,
    BITS64,
    COLUMN_SHIFT,
    FLOAT,
    INT32,
    INT64,
    MISTYPED,
    PACKED,
    PLMN,
    STORE_MASK,
    TAG_COUNT,
    TEXT,
    UINT32,
    UNKNOWN,
    UNPACKED,
    VARINT_LAST,
)
from phusong.kernels.wire.text import hash_text, is_utf8, read_plmn
from phusong.kernels.wire.words import WORD_BYTES, byte_at, float_at, word_at

TRUNCATED = int(Reject.TRUNCATED)
REJECT_MISTYPED = int(Reject.MISTYPED)
NOT_UTF8 = int(Reject.NOT_UTF8)

UINT32_MASK = 0xFFFFFFFF

# A field of ours, but for texts and histograms, has at most two bytes of tag and eight of value, or a longer
# varint, which is read with care.
QUICK_BYTES = 2 + WORD_BYTES


@inlined_kernel
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

    The last of a repeated scalar counts, as protobuf says. While the payload goes on for the longest field, no byte of it
    is tested for being there: a field that runs over the end of its row is noticed behind it.
    """
    position = start
    while position < end:
        if limit - position < QUICK_BYTES:
            position = decode_field(
                buffer, position, start, end, limit, first_action, cells, floats, place, stride
            )
            if position < 0:
                return -position
            continue

        tag = byte_at(buffer, position)
        position += 1
        if tag >= 0x80:
            second = byte_at(buffer, position)
            if second > 1 or position >= end:
                position = decode_field(
                    buffer,
                    position - 1,
                    start,
                    end,
                    limit,
                    first_action,
                    cells,
                    floats,
                    place,
                    stride,
                )
                if position < 0:
                    return -position
                continue
            tag = tag & 0x7F | second << 7
            position += 1
        action = ACTIONS[np.uint64(first_action + tag)]
        store = action & STORE_MASK
        cell = place + (action >> COLUMN_SHIFT) * stride

        if store <= VARINT_LAST:
            value, position = read_varint(buffer, position, end, limit)
            if position < 0:
                return -position
            cells[np.uint64(cell)] = narrow(value, store)
        elif store == BITS64:
            cells[np.uint64(cell)] = np.int64(word_at(buffer, position))
            position += 8
        elif store == FLOAT:
            floats[np.uint64(cell)] = float_at(buffer, position)
            position += 4
        elif store == MISTYPED:
            return np.int64(REJECT_MISTYPED)
        else:
            position = decode_long(
                buffer, position, start, end, limit, tag, store, cells, cell, stride
            )
            if position < 0:
                return -position
    return np.int64(0 if position == end else TRUNCATED)


@inlined_kernel
def narrow(value: Int, store: Int) -> Int:
    """Return the value of a varint as its type holds it."""
    if store == INT64:
        return value
    if store == INT32:
        return np.int64(np.int32(value & UINT32_MASK))
    if store == UINT32:
        return value & UINT32_MASK
    return np.int64(value != 0)


@bare_kernel
def decode_field(  # noqa: PLR0911 - one for each way to store
    buffer: ByteColumn,
    position: Int,
    start: Int,
    end: Int,
    limit: Int,
    first_action: Int,
    cells: Int64Column,
    floats: Float64Column,
    place: Int,
    stride: Int,
) -> Int:
    """Decode any field, with every byte tested for being there; return the position behind it."""
    tag, position = read_tag(buffer, position, end)
    if position < 0:
        return position
    action = ACTIONS[np.uint64(first_action + tag)] if tag < TAG_COUNT else UNKNOWN
    store = action & STORE_MASK
    cell = place + (action >> COLUMN_SHIFT) * stride

    if store <= VARINT_LAST:
        value, position = read_varint(buffer, position, end, limit)
        if position >= 0:
            cells[np.uint64(cell)] = narrow(value, store)
        return position
    if store == BITS64:
        if end - position < 8:
            return np.int64(-TRUNCATED)
        cells[np.uint64(cell)] = np.int64(word_at(buffer, position))
        return position + 8
    if store == FLOAT:
        if end - position < 4:
            return np.int64(-TRUNCATED)
        floats[np.uint64(cell)] = float_at(buffer, position)
        return position + 4
    if store == MISTYPED:
        return np.int64(-REJECT_MISTYPED)
    return decode_long(buffer, position, start, end, limit, tag, store, cells, cell, stride)


@bare_kernel
def decode_long(  # noqa: PLR0911 - every fault has its own reason
    buffer: ByteColumn,
    position: Int,
    start: Int,
    end: Int,
    limit: Int,
    tag: Int,
    store: Int,
    cells: Int64Column,
    cell: Int,
    stride: Int,
) -> Int:
    """Decode a text or a histogram, or skip an unknown field; return the position behind it.

    One packed histogram is told by its place and length. Protobuf also allows it in several pieces or unpacked; then the
    place is that of the whole row, and the length is negative: `kernels.wire.histogram` picks the pieces out of it.
    """
    if store == UNKNOWN:
        if tag < TAG_MIN:  # field number 0; the quick way has not looked
            return np.int64(-MALFORMED)
        return skip_field(buffer, position, end, tag, DEPTH_MAX - 1)
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
