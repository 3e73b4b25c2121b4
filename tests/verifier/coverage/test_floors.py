"""What a row would be at other levels: shown beside the verdict, deciding nothing."""

from typing import Any

import numpy as np

from phusong.kernels.screen_signal import screen_signal
from phusong.verifier.coverage.floors import FloorShare
from phusong.verifier.coverage.policy import default_policy
from phusong.verifier.coverage.records import SiteVerdict
from phusong.verifier.coverage.state import CoverageState
from phusong.verifier.names import Names
from phusong.verifier.registry.sites import SiteRegister, read_sites
from reference.places import Part
from reference.signal_rows import columns_of
from reference.walk import DAY_MS, HAMLET, NINE_MS, cells_of, walk

CENTRE = "A1,Ban A,02,283,viettel,centre,21.0,105.5,500\n"
HEADER = "site_code,name,province_code,list,operators,part,latitude_deg,longitude_deg,radius_m\n"
CLUSTER = Part(21.02, 105.52, 200.0)
WITH_CLUSTER = CENTRE + "A1,Ban A,02,283,viettel,cluster,21.02,105.52,200\n"
ALL, NOW_MS = cells_of(HAMLET), NINE_MS + 10 * DAY_MS
Shares = dict[tuple[str, str, str], tuple[FloorShare, ...]]


def judged(
    rows: list[dict[str, Any]], lines: str = CENTRE, as_of_ms: int = NOW_MS
) -> tuple[list[SiteVerdict], Shares]:
    sites = read_sites((HEADER + lines).encode())
    assert isinstance(sites, SiteRegister), sites
    state, operators = CoverageState(sites, default_policy()), Names(["viettel"])
    readings = columns_of(rows)
    reason = np.zeros(len(rows), np.int64)
    screen_signal(readings, reason)
    state.add(readings, readings.observed_time_ms, np.zeros(len(rows), np.int64), operators, reason)
    return state.verdicts(as_of_ms, operators), state.floor_shares(as_of_ms, operators)


def test_each_offset_and_each_tier_of_the_policy_is_told_once_from_the_lowest_up() -> None:
    _, shares = judged(walk(ALL))

    told = [(at.floor_dbm, at.offset_db) for at in shares["A1", "viettel", "LTE"]]
    assert told == [
        (-127, -6), (-124, -3), (-118, 3), (-115, 6), (-110, None), (-105, None),
    ]  # fmt: skip


def test_a_site_just_above_its_floor_is_told_to_hang_on_it() -> None:
    (row,), shares = judged(walk(ALL, lambda *_: -119.0))

    assert row.share == 1.0
    of_floor = {at.floor_dbm: at.share for at in shares["A1", "viettel", "LTE"]}
    assert of_floor == {-127: 1.0, -124: 1.0, -118: 0.0, -115: 0.0, -110: 0.0, -105: 0.0}


def test_a_level_at_exactly_a_tier_meets_it() -> None:
    _, shares = judged(walk(ALL, lambda *_: -110.0))

    of_floor = {at.floor_dbm: at.share for at in shares["A1", "viettel", "LTE"]}
    assert (of_floor[-110], of_floor[-105]) == (1.0, 0.0)


def test_the_bounds_are_those_a_verdict_at_that_level_would_have() -> None:
    """Twelve decibels louder, the ground of a survey stands at +6 as it stands here at -6."""
    level = {place: -121.0 + (7 * n) % 13 - 6 for n, place in enumerate(sorted(ALL))}
    rows = walk(ALL, lambda east, north: level[east, north])
    (row,), _ = judged(rows)

    _, shares = judged(walk(ALL, lambda east, north: level[east, north] + 6.0))

    at = next(at for at in shares["A1", "viettel", "LTE"] if at.offset_db == 6)
    assert (at.share, at.lower_bound, at.upper_bound) == (
        row.share,
        row.lower_bound,
        row.upper_bound,
    )


def test_the_weakest_part_is_told() -> None:
    bad = walk(cells_of(CLUSTER), lambda *_: -119.0, part=CLUSTER)

    _, shares = judged(walk(ALL) + bad, WITH_CLUSTER)

    of_floor = {at.floor_dbm: at.share for at in shares["A1", "viettel", "LTE"]}
    assert (of_floor[-124], of_floor[-118]) == (1.0, 0.0)


def test_expired_evidence_and_evidence_to_come_are_told_nothing_of() -> None:
    for as_of_ms in (NINE_MS - DAY_MS, NINE_MS + 800 * DAY_MS):
        assert judged(walk(ALL), as_of_ms=as_of_ms)[1] == {}
