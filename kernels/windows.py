"""Which sequence numbers of a source were seen: exact, whatever the order they come in.

A source numbers its batches 1, 2, 3 … within a boot epoch. For every (route, boot epoch) one row is kept: the highest
number seen and one bit for each of the WINDOW_COUNT numbers up to it. A number that leaves the window without
having come goes into a sparse set of missing ranges. So a number at or below the highest was seen if and only if its
bit is set or, below the window, it is in no missing range.

    1 ........ highest - 1024 | ........... highest
    missing ranges (sparse)   | bits (uint64[16])

Sequence numbers are uint64 on the wire and travel as int64 bits; everything here computes in uint64.
"""

from bisect import bisect_left, bisect_right
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from phusong.kernels.columns import BoolColumn, Int64Column
from phusong.kernels.identity import KeyTable
from phusong.kernels.jit import kernel

# Store and forward after a day offline at a batch a minute is 1440 batches, usually sent in order; the window only
# has to hold what is out of order among batches in flight, everything older is exact too and just slower.
WINDOW_COUNT = 1024
WORD_COUNT = WINDOW_COUNT // 64

# Of one row. 16 bytes each, so a source that loses every second batch for ever costs 1 MiB. Past it the oldest range
# is forgotten: what is at or below it is then never called a repeat, so it may be counted twice and is never lost.
MISSING_RANGE_COUNT_MAX = 65_536

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
    is_repeated: BoolColumn,
) -> int:
    """Mark repeats from `first` on; return where the missing ranges are needed, or the length.

    row: int64[n] window of each payload; sequence: uint64[n], 0 for none; highest: uint64[rows];
    words: uint64[rows, WORD_COUNT]; is_repeated: bool[n], written.
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
                return i
            if is_marked(bits, number):
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


class MissingRanges:
    """Numbers below the window of one row that did not come, as disjoint ranges in rising order."""

    __slots__ = ("first", "floor", "forgotten_count", "last")

    def __init__(self) -> None:
        """Start with nothing missing."""
        self.first: list[int] = []
        self.last: list[int] = []
        self.floor = 0  # at or below it nothing is known any more
        self.forgotten_count = 0

    def append(self, first: int, last: int) -> None:
        """Add a range above all others."""
        if self.last and self.last[-1] == first - 1:
            self.last[-1] = last
            return
        self.first.append(first)
        self.last.append(last)
        if len(self.first) > MISSING_RANGE_COUNT_MAX:
            oldest = self.first.pop(0)
            self.floor = self.last.pop(0)
            self.forgotten_count += self.floor - oldest + 1

    def take(self, number: int) -> bool:
        """Take a number that came after all; tell whether it had been missing."""
        if number <= self.floor:
            return True
        at = bisect_right(self.first, number) - 1
        if at < 0 or self.last[at] < number:
            return False
        first, last = self.first[at], self.last[at]
        if first == last:
            del self.first[at], self.last[at]
        elif number == first:
            self.first[at] = number + 1
        elif number == last:
            self.last[at] = number - 1
        else:
            self.last[at] = number - 1
            split = bisect_left(self.first, number)
            self.first.insert(split, number + 1)
            self.last.insert(split, last)
        return True

    def count(self) -> int:
        """Return how many numbers are missing."""
        return sum(self.last) - sum(self.first) + len(self.first)


class SequenceWindows:
    """The sequence numbers seen, per (route, boot epoch)."""

    def __init__(self) -> None:
        """Start with nothing seen."""
        self._table = KeyTable(2)
        self._highest = np.zeros(0, np.uint64)
        self._words = np.zeros((0, WORD_COUNT), np.uint64)
        self._missing: dict[int, MissingRanges] = {}
        self._range_first = np.empty(WINDOW_COUNT, np.uint64)
        self._range_last = np.empty(WINDOW_COUNT, np.uint64)

    def mark_repeated(
        self, route: Int64Column, boot_epoch: Int64Column, sequence: Int64Column
    ) -> BoolColumn:
        """Take the payloads in order and tell which were seen before, bool[n].

        route: any stable number of the sender; boot_epoch, sequence: uint64 as int64 bits.
        Sequence 0 has no identity and is never a repeat.
        """
        row = self._table.rows_of(route, boot_epoch)
        self._reserve()
        number = np.ascontiguousarray(sequence).view(np.uint64)
        is_repeated = np.zeros(len(row), np.bool_)
        i = 0
        while True:
            i = mark_recent(row, number, i, self._highest, self._words, is_repeated)
            if i == len(row):
                return is_repeated
            is_repeated[i] = self._is_old_or_far_repeat(int(row[i]), int(number[i]))
            i += 1

    def gap_count(self) -> int:
        """Return how many numbers below the highest of their row did not come."""
        count = self._table.count
        recent = count_missing(self._highest[:count], self._words[:count])
        return recent + sum(ranges.count() for ranges in self._missing.values())

    def forgotten_count(self) -> int:
        """Return how many missing numbers were forgotten at the bound, to be shown beside the gaps."""
        return sum(ranges.forgotten_count for ranges in self._missing.values())

    def export(self) -> dict[str, NDArray[np.int64]]:
        """Return the state as int64 arrays by name."""
        count = self._table.count
        rows = sorted(self._missing)
        ranges = [self._missing[row] for row in rows]
        return {
            "key": self._table.keys.copy(),
            "highest": self._highest[:count].view(np.int64).copy(),
            "words": self._words[:count].view(np.int64).copy(),
            "missing_row": np.array(rows, np.int64),
            "missing_count": np.array([len(r.first) for r in ranges], np.int64),
            "missing_floor": _as_int64([r.floor for r in ranges]),
            "missing_forgotten_count": _as_int64([r.forgotten_count for r in ranges]),
            "missing_first": _as_int64([number for r in ranges for number in r.first]),
            "missing_last": _as_int64([number for r in ranges for number in r.last]),
        }

    def restore(self, arrays: dict[str, NDArray[np.int64]]) -> None:
        """Take the state from what `export` returned."""
        self._table = KeyTable(2, np.ascontiguousarray(arrays["key"], np.int64).reshape(-1, 2))
        self._highest = arrays["highest"].astype(np.int64).view(np.uint64)
        self._words = np.ascontiguousarray(arrays["words"], np.int64).copy().view(np.uint64)
        self._missing = {}
        first = arrays["missing_first"].astype(np.int64).view(np.uint64).tolist()
        last = arrays["missing_last"].astype(np.int64).view(np.uint64).tolist()
        floor = arrays["missing_floor"].astype(np.int64).view(np.uint64).tolist()
        forgotten = arrays["missing_forgotten_count"].astype(np.int64).view(np.uint64).tolist()
        start = 0
        for i, row in enumerate(arrays["missing_row"].tolist()):
            stop = start + int(arrays["missing_count"][i])
            ranges = self._missing[row] = MissingRanges()
            ranges.first, ranges.last = first[start:stop], last[start:stop]
            ranges.floor, ranges.forgotten_count = floor[i], forgotten[i]
            start = stop

    def _is_old_or_far_repeat(self, row: int, number: int) -> bool:
        ranges = self._missing.get(row)
        if ranges is None:
            ranges = self._missing[row] = MissingRanges()
        top = int(self._highest[row])
        if number <= top:
            return not ranges.take(number)
        count = take_leaving(
            self._words[row],
            np.uint64(top),
            np.uint64(number),
            self._range_first,
            self._range_last,
        )
        for i in range(count):
            ranges.append(int(self._range_first[i]), int(self._range_last[i]))
        self._highest[row] = number
        return False

    def _reserve(self) -> None:
        count = self._table.count
        if count <= len(self._highest):
            return
        capacity = max(count, 2 * len(self._highest))
        highest = np.zeros(capacity, np.uint64)
        highest[: len(self._highest)] = self._highest
        words = np.zeros((capacity, WORD_COUNT), np.uint64)
        words[: len(self._words)] = self._words
        self._highest, self._words = highest, words


def _as_int64(numbers: list[int]) -> NDArray[np.int64]:
    return np.array(numbers, np.uint64).view(np.int64)
