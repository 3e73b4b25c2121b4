"""One bit for each of the last numbers of a source: kernels for `kernels.windows`. Everything is uint64."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from phusong.kernels.columns import BoolColumn, Int64Column
from phusong.kernels.jit import kernel

# Store and forward after a day offline at a batch a minute is 1440 batches, usually sent in order; the window only
# has to hold what is out of order among batches in flight, everything older is exact too and just slower.
WINDOW_COUNT = 1024
WORD_COUNT = WINDOW_COUNT // 64

Unsigned: TypeAlias = int | np.uint64
UnsignedColumn: TypeAlias = NDArray[np.uint64]


@kernel
def is_marked(words: UnsignedColumn, sequence: Unsigned) -> bool:
    """Tell whether the bit of a sequence is set in the window of one row, uint64[WORD_COUNT]."""
    slot = np.int64(sequence & np.uint64(WINDOW_COUNT - 1))
    return bool((words[slot >> 6] >> np.uint64(slot & 63)) & np.uint64(1))


@kernel
def mark_bit(words: UnsignedColumn, sequence: Unsigned, value: int) -> None:
    """Set (1) or clear (0) the bit of a sequence."""
    slot = np.int64(sequence & np.uint64(WINDOW_COUNT - 1))
    bit = np.uint64(1) << np.uint64(slot & 63)
    if value == 1:
        words[slot >> 6] |= bit
    else:
        words[slot >> 6] &= ~bit


@kernel
def mark_recent(
    row: Int64Column,
    sequence: UnsignedColumn,
    first: int,
    highest: UnsignedColumn,
    words: UnsignedColumn,
    missing_top: UnsignedColumn,
    is_repeated: BoolColumn,
) -> int:
    """Mark repeats from `first` on; return where the missing ranges are needed, or the length.

    row: int64[n] window of each payload; sequence: uint64[n], 0 for none; highest: uint64[rows];
    words: uint64[rows, WORD_COUNT]; missing_top: uint64[rows], above it nothing below the window is missing;
    is_repeated: bool[n], written.
    """
    assert len(row) == len(sequence)
    assert len(row) == len(is_repeated)
    window = np.uint64(WINDOW_COUNT)
    one = np.uint64(1)
    for i in range(first, len(row)):
        number = sequence[i]
        is_repeated[i] = False
        if number == np.uint64(0):
            continue
        top = highest[row[i]]
        bits = words[row[i]]
        if number <= top:
            if top - number >= window:
                if number <= missing_top[row[i]]:
                    return i
                is_repeated[i] = True
            elif is_marked(bits, number):
                is_repeated[i] = True
            else:
                mark_bit(bits, number, 1)
            continue
        if number - top > window:
            return i
        # The slot a new number takes is the slot of the one that leaves.
        entering = top + one
        while entering <= number:
            if entering > window and not is_marked(bits, entering):
                return i
            if entering == number:
                break
            entering += one
        entering = top + one
        while entering < number:
            mark_bit(bits, entering, 0)
            entering += one
        mark_bit(bits, number, 1)
        highest[row[i]] = number
    return len(row)


@kernel
def take_leaving(
    words: UnsignedColumn,
    top: Unsigned,
    number: Unsigned,
    range_first: UnsignedColumn,
    range_last: UnsignedColumn,
) -> int:
    """Move the window of one row up to `number`; return how many missing ranges left it.

    words: uint64[WORD_COUNT]; range_first, range_last: uint64[WINDOW_COUNT], written.
    """
    window = np.uint64(WINDOW_COUNT)
    one = np.uint64(1)
    assert number > top
    bottom = np.uint64(0)  # everything up to here was below the window already
    if top > window:
        bottom = top - window
    leaving_last = np.uint64(0)
    if number > window:
        leaving_last = number - window
    count = 0
    candidate = bottom + one
    while candidate <= leaving_last and candidate <= top:
        if not is_marked(words, candidate):
            if count > 0 and range_last[count - 1] == candidate - one:
                range_last[count - 1] = candidate
            else:
                range_first[count] = candidate
                range_last[count] = candidate
                count += 1
        candidate += one
    if leaving_last > top:
        if count > 0 and range_last[count - 1] == top:
            range_last[count - 1] = leaving_last
        else:
            range_first[count] = top + one
            range_last[count] = leaving_last
            count += 1
    entering = top + one
    if number - top > window:
        entering = number - window + one
    while entering < number:
        mark_bit(words, entering, 0)
        entering += one
    mark_bit(words, number, 1)
    return count


@kernel
def count_missing(highest: UnsignedColumn, words: UnsignedColumn) -> int:
    """Return how many numbers from 1 to the highest lie in their window and did not come."""
    window = np.uint64(WINDOW_COUNT)
    one = np.uint64(1)
    count = 0
    for row in range(len(highest)):
        number = highest[row]
        bottom = np.uint64(0)
        if number > window:
            bottom = number - window
        while number > bottom:
            if not is_marked(words[row], number):
                count += 1
            number -= one
    return count
