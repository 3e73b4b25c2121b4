"""The primitives of protobuf's wire format: varints, tags, and fields nobody here knows.

A kernel cannot raise for hostile bytes, so the position behind what was read also carries the bad news:
a negative position is a `kernels.reject.Reject` with its sign turned. No kernel here reads a byte at or
behind `end`; those with a `limit` may look further, up to there, which is the end of the payload.

The common forms have a short way, the long way is for the rest and for errors.
"""

import numpy as np

from phusong.kernels.columns import ByteColumn, Int
from phusong.kernels.reject import Reject
from phusong.kernels.wire.bare import allocating_kernel, bare_kernel, inlined_kernel
from phusong.kernels.wire.words import WORD_BYTES, byte_at, word_at

TRUNCATED = int(Reject.TRUNCATED)
MALFORMED = int(Reject.MALFORMED)

VARINT = 0
FIXED64 = 1
LENGTH = 2
GROUP_START = 3
GROUP_END = 4
FIXED32 = 5

# 64 bits in groups of seven; a longer varint is an error in every implementation.
VARINT_MAX_BYTES = 10

# A tag or a length is a 32-bit number: the official parser refuses a longer form even of a small number.
VARINT32_MAX_BYTES = 5
TAG_MIN = 8  # field number 0 is an error
TAG_MAX = 2**32 - 1
LENGTH_MAX = 2**31 - 1  # protobuf's own limit of a message

# The top bit of each byte of a word says whether the varint goes on; the other bits of the bytes up to it are the number.
(
    BYTE_1_GOES_ON,
    BYTE_2_GOES_ON,
    BYTE_3_GOES_ON,
    BYTE_4_GOES_ON,
    BYTE_5_GOES_ON,
    BYTE_6_GOES_ON,
) = (np.uint64(0x80 << 8 * i) for i in range(6))
(
    BYTE_1,
    BYTES_1_TO_2,
    BYTES_1_TO_3,
    BYTES_1_TO_4,
    BYTES_1_TO_5,
    BYTES_1_TO_6,
) = (np.uint64(0x7F7F7F7F7F7F & (1 << 8 * i) - 1) for i in range(1, 7))

# Every other group of 7, 14 and 28 bits, from the lowest on and from the next on.
EVEN_7_BITS, ODD_7_BITS = np.uint64(0x007F007F007F007F), np.uint64(0x7F007F007F007F00)
EVEN_14_BITS, ODD_14_BITS = np.uint64(0x00003FFF00003FFF), np.uint64(0x3FFF00003FFF0000)
EVEN_28_BITS, ODD_28_BITS = np.uint64(0x000000000FFFFFFF), np.uint64(0x0FFFFFFF00000000)

# Protobuf's limit of nesting, as the official parser counts it.
DEPTH_MAX = 100


@bare_kernel
def read_long_varint(buffer: ByteColumn, position: Int, end: Int) -> tuple[Int, Int]:
    """Return what `read_varint` does, a byte at a time."""
    value = np.int64(0)
    shift = np.int64(0)
    while position < end:
        byte = byte_at(buffer, position)
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
        if shift == 7 * VARINT_MAX_BYTES:
            return value, -MALFORMED
    return value, -TRUNCATED


@bare_kernel
def fold_groups(word: np.uint64) -> Int:
    """Return the number of a varint of up to eight bytes, whose top bits and all above it are cleared."""
    word = (word & EVEN_7_BITS) | ((word & ODD_7_BITS) >> np.uint64(1))
    word = (word & EVEN_14_BITS) | ((word & ODD_14_BITS) >> np.uint64(2))
    word = (word & EVEN_28_BITS) | ((word & ODD_28_BITS) >> np.uint64(4))
    return np.int64(word)


@inlined_kernel
def read_varint(buffer: ByteColumn, position: Int, end: Int, limit: Int) -> tuple[Int, Int]:
    """Return a varint as int64 bits and the position behind it.

    Bits over 64 are dropped, as the official parser does. The number comes from one load of eight bytes; its length by
    branches, because the processor guesses them and goes on to the next field before the load is done.
    """
    if limit - position < WORD_BYTES:
        return read_long_varint(buffer, position, end)
    word = word_at(buffer, position)
    value: Int
    if word & BYTE_1_GOES_ON == 0:
        value, behind = np.int64(word & BYTE_1), position + 1
    elif word & BYTE_2_GOES_ON == 0:
        value, behind = fold_groups(word & BYTES_1_TO_2), position + 2
    elif word & BYTE_3_GOES_ON == 0:
        value, behind = fold_groups(word & BYTES_1_TO_3), position + 3
    elif word & BYTE_4_GOES_ON == 0:
        value, behind = fold_groups(word & BYTES_1_TO_4), position + 4
    elif word & BYTE_5_GOES_ON == 0:
        value, behind = fold_groups(word & BYTES_1_TO_5), position + 5
    elif word & BYTE_6_GOES_ON == 0:
        value, behind = fold_groups(word & BYTES_1_TO_6), position + 6
    else:
        return read_long_varint(buffer, position, end)
    return value, behind if behind <= end else -TRUNCATED


@bare_kernel
def read_varint32(buffer: ByteColumn, position: Int, end: Int, value_max: Int) -> tuple[Int, Int]:
    """Return a 32-bit varint of at most `value_max` and the position behind it."""
    value, behind = read_long_varint(buffer, position, min(end, position + VARINT32_MAX_BYTES))
    if behind == -TRUNCATED and end - position >= VARINT32_MAX_BYTES:
        return value, -MALFORMED
    if behind >= 0 and value > value_max:
        return value, -MALFORMED
    return value, behind


@bare_kernel
def read_long_tag(buffer: ByteColumn, position: Int, end: Int) -> tuple[Int, Int]:
    """Return what `read_tag` does, for a tag of any length."""
    tag, position = read_varint32(buffer, position, end, TAG_MAX)
    if position >= 0 and tag < TAG_MIN:
        return tag, -MALFORMED
    return tag, position


@bare_kernel
def read_tag(buffer: ByteColumn, position: Int, end: Int) -> tuple[Int, Int]:
    """Return a tag (field number and wire type, as `number << 3 | type`) and the position behind it."""
    if end - position >= 2:
        first = byte_at(buffer, position)
        if TAG_MIN <= first < 0x80:
            return first, position + 1
        second = byte_at(buffer, position + 1)
        if 0 < second < 0x80 <= first:
            return first & 0x7F | second << 7, position + 2
    return read_long_tag(buffer, position, end)


@bare_kernel
def read_long_length(buffer: ByteColumn, position: Int, end: Int) -> tuple[Int, Int]:
    """Return what `read_length` does, for a length of any length."""
    length, position = read_varint32(buffer, position, end, LENGTH_MAX)
    if position >= 0 and length > end - position:
        return length, -TRUNCATED
    return length, position


@bare_kernel
def read_length(buffer: ByteColumn, position: Int, end: Int) -> tuple[Int, Int]:
    """Return the length of a field and the position of its first byte; the whole field lies before `end`."""
    if end - position >= 2:
        first = byte_at(buffer, position)
        second = byte_at(buffer, position + 1)
        if first < 0x80:
            if first < end - position:
                return first, position + 1
        elif second < 0x80:
            length = first & 0x7F | second << 7
            if length < end - position - 1:
                return length, position + 2
    return read_long_length(buffer, position, end)


@bare_kernel
def skip_scalar(buffer: ByteColumn, position: Int, end: Int, wire_type: Int) -> Int:
    """Return the position behind the value of an unknown field that is no group."""
    if wire_type == VARINT:
        _, position = read_varint(buffer, position, end, end)
        return position
    if wire_type == LENGTH:
        length, position = read_length(buffer, position, end)
        return position if position < 0 else position + length
    if wire_type == FIXED64:
        position += 8
    elif wire_type == FIXED32:
        position += 4
    else:
        return -MALFORMED
    return position if position <= end else -TRUNCATED


@allocating_kernel
def skip_group(buffer: ByteColumn, position: Int, end: Int, tag: Int, depth_max: Int) -> Int:
    """Return the position behind an unknown group whose start tag was just read."""
    if depth_max < 1:
        return -MALFORMED
    open_tags = np.empty(depth_max, np.int64)
    open_tags[0] = tag
    depth = 1
    while depth:
        tag, position = read_tag(buffer, position, end)
        if position < 0:
            return position
        wire_type = tag & 7
        if wire_type == GROUP_START:
            if depth == depth_max:
                return -MALFORMED
            open_tags[depth] = tag
            depth += 1
        elif wire_type == GROUP_END:
            depth -= 1
            if tag >> 3 != open_tags[depth] >> 3:
                return -MALFORMED
        else:
            position = skip_scalar(buffer, position, end, wire_type)
            if position < 0:
                return position
    return position


@bare_kernel
def skip_field(buffer: ByteColumn, position: Int, end: Int, tag: Int, depth_max: Int) -> Int:
    """Return the position behind the value of an unknown field; `depth_max` groups may be nested in it."""
    if tag & 7 == GROUP_START:
        return skip_group(buffer, position, end, tag, depth_max)
    return skip_scalar(buffer, position, end, tag & 7)
