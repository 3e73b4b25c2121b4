"""What was surveyed: bins brought together per device and place, per place, and per part of a site.

Everything is sorted by key before it is summed, so that the order in which readings arrived changes no digit.
"""

from typing import NamedTuple

import numpy as np

from phusong.kernels.bins import BinCounts, BinKeys, bin_is_met
from phusong.kernels.columns import BoolColumn, Float64Column, Int64Column
from phusong.kernels.days import DAY_MS, ICT_OFFSET_MS
from phusong.kernels.spacing import count_spaced
from phusong.verifier.coverage.policy import Policy

HOUR_MS = 3_600_000


class Groups(NamedTuple):
    """One row per part, operator and technology, sorted by them, with what the evidence there amounts to."""

    part: Int64Column
    operator: Int64Column
    rat: Int64Column
    raw_count: Int64Column  # readings
    bin_count: Int64Column
    silent_bin_count: Int64Column  # bins in most of whose readings there was no service
    device_count: Int64Column
    window_count: Int64Column
    spaced_count: Int64Column  # windows whose first readings lie the policy's gap apart
    day_count: Int64Column
    first_time_ms: Int64Column
    last_time_ms: Int64Column


class Stays(NamedTuple):
    """One row per device in a place cell: the share of its windows there that meet the floor."""

    group: Int64Column
    cell_east: Int64Column
    cell_north: Int64Column
    device_key: Int64Column
    weight: Int64Column  # its windows there, at most the policy's cap
    share: Float64Column


class Places(NamedTuple):
    """One row per surveyed place cell of a group: the share of its devices' capped windows that meet the floor."""

    group: Int64Column
    cell_east: Int64Column
    cell_north: Int64Column
    share: Float64Column


class Survey(NamedTuple):
    """All evidence of a span of time."""

    keys: BinKeys
    bin_group: Int64Column
    groups: Groups
    stays: Stays
    places: Places


def survey_bins(
    keys: BinKeys, counts: BinCounts, is_chosen: BoolColumn, policy: Policy, floor: int = 0
) -> Survey:
    """Return what the chosen bins say of a floor, the policy's own by default; bins are sorted, as they are exported."""
    chosen = np.flatnonzero(is_chosen)
    keys = BinKeys(*(column[chosen] for column in keys))
    counts = BinCounts(*(column[chosen] for column in counts))
    start = starts_of(keys.part, keys.operator, keys.rat)
    group = rank_of(start, len(chosen))
    groups = _group_bins(keys, counts, group, start, policy)
    is_met = bin_is_met(counts, floor).astype(np.int64)
    stays = _stays_of(keys, is_met, group, policy.device.windows_per_place_max)
    return Survey(keys, group, groups, stays, _places_of(stays))


def starts_of(*columns: Int64Column) -> Int64Column:
    """Return the rows of sorted columns at which any of them changes, the first row included."""
    is_start = np.zeros(len(columns[0]), np.bool_)
    is_start[:1] = True
    for column in columns:
        is_start[1:] |= column[1:] != column[:-1]
    return np.flatnonzero(is_start)


def rank_of(start: Int64Column, row_count: int) -> Int64Column:
    """Return for each row which run it belongs to, given where runs start."""
    is_start = np.zeros(row_count, np.int64)
    is_start[start] = 1
    return np.cumsum(is_start) - 1


def sum_runs(values: Int64Column, start: Int64Column) -> Int64Column:
    """Return the sum of each run. Serves floats too: the order of addition is that of the rows."""
    return np.add.reduceat(values, start) if len(start) else values[:0]


def count_distinct(group: Int64Column, value: Int64Column, group_count: int) -> Int64Column:
    """Return how many different values each group has."""
    order = np.lexsort((value, group))
    start = starts_of(group[order], value[order])
    return np.bincount(group[order][start], minlength=group_count).astype(np.int64)


def day_of_window(window: Int64Column, policy: Policy) -> Int64Column:
    """Return the Vietnam day of a window; windows divide the day."""
    return window * policy.time.window_hours * HOUR_MS // DAY_MS


def window_start_ms(window: Int64Column, policy: Policy) -> Int64Column:
    """Return the Unix time at which a window begins."""
    return window * policy.time.window_hours * HOUR_MS - ICT_OFFSET_MS


def _group_bins(
    keys: BinKeys, counts: BinCounts, group: Int64Column, start: Int64Column, policy: Policy
) -> Groups:
    size = len(start)
    is_silent = (2 * counts.silent_count > counts.heard_count).astype(np.int64)
    spaced_count = np.zeros(size, np.int64)
    by_window = np.lexsort((counts.first_time_ms, keys.window, group))
    first = starts_of(group[by_window], keys.window[by_window])
    window_first = by_window[first]  # the earliest bin of each window of each group
    count_spaced(
        group=group[window_first],
        time_ms=counts.first_time_ms[window_first],
        gap_ms=policy.minimum.window_gap_hours * HOUR_MS,
        spaced_count=spaced_count,
    )
    return Groups(
        part=keys.part[start],
        operator=keys.operator[start],
        rat=keys.rat[start],
        raw_count=sum_runs(counts.heard_count, start),
        bin_count=np.bincount(group, minlength=size).astype(np.int64),
        silent_bin_count=sum_runs(is_silent, start),
        device_count=count_distinct(group, keys.device_key, size),
        window_count=count_distinct(group, keys.window, size),
        spaced_count=spaced_count,
        day_count=count_distinct(group, day_of_window(keys.window, policy), size),
        first_time_ms=np.minimum.reduceat(counts.first_time_ms, start) if size else start,
        last_time_ms=np.maximum.reduceat(counts.last_time_ms, start) if size else start,
    )


def _stays_of(keys: BinKeys, is_met: Int64Column, group: Int64Column, windows_max: int) -> Stays:
    start = starts_of(group, keys.cell_east, keys.cell_north, keys.device_key)
    window_count = sum_runs(np.ones(len(group), np.int64), start)
    return Stays(
        group=group[start],
        cell_east=keys.cell_east[start],
        cell_north=keys.cell_north[start],
        device_key=keys.device_key[start],
        weight=np.minimum(window_count, windows_max),
        share=sum_runs(is_met, start) / window_count,
    )


def _places_of(stays: Stays) -> Places:
    start = starts_of(stays.group, stays.cell_east, stays.cell_north)
    met = np.add.reduceat(stays.weight * stays.share, start) if len(start) else stays.share
    return Places(
        group=stays.group[start],
        cell_east=stays.cell_east[start],
        cell_north=stays.cell_north[start],
        share=met / sum_runs(stays.weight, start),
    )
