"""What was surveyed: bins brought together per device and place, per place, and per part of a site.

Everything is in the order of keys before it is summed, so that the order in which readings arrived changes no digit.
"""

from typing import NamedTuple

import numpy as np

from phusong.kernels.bin_sorting import sort_runs
from phusong.kernels.bins import BinCounts, BinKeys
from phusong.kernels.columns import BoolColumn, Int64Column
from phusong.kernels.days import DAY_MS, ICT_OFFSET_MS
from phusong.kernels.identity import SEED
from phusong.kernels.survey_counting import (
    Groups,
    Places,
    Stays,
    count_devices,
    count_windows,
    write_groups,
    write_places,
    write_stays,
)
from phusong.verifier.coverage.policy import Policy

HOUR_MS = 3_600_000


class Survey(NamedTuple):
    """All evidence of a span of time."""

    keys: BinKeys  # of all bins, chosen or not
    counts: BinCounts
    chosen: Int64Column  # rows of them that are surveyed
    start: Int64Column  # of each group among the chosen, and the end of the last
    groups: Groups
    stays: Stays
    places: Places

    @property
    def bin_group(self) -> Int64Column:
        """The group of each chosen bin."""
        return np.repeat(np.arange(len(self.start) - 1), np.diff(self.start))


def survey_bins(
    keys: BinKeys, counts: BinCounts, is_chosen: BoolColumn, policy: Policy, floor: int = 0
) -> Survey:
    """Return what the chosen bins say of a floor, the policy's own by default; bins are sorted, as they are exported."""
    chosen = np.flatnonzero(is_chosen)
    groups, start = _groups_of(keys, counts, chosen, policy)
    windows_max = policy.device.windows_per_place_max
    stays = _stays_of(keys, counts, chosen, start, windows_max=windows_max, floor=floor)
    return Survey(keys, counts, chosen, start, groups, stays, places_of(stays))


def places_of(stays: Stays) -> Places:
    """Return the place cells in which stays were; stays of a place stand together."""
    size = len(stays.group)
    group, east, north = (np.empty(size, np.int64) for _ in range(3))
    places = Places(group, east, north, np.empty(size, np.float64))
    count = write_places(stays, places)
    return Places(group[:count], east[:count], north[:count], places.share[:count])


def _stays_of(
    keys: BinKeys,
    counts: BinCounts,
    chosen: Int64Column,
    start: Int64Column,
    *,
    windows_max: int,
    floor: int,
) -> Stays:
    size = len(chosen)
    group, east, north, device, weight = (np.empty(size, np.int64) for _ in range(5))
    stays = Stays(group, east, north, device, weight, np.empty(size, np.float64))
    count = write_stays(chosen, start, keys, counts, floor, windows_max, stays)
    return Stays(
        *(group[:count], east[:count], north[:count], device[:count], weight[:count]),
        stays.share[:count],
    )


def _groups_of(
    keys: BinKeys, counts: BinCounts, chosen: Int64Column, policy: Policy
) -> tuple[Groups, Int64Column]:
    """Return the groups of chosen bins, and where each begins among them, the end of the last included."""
    groups = Groups(*(np.empty(len(chosen), np.int64) for _ in Groups._fields))
    start = np.empty(len(chosen) + 1, np.int64)
    count = write_groups(chosen, keys, counts, start, groups)
    start, groups = start[: count + 1], Groups(*(column[:count].copy() for column in groups))
    count_devices(chosen, start, keys.device_key, SEED, groups.device_count)
    count_windows(
        chosen,
        start,
        keys.window,
        counts.first_time_ms,
        policy.time.window_hours * HOUR_MS,
        policy.minimum.window_gap_hours * HOUR_MS,
        groups,
    )
    return groups, start


def order_in_groups(group: Int64Column, *columns: Int64Column) -> Int64Column:
    """Return the order of rows, which come group by group, by columns within each group; equal rows keep theirs."""
    start = np.append(starts_of(group), len(group))
    order = np.empty(len(group), np.int64)
    sort_runs(start, np.stack(columns, axis=1), order)
    return order


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


def count_distinct(*columns: Int64Column) -> int:
    """Return how many different rows there are."""
    return len(np.unique(np.stack(columns, axis=1), axis=0))


def day_of_window(window: Int64Column, policy: Policy) -> Int64Column:
    """Return the Vietnam day of a window; windows divide the day."""
    return window * policy.time.window_hours * HOUR_MS // DAY_MS


def window_start_ms(window: Int64Column, policy: Policy) -> Int64Column:
    """Return the Unix time at which a window begins."""
    return window * policy.time.window_hours * HOUR_MS - ICT_OFFSET_MS
