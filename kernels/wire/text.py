"""Texts of the wire as numbers: a hash, or the number of a PLMN."""

import numpy as np

from phusong.kernels.columns import ByteColumn, Int
from phusong.kernels.identity import mix64
from phusong.kernels.plmn import PLMN_INVALID, PLMN_NONE, SIX_DIGITS
from phusong.kernels.wire.bare import bare_kernel

# The top bit of eight bytes: set in any byte that is not ASCII.
HIGH_BITS = -0x7F7F7F7F7F7F7F80

ZERO, NINE = ord("0"), ord("9")
SEPARATORS = ord("-"), ord(" ")


def text_hash(text: str | bytes) -> int:
    """Return the signed 64-bit hash that the decoder writes for a text; 0 for the empty text and no other."""
    encoded = text.encode() if isinstance(text, str) else text
    value, _ = hash_text(np.frombuffer(bytearray(encoded), np.uint8), 0, len(encoded))
    return int(value)


@bare_kernel
def read_word(buffer: ByteColumn, position: Int) -> Int:
    """Return the eight bytes at a position, little-endian, as int64 bits."""
    word = np.int64(buffer[position])
    for i in range(1, 8):
        word |= np.int64(buffer[position + i]) << (8 * i)
    return word


@bare_kernel
def hash_text(buffer: ByteColumn, position: Int, end: Int) -> tuple[Int, bool]:
    """Return the hash of a text and whether it is ASCII.

    The length is mixed in first, so that filling the last word with zeros confuses no two texts.
    """
    if position == end:
        return np.int64(0), True
    value = mix64(np.int64(end - position))
    seen = np.int64(0)
    while end - position >= 8:
        word = read_word(buffer, position)
        seen |= word
        value = mix64(value ^ word)
        position += 8
    if position < end:
        word = np.int64(0)
        shift = np.int64(0)
        while position < end:
            word |= np.int64(buffer[position]) << shift
            shift += 8
            position += 1
        seen |= word
        value = mix64(value ^ word)
    return value if value != 0 else np.int64(1), seen & HIGH_BITS == 0


@bare_kernel
def is_utf8(buffer: ByteColumn, position: Int, end: Int) -> bool:
    """Tell whether a text is UTF-8: no overlong form, no surrogate, nothing above U+10FFFF (RFC 3629)."""
    while position < end:
        first = buffer[position]
        position += 1
        if first < 0x80:
            continue
        if first < 0xC2 or first > 0xF4:
            return False
        following = 1 if first < 0xE0 else 2 if first < 0xF0 else 3
        if end - position < following:
            return False
        second_min = 0xA0 if first == 0xE0 else 0x90 if first == 0xF0 else 0x80
        second_max = 0x9F if first == 0xED else 0x8F if first == 0xF4 else 0xBF
        if buffer[position] < second_min or buffer[position] > second_max:
            return False
        for i in range(1, following):
            if buffer[position + i] & 0xC0 != 0x80:
                return False
        position += following
    return True


@bare_kernel
def read_plmn(buffer: ByteColumn, position: Int, end: Int) -> Int:
    """Return what `kernels.plmn.plmn_number` says of a text."""
    length: Int = end - position
    if length == 0:
        return PLMN_NONE
    separator: Int = -1
    if length in (6, 7) and buffer[position + 3] in SEPARATORS:
        separator = position + 3
        length -= 1
    if length not in (5, 6):
        return PLMN_INVALID
    number: Int = 0
    for i in range(position, end):
        if i == separator:
            continue
        if buffer[i] < ZERO or buffer[i] > NINE:
            return PLMN_INVALID
        number = number * 10 + (np.int64(buffer[i]) - ZERO)
    if number == 0:
        return PLMN_INVALID
    return number + SIX_DIGITS if length == 6 else number
