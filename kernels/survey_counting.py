"""Counting what sorted bins say, part by part: groups, the stays of devices in place cells, and place cells.

A group is a part, operator and technology. Bins come sorted by key, so that the order in which readings arrived changes no
digit; each counting is one pass.
"""

from typing import NamedTuple

import numpy as np

from phusong.kernels.bins import BinCounts, BinKeys
from phusong.kernels.columns import Float64Column, Int, Int64Column
from phusong.kernels.days import DAY_MS
from phusong.kernels.identity import mix64
from phusong.kernels.jit import kernel


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


@kernel
def write_groups(
    chosen: Int64Column, keys: BinKeys, counts: BinCounts, start: Int64Column, groups: Groups
) -> int:
    """Write the groups of chosen bins and where each begins among them, without what is distinct; return how many."""
    g = -1
    for i in range(len(chosen)):
        b = chosen[i]
        if (
            g < 0
            or keys.part[b] != groups.part[g]
            or keys.operator[b] != groups.operator[g]
            or keys.rat[b] != groups.rat[g]
        ):
            g += 1
            start[g] = i
            groups.part[g], groups.operator[g], groups.rat[g] = (
                keys.part[b],
                keys.operator[b],
                keys.rat[b],
            )
            groups.raw_count[g] = groups.bin_count[g] = groups.silent_bin_count[g] = 0
            groups.first_time_ms[g], groups.last_time_ms[g] = (
                counts.first_time_ms[b],
                counts.last_time_ms[b],
            )
        groups.raw_count[g] += counts.heard_count[b]
        groups.bin_count[g] += 1
        if 2 * counts.silent_count[b] > counts.heard_count[b]:
            groups.silent_bin_count[g] += 1
        groups.first_time_ms[g] = min(groups.first_time_ms[g], counts.first_time_ms[b])
        groups.last_time_ms[g] = max(groups.last_time_ms[g], counts.last_time_ms[b])
    start[g + 1] = len(chosen)
    return g + 1


@kernel
def write_stays(
    chosen: Int64Column,
    start: Int64Column,
    keys: BinKeys,
    counts: BinCounts,
    floor: int,
    windows_max: int,
    stays: Stays,
) -> int:
    """Write the stays of groups, start[g] .. start[g + 1] of the chosen bins; return how many.

    A bin meets a floor when at least half of its readings do.
    """
    s = -1
    for g in range(len(start) - 1):
        met_count, window_count = 0, 0
        for i in range(start[g], start[g + 1]):
            b = chosen[i]
            if (
                i == start[g]
                or keys.cell_east[b] != stays.cell_east[s]
                or keys.cell_north[b] != stays.cell_north[s]
                or keys.device_key[b] != stays.device_key[s]
            ):
                s += 1
                met_count, window_count = 0, 0
                stays.group[s], stays.device_key[s] = g, keys.device_key[b]
                stays.cell_east[s], stays.cell_north[s] = keys.cell_east[b], keys.cell_north[b]
            window_count += 1
            if 2 * counts.met_count[b, floor] >= counts.heard_count[b]:
                met_count += 1
            stays.weight[s] = min(window_count, windows_max)
            stays.share[s] = met_count / window_count
    return s + 1


@kernel
def write_places(stays: Stays, places: Places) -> int:
    """Write the place cells in which stays were, a place's stays standing together; return how many."""
    p = -1
    met, weight = 0.0, 0
    for s in range(len(stays.group)):
        if (
            p < 0
            or stays.group[s] != places.group[p]
            or stays.cell_east[s] != places.cell_east[p]
            or stays.cell_north[s] != places.cell_north[p]
        ):
            p += 1
            met, weight = 0.0, 0
            places.group[p] = stays.group[s]
            places.cell_east[p], places.cell_north[p] = stays.cell_east[s], stays.cell_north[s]
        met += stays.weight[s] * stays.share[s]
        weight += stays.weight[s]
        places.share[p] = met / weight
    return p + 1


@kernel
def longest_run(start: Int64Column) -> int:
    """Return how many rows the longest run has."""
    longest = 0
    for r in range(len(start) - 1):
        longest = max(longest, start[r + 1] - start[r])
    return longest


@kernel
def slots_for(count: Int) -> int:
    """Return a power of two with room for so many values, half of it empty."""
    size = 2
    while size < 2 * count:
        size *= 2
    return size


@kernel
def count_devices(
    chosen: Int64Column,
    start: Int64Column,
    device_key: Int64Column,
    seed: Int,
    device_count: Int64Column,
) -> None:
    """Write how many different devices each group has. `seed`: what nobody can guess, see `identity`."""
    size = slots_for(longest_run(start))
    held = np.empty(size, np.int64)
    whose = np.full(size, -1, np.int64)
    for g in range(len(start) - 1):
        device_count[g] = 0
        for i in range(start[g], start[g + 1]):
            device = device_key[chosen[i]]
            slot = mix64(device ^ seed) & (size - 1)
            while whose[slot] == g and held[slot] != device:
                slot = (slot + 1) & (size - 1)
            if whose[slot] != g:
                whose[slot], held[slot] = g, device
                device_count[g] += 1


@kernel
def count_windows(
    chosen: Int64Column,
    start: Int64Column,
    window: Int64Column,
    first_time_ms: Int64Column,
    window_ms: int,
    gap_ms: int,
    groups: Groups,
) -> None:
    """Write how many windows and days each group has, and how many windows that begin the gap apart.

    Of a window the first reading is its moment. Taking the earliest that is far enough, again and again, finds the most.
    """
    size = slots_for(longest_run(start))
    held, moment = np.empty(size, np.int64), np.empty(size, np.int64)
    whose = np.full(size, -1, np.int64)
    used = np.empty(size, np.int64)
    for g in range(len(start) - 1):
        count = 0
        for i in range(start[g], start[g + 1]):
            w, time_ms = window[chosen[i]], first_time_ms[chosen[i]]
            slot = mix64(w) & (size - 1)
            while whose[slot] == g and held[slot] != w:
                slot = (slot + 1) & (size - 1)
            if whose[slot] != g:
                whose[slot], held[slot], moment[slot] = g, w, time_ms
                used[count] = w
                count += 1
            moment[slot] = min(moment[slot], time_ms)
        groups.window_count[g], groups.spaced_count[g], groups.day_count[g] = count, 0, 0
        last_day, last_ms = -1, 0
        windows = np.sort(used[:count])
        for k in range(count):
            slot = mix64(windows[k]) & (size - 1)
            while held[slot] != windows[k] or whose[slot] != g:
                slot = (slot + 1) & (size - 1)
            day = windows[k] * window_ms // DAY_MS
            if k == 0 or day != last_day:
                groups.day_count[g] += 1
                last_day = day
            if k == 0 or moment[slot] - last_ms >= gap_ms:
                groups.spaced_count[g] += 1
                last_ms = moment[slot]


@kernel
def add_levels(
    chosen: Int64Column, row: Int64Column, counts: BinCounts, level_low_dbm: int, found: Int64Column
) -> None:
    """Count bins by row and mean level of their readings in whole dBm; found: int64[rows, levels from the lowest]."""
    for i in range(len(chosen)):
        b = chosen[i]
        level_count = counts.heard_count[b] - counts.silent_count[b]
        if level_count > 0:
            mean = np.int64(np.floor(counts.level_sum_mdb[b] / level_count / 1000.0 + 0.5))
            found[row[i], min(max(mean - level_low_dbm, 0), found.shape[1] - 1)] += 1
