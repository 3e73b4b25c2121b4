"""Texts of the wire as numbers: a hash, or the number of a PLMN."""

import numpy as np

from phusong.kernels.columns import ByteColumn, Int
from phusong.kernels.identity import mix64
from phusong.kernels.jit import wrapping
from phusong.kernels.plmn import PLMN_INVALID, PLMN_NONE, SIX_DIGITS
from phusong.kernels.wire.bare import bare_kernel
from phusong.kernels.wire.words import (
    ALL_BITS,
    BYTE_MASK,
    HIGH_BITS,
    WORD_BYTES,
    byte_at,
    short_word_at,
)

# Digits and separators of a PLMN, in the bytes of a word.
HIGH_NIBBLES = np.uint64(0xF0F0F0F0F0F0F0F0)
ZEROS = np.uint64(0x3030303030303030)
SIXES = np.uint64(0x0606060606060606)
SEPARATORS = ord("-"), ord(" ")
DIGIT = np.uint64(15)
MCC_BITS = np.uint64(24)
MCC_MASK = np.uint64(0xFFFFFF)

# Of the golden ratio, as in splitmix64: odd, with bits everywhere.
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
HALF = np.uint64(32)


def text_hash(text: str | bytes) -> int:
    """Return the signed 64-bit hash that the decoder writes for a text; 0 for the empty text and no other."""
    encoded = text.encode() if isinstance(text, str) else text
    value, _ = hash_text(np.frombuffer(bytearray(encoded), np.uint8), 0, len(encoded), len(encoded))
    return int(value)


@bare_kernel
@wrapping
def hash_text(buffer: ByteColumn, position: Int, end: Int, limit: Int) -> tuple[Int, bool]:
    """Return the hash of a text and whether it is ASCII.

    The length comes in first, so that filling the last word with zeros confuses no two texts; texts
    of one length that differ in one word never collide.
    """
    if position == end:
        return np.int64(0), True
    value = np.uint64(end - position)
    seen = np.uint64(0)
    while position < end:
        word = short_word_at(buffer, position, min(end - position, WORD_BYTES), limit)
        seen |= word
        value = (value ^ word) * MULTIPLIER
        value ^= value >> HALF
        position += WORD_BYTES
    mixed = mix64(np.int64(value))
    return mixed if mixed != 0 else np.int64(1), seen & HIGH_BITS == 0


@bare_kernel
def is_utf8(buffer: ByteColumn, position: Int, end: Int) -> bool:
    """Tell whether a text is UTF-8: no overlong form, no surrogate, nothing above U+10FFFF (RFC 3629)."""
    while position < end:
        first = byte_at(buffer, position)
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
        if not second_min <= byte_at(buffer, position) <= second_max:
            return False
        for i in range(1, following):
            if byte_at(buffer, position + i) & 0xC0 != 0x80:
                return False
        position += following
    return True


@bare_kernel
@wrapping
def read_plmn(buffer: ByteColumn, position: Int, end: Int, limit: Int) -> Int:
    """Return what `kernels.plmn.plmn_number` says of a text."""
    length = end - position
    if length == 0:
        return np.int64(PLMN_NONE)
    if length < 5 or length > 7:
        return np.int64(PLMN_INVALID)
    word = short_word_at(buffer, position, length, limit)
    if length >= 6 and np.int64(word >> MCC_BITS & BYTE_MASK) in SEPARATORS:
        word = word & MCC_MASK | (word >> np.uint64(8)) & ~MCC_MASK
        length -= 1
    # A digit is 3x, and still is with 6 added.
    digits = word ^ ZEROS & (ALL_BITS >> np.uint64(8 * (WORD_BYTES - length)))
    if length == 7 or (digits | digits + SIXES) & HIGH_NIBBLES != 0:
        return np.int64(PLMN_INVALID)
    number = np.int64(0)
    for i in range(length):
        number = number * 10 + np.int64(digits >> np.uint64(8 * i) & DIGIT)
    if number == 0:
        return np.int64(PLMN_INVALID)
    return number + SIX_DIGITS if length == 6 else number
