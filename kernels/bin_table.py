"""Finding a bin by its key, and what a reading or another bin adds to it."""

import numpy as np

from phusong.kernels.bin_records import COUNT_MAX, FLOOR_COUNT, BinColumns
from phusong.kernels.columns import (
    INT_MISSING,
    BoolColumn,
    Float64Column,
    Int,
    Int32Column,
    Int64Column,
)
from phusong.kernels.identity import EMPTY, mix64
from phusong.kernels.jit import kernel, wrapping

TIME_NEVER_MS = 2**63 - 1  # before the first reading: any time is earlier
POSITION_NEVER = 2**63 - 1
CELL_NEVER = 2**62  # above every cell identity
NO_LEVEL_LOW, NO_LEVEL_HIGH = 2**31 - 1, -(2**31)  # quietest and loudest while nothing was heard
PRESENCE_BIT_COUNT = 64
# So many keys are looked up side by side: their slots, then their records, are all on the way from memory before
# the first is needed. Sixteen lines of cache are about what a core can have under way; more hide the branches between.
BLOCK = 64


@kernel
@wrapping
def bin_slot(device_key: Int, where: Int, when: Int, mask: Int, seed: Int) -> Int:
    """Return the first slot to look for a key in; `mask` is the slot count (a power of two) less 1."""
    h = np.uint64(mix64(np.int64(seed) ^ device_key)) + np.uint64(0x9E3779B97F4A7C1)
    h = np.uint64(mix64(np.int64(h) ^ where)) + np.uint64(0x9E3779B97F4A7C1)
    return mix64(np.int64(h) ^ when) & mask


@kernel
def find_bins(
    device_key: Int64Column,
    where: Int64Column,
    when: Int64Column,
    slots: Int32Column,
    bins: BinColumns,
    count: int,
    row: Int64Column,
    seed: Int,
) -> int:
    """Write the row of every key into `row`, adding empty bins for those not seen; return the new count.

    slots: int32[power of two], EMPTY where free, with room for all; bins: with room for len(row) more.
    """
    mask = len(slots) - 1
    slot = np.empty(BLOCK, np.int64)
    candidate = np.empty(BLOCK, np.int64)
    for start in range(0, len(row), BLOCK):
        size = min(BLOCK, len(row) - start)
        for j in range(size):
            i = start + j
            slot[j] = bin_slot(device_key[i], where[i], when[i], mask, seed)
            candidate[j] = slots[slot[j]]
        for j in range(size):
            i = start + j
            s, b = slot[j], candidate[j]
            if b == EMPTY:  # perhaps filled since by a key of this block
                b = np.int64(slots[s])
            while b != EMPTY and not (
                bins.device_key[b] == device_key[i]
                and bins.where[b] == where[i]
                and bins.when[b] == when[i]
            ):
                s = (s + 1) & mask
                b = np.int64(slots[s])
            if b == EMPTY:
                b = np.int64(count)
                slots[s] = b
                clear_bin(bins, b)
                bins.device_key[b] = device_key[i]
                bins.where[b] = where[i]
                bins.when[b] = when[i]
                count += 1
            row[i] = b
    return count


@kernel
def clear_bin(bins: BinColumns, b: Int) -> None:
    """Write a bin in which there is nothing yet."""
    bins.heard_count[b] = 0
    bins.silent_count[b] = 0
    for f in range(FLOOR_COUNT):
        bins.met_count[b, f] = 0
    bins.quietest_mdbm[b] = NO_LEVEL_LOW
    bins.loudest_mdbm[b] = NO_LEVEL_HIGH
    bins.first_time_ms[b] = TIME_NEVER_MS
    bins.last_time_ms[b] = -TIME_NEVER_MS
    bins.level_sum_mdb[b] = 0
    bins.presence[b] = 0
    bins.position_low[b] = POSITION_NEVER
    bins.cell_low[b] = CELL_NEVER
    bins.cell_high[b] = INT_MISSING
    bins.loudest_cell[b] = INT_MISSING
    bins.is_released[b] = 0


@kernel
def place_bins(bins: BinColumns, count: int, slots: Int32Column, seed: Int) -> None:
    """Fill empty `slots` with the bins 0..count-1."""
    mask = len(slots) - 1
    for b in range(count):
        slot = bin_slot(bins.device_key[b], bins.where[b], bins.when[b], mask, seed)
        while slots[slot] != EMPTY:
            slot = (slot + 1) & mask
        slots[slot] = b


@kernel
def add_readings(
    row: Int64Column,
    rat: Int64Column,
    window: Int64Column,
    level_dbm: Float64Column,
    time_ms: Int64Column,
    cell_identity: Int64Column,
    position: Int64Column,
    is_released: BoolColumn,
    floor_dbm: Float64Column,
    window_ms: int,
    offset_ms: int,
    bins: BinColumns,
) -> None:
    """Add one batch of readings to their bins.

    `floor_dbm` has shape (technologies, FLOOR_COUNT). A level at exactly the floor meets it: the regulation
    says "at least". A reading without service (NaN) meets no floor. Window 0 begins at -offset_ms.
    """
    for i in range(len(row)):
        b = row[i]
        if bins.heard_count[b] == COUNT_MAX:
            continue
        bins.heard_count[b] += 1
        since_ms = time_ms[i] + offset_ms - window[i] * window_ms
        bit = min(max(since_ms * PRESENCE_BIT_COUNT // window_ms, 0), PRESENCE_BIT_COUNT - 1)
        bins.presence[b] |= np.int64(1) << np.int64(bit)
        bins.first_time_ms[b] = min(bins.first_time_ms[b], time_ms[i])
        bins.last_time_ms[b] = max(bins.last_time_ms[b], time_ms[i])
        bins.position_low[b] = min(bins.position_low[b], position[i])
        bins.cell_low[b] = min(bins.cell_low[b], cell_identity[i])
        bins.cell_high[b] = max(bins.cell_high[b], cell_identity[i])
        if is_released[i]:
            bins.is_released[b] = 1
        level = level_dbm[i]
        if np.isnan(level):
            bins.silent_count[b] += 1
            continue
        for f in range(FLOOR_COUNT):
            if level >= floor_dbm[rat[i], f]:
                bins.met_count[b, f] += 1
        mdb = np.int64(np.floor(level * 1000.0 + 0.5))
        bins.level_sum_mdb[b] += mdb
        bins.quietest_mdbm[b] = min(np.int64(bins.quietest_mdbm[b]), mdb)
        hear_loudest(bins, b, mdb, cell_identity[i])


@kernel
def hear_loudest(bins: BinColumns, b: Int, mdbm: Int, cell: Int) -> None:
    """Take note of a level and its cell where it is the loudest; of two as loud the higher cell stands."""
    if mdbm > bins.loudest_mdbm[b]:
        bins.loudest_mdbm[b] = mdbm
        bins.loudest_cell[b] = cell
    elif mdbm == bins.loudest_mdbm[b]:
        bins.loudest_cell[b] = max(bins.loudest_cell[b], cell)


@kernel
def merge_bins(row: Int64Column, other: BinColumns, bins: BinColumns) -> None:
    """Add other bins, `row[i]` being the row here of their row i."""
    for i in range(len(row)):
        b = row[i]
        bins.heard_count[b] = capped(bins.heard_count[b], other.heard_count[i])
        bins.silent_count[b] = capped(bins.silent_count[b], other.silent_count[i])
        for f in range(FLOOR_COUNT):
            bins.met_count[b, f] = capped(bins.met_count[b, f], other.met_count[i, f])
        bins.presence[b] |= other.presence[i]
        bins.first_time_ms[b] = min(bins.first_time_ms[b], other.first_time_ms[i])
        bins.last_time_ms[b] = max(bins.last_time_ms[b], other.last_time_ms[i])
        bins.position_low[b] = min(bins.position_low[b], other.position_low[i])
        bins.cell_low[b] = min(bins.cell_low[b], other.cell_low[i])
        bins.cell_high[b] = max(bins.cell_high[b], other.cell_high[i])
        bins.is_released[b] |= other.is_released[i]
        bins.level_sum_mdb[b] += other.level_sum_mdb[i]
        bins.quietest_mdbm[b] = min(bins.quietest_mdbm[b], other.quietest_mdbm[i])
        if other.loudest_mdbm[i] != NO_LEVEL_HIGH:
            hear_loudest(bins, b, np.int64(other.loudest_mdbm[i]), other.loudest_cell[i])


@kernel
def capped(one: Int, other: Int) -> Int:
    """Return a sum of counts that a bin can hold."""
    total = np.int64(one) + np.int64(other)
    return total if total < COUNT_MAX else np.int64(COUNT_MAX)


@kernel
def link_bins(
    first: int,
    count: int,
    trail: Int64Column,
    part: Int64Column,
    bins: BinColumns,
    last_of_trail: Int32Column,
    last_of_part: Int32Column,
) -> None:
    """Chain the bins first..count-1 to those of their trail and of their part that came before."""
    for b in range(first, count):
        t, p = trail[b - first], part[b - first]
        bins.trail[b] = t
        bins.next_of_trail[b] = last_of_trail[t]
        bins.next_of_part[b] = last_of_part[p]
        last_of_trail[t] = b
        last_of_part[p] = b
