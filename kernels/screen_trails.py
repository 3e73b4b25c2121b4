"""What a stuck radio looks like: levels or cells that stay the same where they cannot."""

from typing import NamedTuple

from phusong.kernels.columns import INT_MISSING, BoolColumn, Int, Int64Column
from phusong.kernels.jit import kernel
from phusong.kernels.radio import (
    RAT_GSM,
    RAT_LTE,
    RAT_UMTS,
    RSCP_MAX_DBM,
    RSCP_MIN_DBM,
    RSRP_MAX_DBM,
    RSRP_MIN_DBM,
    RXLEV_MAX_DBM,
    RXLEV_MIN_DBM,
    SS_RSRP_MAX_DBM,
    SS_RSRP_MIN_DBM,
)
from phusong.kernels.trails import Visits, distance_m


class Heard(NamedTuple):
    """What was heard during visits, row for row with `Visits`."""

    rat: Int64Column
    has_level: BoolColumn
    quietest_mdbm: Int64Column
    loudest_mdbm: Int64Column
    cell_low: Int64Column
    cell_high: Int64Column


class Stuck(NamedTuple):
    """From when on sameness cannot be."""

    place_count: int  # place cells in a row with one level to the digit
    extent_m: float  # across which they lie
    cell_reach_m: float  # how far from its mast a cell can be heard at most


@kernel
def is_at_the_end(rat: Int, mdbm: Int) -> bool:
    """Tell whether a level is the end of what is reported: it may stand for anything beyond."""
    low, high = SS_RSRP_MIN_DBM, SS_RSRP_MAX_DBM
    if rat == RAT_GSM:
        low, high = RXLEV_MIN_DBM, RXLEV_MAX_DBM
    elif rat == RAT_UMTS:
        low, high = RSCP_MIN_DBM, RSCP_MAX_DBM
    elif rat == RAT_LTE:
        low, high = RSRP_MIN_DBM, RSRP_MAX_DBM
    return not low * 1000 < mdbm < high * 1000


@kernel
def across_m(first: Int, end: Int, visits: Visits) -> float:
    """Return the diagonal of what the visits first .. end span."""
    south = north = visits.latitude_deg[first]
    west = east = visits.longitude_deg[first]
    for v in range(first, end):
        south, north = min(south, visits.latitude_deg[v]), max(north, visits.latitude_deg[v])
        west, east = min(west, visits.longitude_deg[v]), max(east, visits.longitude_deg[v])
    return distance_m(south, west, north, east)


@kernel
def place_change_count(first: Int, end: Int, visits: Visits) -> int:
    """Return how many place cells the visits first .. end went through, each as often as it was entered."""
    count = 1
    for v in range(first + 1, end):
        if (visits.when[v] >> 32) != (visits.when[v - 1] >> 32):
            count += 1
    return count


@kernel
def has_one_level(v: Int, heard: Heard) -> bool:
    """Tell whether everything heard during a visit was one level, and one that means itself."""
    level = heard.quietest_mdbm[v]
    return (
        heard.has_level[v]
        and level == heard.loudest_mdbm[v]
        and not is_at_the_end(heard.rat[v], level)
    )


@kernel
def mark_stuck_levels(
    start: Int64Column, visits: Visits, heard: Heard, stuck: Stuck, is_out: BoolColumn
) -> None:
    """Mark runs of visits with one level that is the same to the digit across too much ground.

    Visits of a trail in the order of time. Silence ends a run.
    """
    for t in range(len(start) - 1):
        first = start[t]
        while first < start[t + 1]:
            end = first + 1
            if not has_one_level(first, heard):
                first = end
                continue
            while (
                end < start[t + 1]
                and has_one_level(end, heard)
                and heard.rat[end] == heard.rat[first]
                and heard.quietest_mdbm[end] == heard.quietest_mdbm[first]
            ):
                end += 1
            if (
                place_change_count(first, end, visits) >= stuck.place_count
                and across_m(first, end, visits) >= stuck.extent_m
            ):
                is_out[first:end] = True
            first = end


@kernel
def mark_stuck_cells(
    start: Int64Column, visits: Visits, heard: Heard, stuck: Stuck, is_out: BoolColumn
) -> None:
    """Mark runs of visits served by one cell alone across more ground than a cell reaches."""
    for t in range(len(start) - 1):
        first = start[t]
        while first < start[t + 1]:
            end = first + 1
            cell = heard.cell_low[first]
            if cell == INT_MISSING or cell != heard.cell_high[first]:
                first = end
                continue
            while (
                end < start[t + 1]
                and heard.rat[end] == heard.rat[first]
                and heard.cell_low[end] == cell == heard.cell_high[end]
            ):
                end += 1
            if across_m(first, end, visits) > 2.0 * stuck.cell_reach_m:
                is_out[first:end] = True
            first = end
