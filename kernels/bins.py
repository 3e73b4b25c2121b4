"""Readings counted per bin: one device in one place cell and window, of one operator and technology.

A bin is what a reading contributes to: however many readings a device sends from one place in one window,
they say one thing. Beside its counts it remembers what the plausibility screen asks of a device's trail. State: new,
add, merge, export; order, cuts and merges change nothing.
"""

from typing import NamedTuple

import numpy as np

from phusong.kernels.bin_records import (
    CELL_MAX,
    FLOOR_COUNT,
    OPERATOR_COUNT_MAX,
    PART_COUNT_MAX,
    RECORD,
    BinColumns,
    Records,
    cell_east_of,
    cell_north_of,
    columns_of,
    operator_of_word,
    part_of,
    rat_of,
    when_word,
    where_word,
    window_of,
)
from phusong.kernels.bin_sorting import count_chained, sort_runs, write_chained
from phusong.kernels.bin_table import add_readings, find_bins, link_bins, merge_bins, place_bins
from phusong.kernels.columns import BoolColumn, Float64Column, Int32Column, Int64Column
from phusong.kernels.identity import EMPTY, SEED, SLOTS_PER_ROW, KeyTable
from phusong.kernels.jit import kernel

SENSITIVITIES_DB = (-6, -3, 3, 6)
TIER_COUNT_MAX = FLOOR_COUNT - 1 - len(SENSITIVITIES_DB)
BIN_COUNT_FIRST = 1024
BIN_COUNT_MAX = 2**31 - 1  # slots are int32


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
    level_sum_mdb: Int64Column  # thousandths of a dBm, of the readings that are not silent


class BinTraces(NamedTuple):
    """What a bin remembers for the plausibility screen; see `BinColumns`."""

    presence: Int64Column
    quietest_mdbm: Int64Column
    loudest_mdbm: Int64Column
    position_low: Int64Column
    cell_low: Int64Column
    cell_high: Int64Column
    loudest_cell: Int64Column
    is_released: Int64Column


class BinReadings(NamedTuple):
    """What a reading says to its bin; NaN is the level of a reading without service."""

    level_dbm: Float64Column
    time_ms: Int64Column
    cell_identity: Int64Column
    position: Int64Column  # a hash of the exact coordinates
    is_released: BoolColumn


class ExportedBins(NamedTuple):
    """Bins as columns, sorted by key."""

    keys: BinKeys
    counts: BinCounts
    traces: BinTraces


@kernel
def write_words(
    keys: BinKeys, operator: Int64Column, where: Int64Column, when: Int64Column
) -> None:
    """Write the words of keys, `operator` being the row of each one's operator."""
    for i in range(len(operator)):
        assert 0 <= keys.part[i] < PART_COUNT_MAX
        assert abs(keys.cell_east[i]) <= CELL_MAX
        assert abs(keys.cell_north[i]) <= CELL_MAX
        where[i] = where_word(keys.part[i], operator[i], keys.rat[i])
        when[i] = when_word(keys.cell_east[i], keys.cell_north[i], keys.window[i])


@kernel
def write_keys(
    row: Int64Column,
    device_key: Int64Column,
    where: Int64Column,
    when: Int64Column,
    operator_keys: Int64Column,
    keys: BinKeys,
) -> None:
    """Write the keys of the given bins."""
    for i in range(len(row)):
        b = row[i]
        keys.part[i] = part_of(where[b])
        keys.operator[i] = operator_keys[operator_of_word(where[b])]
        keys.rat[i] = rat_of(where[b])
        keys.cell_east[i] = cell_east_of(when[b])
        keys.cell_north[i] = cell_north_of(when[b])
        keys.device_key[i] = device_key[b]
        keys.window[i] = window_of(when[b])


@kernel
def write_sort_keys(
    row: Int64Column,
    device_key: Int64Column,
    where: Int64Column,
    when: Int64Column,
    rank: Int64Column,
    key: Int64Column,
) -> None:
    """Write int64[n, 4] by which bins of one part sort; `rank` is that of each operator's row."""
    for i in range(len(row)):
        b = row[i]
        key[i, 0] = rank[operator_of_word(where[b])] << 8 | rat_of(where[b])
        key[i, 1] = when[b] >> 32
        key[i, 2] = device_key[b]
        key[i, 3] = when[b] & 0xFFFFFFFF


@kernel
def mark_touched(
    row: Int64Column, bins: BinColumns, is_trail_touched: BoolColumn, is_part_touched: BoolColumn
) -> None:
    """Mark the trails and parts of some bins."""
    for i in range(len(row)):
        is_trail_touched[bins.trail[row[i]]] = True
        is_part_touched[part_of(bins.where[row[i]])] = True


class Touched(NamedTuple):
    """Which trails and parts have bins that are new or hold more than when last asked."""

    is_trail_touched: BoolColumn
    is_part_touched: BoolColumn


class Bins:
    """All bins seen so far, by the windows of one length."""

    def __init__(self, window_ms: int, offset_ms: int, seed: int = SEED) -> None:
        """Start with no bin; window 0 begins `offset_ms` before 1970."""
        self.window_ms, self._offset_ms, self._seed = window_ms, offset_ms, seed
        self.count = 0
        self._operators = KeyTable(1)
        self._trails = KeyTable(2)  # row of the operator, device
        self._last_of_trail = np.full(0, EMPTY, np.int32)
        self._last_of_part = np.full(0, EMPTY, np.int32)
        self._part_count = 0  # one past the highest part that has bins
        self._touched = Touched(np.zeros(0, np.bool_), np.zeros(0, np.bool_))
        self._records: Records = np.empty(0, RECORD)
        self._reserve(0)

    def add(self, keys: BinKeys, readings: BinReadings, floor_dbm: Float64Column) -> Int64Column:
        """Add one reading per row to the bin of its keys; return the rows of the bins."""
        row = self._rows_of(keys)
        add_readings(
            row,
            keys.rat,
            keys.window,
            *readings,
            floor_dbm,
            self.window_ms,
            self._offset_ms,
            self._bins,
        )
        return row

    def merge(self, other: "Bins") -> None:
        """Add what other bins of such windows hold."""
        exported = other.export()
        row = self._rows_of(exported.keys)
        merge_bins(row, records_of(exported), self._bins)

    def export(self) -> ExportedBins:
        """Return all bins."""
        return self.of_parts(np.arange(len(self._last_of_part)))

    def of_parts(self, part: Int64Column) -> ExportedBins:
        """Return the bins of some parts, given in ascending order."""
        row, _ = self.rows_of_parts(part)
        return self.exported(row)

    def rows_of_parts(self, part: Int64Column) -> tuple[Int64Column, Int64Column]:
        """Return the rows of the bins of some parts, sorted by key within each, and where each part's begin."""
        row, start = self._chained(part, self._last_of_part, self._bins.next_of_part)
        key = np.empty((len(row), 4), np.int64)
        write_sort_keys(row, *self._bins[:3], self._operator_ranks(), key)
        order = np.empty(len(row), np.int64)
        sort_runs(start, key, order)
        return row[order], start

    def rows_of_trails(self, trail: Int64Column) -> tuple[Int64Column, Int64Column]:
        """Return the rows of the bins of some trails, in the order of time within each, and where each begins."""
        row, start = self._chained(trail, self._last_of_trail, self._bins.next_of_trail)
        columns = (
            self._bins.first_time_ms,
            self._bins.last_time_ms,
            self._bins.where,
            self._bins.when,
        )
        key = np.stack([column[row] for column in columns], axis=1)
        order = np.empty(len(row), np.int64)
        sort_runs(start, key, order)
        return row[order], start

    def exported(self, row: Int64Column) -> ExportedBins:
        """Return some bins as columns."""
        columns = self._bins._asdict()
        counts = BinCounts(*(columns[name][row].astype(np.int64) for name in BinCounts._fields))
        traces = BinTraces(*(columns[name][row].astype(np.int64) for name in BinTraces._fields))
        return ExportedBins(self.keys_of(row), counts, traces)

    def restore(self, exported: ExportedBins) -> None:
        """Become what was exported."""
        self.__init__(self.window_ms, self._offset_ms, self._seed)  # type: ignore[misc]  # as new
        row = self._rows_of(exported.keys)
        merge_bins(row, records_of(exported), self._bins)

    def find(self, keys: BinKeys) -> Int64Column:
        """Return the rows of bins that are there. Nothing is touched by it."""
        count = self.count
        row = self._found(keys)
        assert self.count == count, "only bins that are there are looked for"
        return row

    def take_touched(self) -> Touched:
        """Return what was touched since this was last asked; everything at first, and after `restore`."""
        touched = Touched(
            self._touched.is_trail_touched[: self._trails.count],
            self._touched.is_part_touched[: self._part_count],
        )
        self._touched = Touched(*(np.zeros(len(column), np.bool_) for column in self._touched))
        return touched

    def keys_of(self, row: Int64Column) -> BinKeys:
        """Return the keys of some bins."""
        keys = BinKeys(*(np.empty(len(row), np.int64) for _ in BinKeys._fields))
        write_keys(row, *self._bins[:3], self._operators.keys[:, 0].copy(), keys)
        return keys

    def parts_of(self, row: Int64Column) -> Int64Column:
        """Return the parts of some bins."""
        return self._bins.where[row] >> 36

    def window_start_ms(self, window: Int64Column) -> Int64Column:
        """Return the Unix times at which windows begin."""
        return window * self.window_ms - self._offset_ms

    @property
    def columns(self) -> BinColumns:
        """The bins in memory, in the order in which they were first seen."""
        return columns_of(self._records[: self.count])

    def _operator_ranks(self) -> Int64Column:
        rank = np.empty(self._operators.count, np.int64)
        rank[np.argsort(self._operators.keys[:, 0])] = np.arange(len(rank))
        return rank

    def _chained(
        self, chain: Int64Column, last: Int32Column, following: Int32Column
    ) -> tuple[Int64Column, Int64Column]:
        row = np.empty(count_chained(chain, last, following), np.int64)
        start = np.empty(len(chain) + 1, np.int64)
        write_chained(chain, last, following, row, start)
        return row, start

    def _rows_of(self, keys: BinKeys) -> Int64Column:
        row = self._found(keys)
        mark_touched(row, self._bins, *self._touched)
        return row

    def _found(self, keys: BinKeys) -> Int64Column:
        operator = self._operators.rows_of(keys.operator)
        assert self._operators.count <= OPERATOR_COUNT_MAX
        where, when, row = (np.empty(len(operator), np.int64) for _ in range(3))
        write_words(keys, operator, where, when)
        self._reserve(len(row))
        first = self.count
        self.count = find_bins(
            keys.device_key, where, when, self._slots, self._bins, first, row, self._seed
        )
        self._link(first)
        return row

    def _link(self, first: int) -> None:
        """Chain bins that are new to those of their trail and part."""
        if first == self.count:
            return
        device_key, where = (
            self._bins.device_key[first : self.count],
            self._bins.where[first : self.count],
        )
        part, operator = where >> 36, (where >> 8) & (OPERATOR_COUNT_MAX - 1)
        trail = self._trails.rows_of(operator, device_key)
        self._last_of_trail = _grown(self._last_of_trail, self._trails.count)
        self._part_count = max(self._part_count, int(part.max()) + 1)
        self._last_of_part = _grown(self._last_of_part, self._part_count)
        self._touched = Touched(
            _grown_marks(self._touched.is_trail_touched, len(self._last_of_trail)),
            _grown_marks(self._touched.is_part_touched, len(self._last_of_part)),
        )
        link_bins(
            first, self.count, trail, part, self._bins, self._last_of_trail, self._last_of_part
        )

    def _reserve(self, bin_count: int) -> None:
        needed = self.count + bin_count
        assert needed <= BIN_COUNT_MAX, "slots are int32"
        if len(self._records) and needed <= len(self._records):
            return
        # Never written over as a whole: memory that no bin has needed yet costs nothing.
        records = np.empty(max(needed, 2 * self.count, BIN_COUNT_FIRST), RECORD)
        if self.count:
            records[: self.count] = self._records[: self.count]
        self._records, self._bins = records, columns_of(records)
        slot_count = 1 << (SLOTS_PER_ROW * len(records) - 1).bit_length()
        self._slots = np.full(slot_count, EMPTY, np.int32)
        place_bins(self._bins, self.count, self._slots, self._seed)


def records_of(exported: ExportedBins) -> BinColumns:
    """Return exported bins in the form in which they lie in memory, without their keys."""
    records = np.empty(len(exported.keys.part), RECORD)
    for name, column in {**exported.counts._asdict(), **exported.traces._asdict()}.items():
        records[name] = column
    return columns_of(records)


def _grown(last: Int32Column, count: int) -> Int32Column:
    """Return the ends of chains with room for `count`, at least doubled when it must grow."""
    if count <= len(last):
        return last
    longer = np.full(max(count, 2 * len(last)), EMPTY, np.int32)
    longer[: len(last)] = last
    return longer


def _grown_marks(marks: BoolColumn, count: int) -> BoolColumn:
    """Return marks with room for `count`."""
    if count <= len(marks):
        return marks
    longer = np.zeros(count, np.bool_)
    longer[: len(marks)] = marks
    return longer


def bin_is_met(counts: BinCounts, floor: int = 0) -> BoolColumn:
    """Tell for each bin whether at least half of its readings meet a floor."""
    met: BoolColumn = 2 * counts.met_count[:, floor] >= counts.heard_count
    return met
