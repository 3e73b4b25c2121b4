"""Which sequence numbers of a source were seen: exact, whatever the order they come in.

A source numbers its batches 1, 2, 3 … within a boot epoch. For every (route, boot epoch) one row is kept: the highest
number seen and one bit for each of the WINDOW_COUNT numbers up to it. A number that leaves the window without
having come goes into a sparse set of missing ranges. So a number at or below the highest was seen if and only if its
bit is set or, below the window, it is in no missing range.

    1 ........ highest - 1024 | ........... highest
    missing ranges (sparse)   | bits (uint64[16])

Boot epochs and missing ranges are bounded for each route. A batch of which nobody could tell whether it came before, because
it is past those bounds, is refused: never counted twice, never dropped silently.

Sequence numbers are uint64 on the wire and travel as int64 bits; everything here computes in uint64.
"""

import numpy as np
from numpy.typing import NDArray

from phusong.kernels.columns import BoolColumn, Int64Column
from phusong.kernels.identity import EMPTY, KeyTable
from phusong.kernels.missing_ranges import MissingRanges
from phusong.kernels.reject import TAKEN, Reject
from phusong.kernels.window_bits import (
    WINDOW_COUNT,
    WORD_COUNT,
    count_missing,
    mark_recent,
    take_leaving,
)

# Of one route: a boot every ten minutes for a year, or as many imported files, each an epoch. About 200 bytes each.
EPOCH_COUNT_MAX = 65_536

UNTRACKED = int(Reject.SEQUENCE_UNTRACKED)


class SequenceWindows:
    """The sequence numbers seen, per (route, boot epoch)."""

    def __init__(self) -> None:
        """Start with nothing seen."""
        self._table = KeyTable(2)
        self._epoch_count = np.zeros(0, np.int64)  # by route
        self._highest = np.zeros(0, np.uint64)
        self._words = np.zeros((0, WORD_COUNT), np.uint64)
        self._missing_top = np.zeros(0, np.uint64)
        self._missing: dict[int, MissingRanges] = {}
        self._range_first = np.empty(WINDOW_COUNT, np.uint64)
        self._range_last = np.empty(WINDOW_COUNT, np.uint64)

    def mark_repeated(
        self,
        route: Int64Column,
        boot_epoch: Int64Column,
        sequence: Int64Column,
        reject: Int64Column,
    ) -> BoolColumn:
        """Take the payloads in order and tell which were seen before, bool[n].

        route: any small stable number of the sender; boot_epoch, sequence: uint64 as int64 bits; reject: TAKEN, and
        written (SEQUENCE_UNTRACKED) where nobody could tell. Sequence 0 has no identity and is never a repeat.
        """
        row = self._rows_of(route, boot_epoch, sequence, reject)
        self._reserve()
        number = np.where(reject == TAKEN, sequence, 0).view(np.uint64)
        is_repeated = np.zeros(len(row), np.bool_)
        i = 0
        while True:
            i = mark_recent(
                row, number, i, self._highest, self._words, self._missing_top, is_repeated
            )
            if i == len(row):
                return is_repeated
            ranges = self._missing.get(int(row[i]))
            if ranges is not None and int(number[i]) <= ranges.floor:
                reject[i] = UNTRACKED
                i += 1
                continue
            is_repeated[i] = self._is_old_or_far_repeat(int(row[i]), int(number[i]))
            self._missing_top[row[i]] = self._missing[int(row[i])].top()
            i += 1

    def gap_count(self) -> int:
        """Return how many numbers below the highest of their row did not come."""
        count = self._table.count
        recent = count_missing(self._highest[:count], self._words[:count])
        return recent + sum(ranges.count() for ranges in self._missing.values())

    def gap_count_of(self, route: int) -> int:
        """Return how many numbers of one route, below the highest of their row, did not come."""
        row = np.flatnonzero(self._table.keys[:, 0] == route)
        recent = count_missing(self._highest[row], self._words[row])
        ranges = (self._missing.get(r) for r in row.tolist())
        return recent + sum(found.count() for found in ranges if found is not None)

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
        self._epoch_count = np.bincount(self._table.keys[:, 0]).astype(np.int64)
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
        self._missing_top = np.zeros(len(self._highest), np.uint64)
        for row, ranges in self._missing.items():
            self._missing_top[row] = ranges.top()

    def _rows_of(
        self,
        route: Int64Column,
        boot_epoch: Int64Column,
        sequence: Int64Column,
        reject: Int64Column,
    ) -> Int64Column:
        """Return the row of every payload's epoch, EMPTY without a sequence and for one epoch too many."""
        row = self._table.find(route, boot_epoch)
        new = np.flatnonzero((row == EMPTY) & (sequence != 0))
        if not len(new):
            return row
        missing = int(route[new].max()) + 1 - len(self._epoch_count)
        if missing > 0:
            room = np.zeros(max(missing, len(self._epoch_count)), np.int64)
            self._epoch_count = np.concatenate((self._epoch_count, room))
        is_admitted: dict[tuple[int, int], bool] = {}
        pairs = zip(new.tolist(), route[new].tolist(), boot_epoch[new].tolist(), strict=True)
        for i, whose, epoch in pairs:
            if (whose, epoch) not in is_admitted:
                is_admitted[whose, epoch] = self._epoch_count[whose] < EPOCH_COUNT_MAX
                self._epoch_count[whose] += is_admitted[whose, epoch]
            if not is_admitted[whose, epoch]:
                reject[i] = UNTRACKED
        admitted = new[reject[new] == TAKEN]
        row[admitted] = self._table.rows_of(route[admitted], boot_epoch[admitted])
        return row

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
        missing_top = np.zeros(capacity, np.uint64)
        missing_top[: len(self._missing_top)] = self._missing_top
        self._highest, self._words, self._missing_top = highest, words, missing_top


def _as_int64(numbers: list[int]) -> NDArray[np.int64]:
    return np.array(numbers, np.uint64).view(np.int64)
