"""Bytes by the word: one load where a loop over bytes would be eight.

Words are uint64: Numba calls signed overflow undefined. Positions are turned to uint64 before they index, because a signed
index could be negative, which costs a test for each byte and keeps LLVM from joining eight loads into one.
"""

import numpy as np

from phusong.kernels.columns import ByteColumn, Int
from phusong.kernels.wire.bare import bare_kernel

WORD_BYTES = 8

HIGH_BITS = np.uint64(0x8080808080808080)  # of each byte; set where it is not ASCII
BYTE_MASK = np.uint64(0xFF)
ALL_BITS = np.uint64(0xFFFFFFFFFFFFFFFF)


@bare_kernel
def byte_at(buffer: ByteColumn, position: Int) -> Int:
    """Return the byte at a position."""
    return np.int64(buffer[np.uint64(position)])


@bare_kernel
def word_at(buffer: ByteColumn, position: Int) -> np.uint64:
    """Return the eight bytes at a position, little-endian."""
    first = np.uint64(position)
    word = np.uint64(buffer[first])
    for i in range(1, 8):
        word |= np.uint64(buffer[first + np.uint64(i)]) << np.uint64(8 * i)
    return word


@bare_kernel
def float_at(buffer: ByteColumn, position: Int) -> np.float64:
    """Return the little-endian float of four bytes at a position, as float64."""
    first = np.uint64(position)
    bits = np.uint32(buffer[first])
    for i in range(1, 4):
        bits |= np.uint32(buffer[first + np.uint64(i)]) << np.uint32(8 * i)
    return np.float64(np.uint32(bits).view(np.float32))


@bare_kernel
def short_word_at(buffer: ByteColumn, position: Int, byte_count: Int, limit: Int) -> np.uint64:
    """Return the first 0 to 8 bytes at a position, little-endian, zeros above; no byte at or behind `limit` is read."""
    if limit - position >= WORD_BYTES:
        if byte_count == 0:
            return np.uint64(0)
        return word_at(buffer, position) & (ALL_BITS >> np.uint64(8 * (WORD_BYTES - byte_count)))
    word = np.uint64(0)
    for i in range(byte_count):
        word |= np.uint64(buffer[np.uint64(position + i)]) << np.uint64(8 * i)
    return word
