"""Readings counted per bin: one device in one place cell and window, of one operator and technology.

A bin is what a reading contributes to: however many readings a device sends from one place in one window,
they say one thing. State: new, add, merge, export; order, cuts and merges change nothing.
"""

from typing import NamedTuple

import numpy as np

from phusong.kernels.columns import BoolColumn, Float64Column, Int64Column
from phusong.kernels.identity import KeyTable
from phusong.kernels.jit import kernel
from phusong.kernels.tally import grown

# Floors a level is compared with: the policy's own, four for its sensitivity, and what is also reported.
# Fixed, because it is the width of an array that is stored.
FLOOR_COUNT = 8
SENSITIVITIES_DB = (-6, -3, 3, 6)
TIER_COUNT_MAX = FLOOR_COUNT - 1 - len(SENSITIVITIES_DB)

TIME_NEVER_MS = 2**63 - 1  # before the first reading: any time is earlier


class BinKeys(NamedTuple):
    """What makes a bin, in the order bins are sorted by.

    `window` is an absolute number of windows since 1970-01-01 in Vietnam.
    """

    part: Int64Column
    operator: Int64Column
    rat: Int64Column
    cell_east: Int64Column
    cell_north: Int64Column
    device_key: Int64Column
    window: Int64Column


class BinCounts(NamedTuple):
    """What is known of a bin, one row each; `met_count` has shape (n, FLOOR_COUNT)."""

    heard_count: Int64Column  # readings, those without service too
    silent_count: Int64Column  # readings without service
    met_count: Int64Column  # readings at or above each floor
    first_time_ms: Int64Column
    last_time_ms: Int64Column


# The counts of a bin before its first reading.
EMPTY_BIN = (0, 0, 0, TIME_NEVER_MS, -TIME_NEVER_MS)


class BinReadings(NamedTuple):
    """What a reading says to its bin; NaN is the level of a reading without service."""

    level_dbm: Float64Column
    time_ms: Int64Column


@kernel
def add_bins(
    row: Int64Column,
    rat: Int64Column,
    readings: BinReadings,
    floor_dbm: Float64Column,
    counts: BinCounts,
) -> None:
    """Add one batch of readings to their bins.

    `floor_dbm` has shape (technologies, FLOOR_COUNT). A level at exactly the floor meets it: the regulation
    says "at least". A reading without service meets no floor.
    """
    assert len(row) == len(rat)
    assert len(row) == len(readings.level_dbm)
    for i in range(len(row)):
        b = row[i]
        counts.heard_count[b] += 1
        counts.first_time_ms[b] = min(counts.first_time_ms[b], readings.time_ms[i])
        counts.last_time_ms[b] = max(counts.last_time_ms[b], readings.time_ms[i])
        level_dbm = readings.level_dbm[i]
        if np.isnan(level_dbm):
            counts.silent_count[b] += 1
            continue
        for f in range(FLOOR_COUNT):
            if level_dbm >= floor_dbm[rat[i], f]:
                counts.met_count[b, f] += 1


@kernel
def merge_bins(row: Int64Column, other: BinCounts, counts: BinCounts) -> None:
    """Add the counts of other bins, `row[i]` being the row here of their row i."""
    for i in range(len(row)):
        b = row[i]
        counts.heard_count[b] += other.heard_count[i]
        counts.silent_count[b] += other.silent_count[i]
        for f in range(FLOOR_COUNT):
            counts.met_count[b, f] += other.met_count[i, f]
        counts.first_time_ms[b] = min(counts.first_time_ms[b], other.first_time_ms[i])
        counts.last_time_ms[b] = max(counts.last_time_ms[b], other.last_time_ms[i])


class Bins:
    """All bins seen so far."""

    def __init__(self) -> None:
        """Start with no bin."""
        self._table = KeyTable(len(BinKeys._fields))
        self._counts = _no_counts()

    @property
    def count(self) -> int:
        """How many bins there are."""
        return self._table.count

    def add(self, keys: BinKeys, readings: BinReadings, floor_dbm: Float64Column) -> None:
        """Add one reading per row to the bin of its keys."""
        row = self._rows_of(keys)
        add_bins(row, keys.rat, readings, floor_dbm, self._counts)

    def merge(self, other: "Bins") -> None:
        """Add the counts of other bins."""
        keys, counts = other.export()
        merge_bins(self._rows_of(keys), counts, self._counts)

    def export(self) -> tuple[BinKeys, BinCounts]:
        """Return all bins, sorted by key."""
        keys = self._table.keys
        order = np.lexsort(keys.T[::-1])
        counts = BinCounts(*(column[: self.count][order] for column in self._counts))
        return BinKeys(*(column.copy() for column in keys[order].T)), counts

    def restore(self, keys: BinKeys, counts: BinCounts) -> None:
        """Become what was exported."""
        self._table = KeyTable(len(keys), np.stack(keys, axis=1).astype(np.int64))
        self._counts = BinCounts(*(column.astype(np.int64) for column in counts))

    def _rows_of(self, keys: BinKeys) -> Int64Column:
        row = self._table.rows_of(*keys)
        columns = zip(self._counts, EMPTY_BIN, strict=True)
        self._counts = BinCounts(*(grown(column, self.count, value) for column, value in columns))
        return row


def bin_is_met(counts: BinCounts, floor: int = 0) -> BoolColumn:
    """Tell for each bin whether at least half of its readings meet a floor."""
    met: BoolColumn = 2 * counts.met_count[:, floor] >= counts.heard_count
    return met


def _no_counts() -> BinCounts:
    return BinCounts(
        heard_count=np.zeros(0, np.int64),
        silent_count=np.zeros(0, np.int64),
        met_count=np.zeros((0, FLOOR_COUNT), np.int64),
        first_time_ms=np.zeros(0, np.int64),
        last_time_ms=np.zeros(0, np.int64),
    )
