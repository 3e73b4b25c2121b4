"""Where a device was when: the moments its bins remember, and which of them one traveller could have made.

A bin knows the exact time of its first and its last reading, and in which 64ths of its window there were others.
So nothing is kept for the screen beyond the bins, however long a device sends, and nothing depends on the order
in which readings came.

Of moments that contradict each other either may be the wrong one. Kept is the succession of moments that stands
for the most readings and in which no step implies more than the speed asked for; what is not in it could not have been
made besides it. Of two that weigh the same the earlier one stays.
"""

from typing import NamedTuple

import numpy as np

from phusong.kernels.bin_sorting import sort_runs
from phusong.kernels.bin_table import PRESENCE_BIT_COUNT
from phusong.kernels.columns import BoolColumn, Float64Column, Int, Int64Column
from phusong.kernels.jit import kernel
from phusong.kernels.locate import DEGREE_M

# How many moments back a step may reach over what it leaves out. Two phones that share a key need two, a glitch as many as
# it lasts; where more contradict each other in a row, the lighter side of the break goes. Bounds the work of a
# trail that somebody made up: this many distances for each moment.
STEP_REACH = 256
# A moment of a bin that an auditor released outweighs whatever contradicts it.
RELEASED_WEIGHT = 1 << 40
EMPTY = -1


class Visits(NamedTuple):
    """Bins of some trails, one row each, run by run in any order: what the screen needs of them."""

    latitude_deg: Float64Column  # of the place cell's middle
    longitude_deg: Float64Column
    first_time_ms: Int64Column
    last_time_ms: Int64Column
    window_start_ms: Int64Column
    presence: Int64Column
    weight: Int64Column  # readings; RELEASED_WEIGHT for a bin that an auditor released
    where: Int64Column  # for an order that does not depend on that of arrival
    when: Int64Column


class Pace(NamedTuple):
    """What a step may imply: so many metres a second, after so many metres and milliseconds that are owed to the measuring."""

    speed_m_per_s: float
    slack_m: float  # two positions, each within its accuracy and its place cell
    slack_ms: float  # clocks of whole seconds


class Moments(NamedTuple):
    """Times at which a device was in a place cell, `unsure_ms` about the time being possible."""

    visit: Int64Column
    time_ms: Int64Column
    unsure_ms: Int64Column


@kernel
def distance_m(
    latitude: float, longitude: float, other_latitude: float, other_longitude: float
) -> float:
    """Return the distance of two places on the sphere, exact to a percent within a country."""
    north_m = (other_latitude - latitude) * DEGREE_M
    east_deg = abs(other_longitude - longitude)
    east_deg = min(east_deg, 360.0 - east_deg)
    east_m = east_deg * DEGREE_M * np.cos(np.radians((latitude + other_latitude) / 2))
    return float(np.sqrt(north_m * north_m + east_m * east_m))


@kernel
def count_moments(first: Int, end: Int, visits: Visits) -> int:
    """Return how many moments the visits first .. end remember at most."""
    count = 0
    for v in range(first, end):
        bits = np.uint64(visits.presence[v])
        count += 2
        while bits:
            bits &= bits - np.uint64(1)
            count += 1
    return count


@kernel
def write_moments(first: Int, end: Int, visits: Visits, window_ms: int, moments: Moments) -> int:
    """Write the moments of the visits first .. end; return how many.

    The 64ths of a window that hold the first or the last reading say nothing more than these.
    """
    slot_ms = window_ms // PRESENCE_BIT_COUNT
    count = 0
    for v in range(first, end):
        first_ms, last_ms = visits.first_time_ms[v], visits.last_time_ms[v]
        moments.visit[count], moments.time_ms[count], moments.unsure_ms[count] = v, first_ms, 0
        count += 1
        if last_ms == first_ms:
            continue
        moments.visit[count], moments.time_ms[count], moments.unsure_ms[count] = v, last_ms, 0
        count += 1
        for bit in range(PRESENCE_BIT_COUNT):
            if not (visits.presence[v] >> bit) & 1:
                continue
            slot_first_ms = visits.window_start_ms[v] + bit * window_ms // PRESENCE_BIT_COUNT
            if slot_first_ms <= first_ms or slot_first_ms + slot_ms >= last_ms:
                continue
            moments.visit[count] = v
            moments.time_ms[count] = slot_first_ms + slot_ms // 2
            moments.unsure_ms[count] = slot_ms // 2 + 1
            count += 1
    return count


@kernel
def is_walkable(a: Int, b: Int, moments: Moments, visits: Visits, pace: Pace) -> bool:
    """Tell whether a device can have been at moment a and then at moment b."""
    v, w = moments.visit[a], moments.visit[b]
    if v == w:
        return True
    spare_ms = moments.time_ms[b] - moments.time_ms[a] + moments.unsure_ms[a] + moments.unsure_ms[b]
    reach_m = pace.slack_m + pace.speed_m_per_s * (spare_ms + pace.slack_ms) / 1000.0
    apart_m = distance_m(
        visits.latitude_deg[v],
        visits.longitude_deg[v],
        visits.latitude_deg[w],
        visits.longitude_deg[w],
    )
    return bool(apart_m <= reach_m)


@kernel
def far_ms(first: Int, end: Int, visits: Visits, pace: Pace) -> float:
    """Return after how long a device can be anywhere among the visits first .. end again."""
    south = north = visits.latitude_deg[first]
    west = east = visits.longitude_deg[first]
    for v in range(first, end):
        south, north = min(south, visits.latitude_deg[v]), max(north, visits.latitude_deg[v])
        west, east = min(west, visits.longitude_deg[v]), max(east, visits.longitude_deg[v])
    across_m = (north - south + east - west) * DEGREE_M
    return float(1000.0 * across_m / pace.speed_m_per_s)


@kernel
def mark_unwalkable(
    first: Int, end: Int, visits: Visits, window_ms: int, pace: Pace, is_out: BoolColumn
) -> None:
    """Mark which of the visits first .. end, all of one device, it cannot have made besides the others."""
    room = count_moments(first, end, visits)
    moments = Moments(np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room, np.int64))
    count = write_moments(first, end, visits, window_ms, moments)
    key = np.empty((count, 4), np.int64)
    for m in range(count):
        v = moments.visit[m]
        key[m, 0], key[m, 1] = moments.time_ms[m], moments.unsure_ms[m]
        key[m, 2], key[m, 3] = visits.where[v], visits.when[v]
    order = np.empty(count, np.int64)
    sort_runs(np.array([0, count]), key, order)
    is_fine = True
    for k in range(1, count):
        if not is_walkable(order[k - 1], order[k], moments, visits, pace):
            is_fine = False
            break
    if is_fine:
        return
    mark_off_best(order, moments, visits, pace, far_ms(first, end, visits, pace), is_out)


@kernel
def mark_off_best(
    order: Int64Column,
    moments: Moments,
    visits: Visits,
    pace: Pace,
    after_ms: float,
    is_out: BoolColumn,
) -> None:
    """Mark the visits with a moment off the heaviest succession of moments without an impossible step."""
    count = len(order)
    best = np.empty(count, np.int64)  # the weight of the heaviest succession that ends here
    before = np.empty(count, np.int64)
    far, far_best = (
        0,
        EMPTY,
    )  # from moments before `far` everything is in reach, best from `far_best`
    for k in range(count):
        m = order[k]
        while far < k and moments.time_ms[m] - moments.time_ms[order[far]] >= after_ms:
            if far_best == EMPTY or best[far] > best[far_best]:
                far_best = far
            far += 1
        before[k], found = far_best, np.int64(0) if far_best == EMPTY else best[far_best]
        for j in range(max(far, k - STEP_REACH), k):
            if best[j] > found and is_walkable(order[j], m, moments, visits, pace):
                before[k], found = j, best[j]
        best[k] = found + visits.weight[moments.visit[m]]
    last = 0
    for k in range(count):
        if best[k] > best[last]:
            last = k
    is_kept = np.zeros(count, np.bool_)
    step = np.int64(last)
    while step != EMPTY:
        is_kept[step] = True
        step = before[step]
    for k in range(count):
        if not is_kept[k]:
            is_out[moments.visit[order[k]]] = True


@kernel
def mark_speeds(
    start: Int64Column, visits: Visits, window_ms: int, pace: Pace, is_out: BoolColumn
) -> None:
    """Mark the visits that their device cannot have made; trail t is start[t] .. start[t + 1]."""
    for t in range(len(start) - 1):
        if start[t + 1] - start[t] > 1:
            mark_unwalkable(start[t], start[t + 1], visits, window_ms, pace, is_out)
