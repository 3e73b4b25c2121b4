"""Milestones: what was claimed, what was heard, and on which day coverage was first proven."""

from typing import Any

import numpy as np
import pytest

from phusong.kernels.columns import CellReports
from phusong.kernels.wire.text import text_hash
from phusong.verifier.coverage.cells import CellState
from phusong.verifier.coverage.milestones import Milestones, claimed_sites
from phusong.verifier.coverage.policy import default_policy
from phusong.verifier.coverage.records import SiteVerdict, Verdict
from phusong.verifier.coverage.state import CoverageState
from phusong.verifier.names import Names
from phusong.verifier.registry.sites import SiteRegister, read_sites
from reference.places import Part
from reference.signal_rows import RAT, columns_of
from reference.walk import DAY_MS, HOUR_MS, NINE_MS, cells_of, walk

SITES = read_sites(
    b"site_code,name,province_code,list,operators,part,latitude_deg,longitude_deg,radius_m\n"
    b"A1,Ban A,02,283,viettel,centre,21.0,105.5,200\n"
)
HAMLET = Part(21.0, 105.5, 200.0)
ALL = cells_of(HAMLET)
NAME = ("A1", "viettel", "LTE")
HEARTBEAT_MS = HOUR_MS
NOW_MS = NINE_MS + 10 * DAY_MS


def state_of(rows: list[dict[str, Any]]) -> tuple[CoverageState, Names]:
    assert isinstance(SITES, SiteRegister)
    state, operators = CoverageState(SITES, default_policy()), Names(["viettel"])
    readings = columns_of(rows)
    nothing = np.zeros(len(rows), np.int64)
    state.add(readings, readings.observed_time_ms, nothing, operators, nothing.copy())
    return state, operators


def stations(*times_ms: int, rat: str = "LTE", **others: int) -> CellState:
    """A cell that reports at some times, every hour by its own word."""
    assert isinstance(SITES, SiteRegister)
    good = dict.fromkeys(CellReports._fields, -1) | {
        "plmn": 45204,
        "cell_identity": 5,
        "site_code": text_hash("A1"),
        "rat": RAT[rat],
        "on_air": 1,
        "heartbeat_interval_ms": HEARTBEAT_MS,
    }
    rows = [good | {"observed_time_ms": time_ms} | others for time_ms in times_ms]
    reports = CellReports(*(np.array([r[n] for r in rows], np.int64) for n in CellReports._fields))
    sender, reason = np.full(len(rows), 77, np.int64), np.zeros(len(rows), np.int64)
    cells = CellState()
    cells.add(reports, reports.observed_time_ms, SITES, reason, sender)
    assert not reason.any()
    return cells


def milestones(
    rows: list[dict[str, Any]], cells: CellState | None = None, as_of_ms: int = NOW_MS
) -> Milestones:
    state, operators = state_of(rows)
    found = state.milestones(as_of_ms, operators, cells or CellState(), {77: 4, 78: 9}, {"A1"})
    return found[NAME]


def judge(rows: list[dict[str, Any]], cells: CellState, as_of_ms: int = NOW_MS) -> SiteVerdict:
    state, operators = state_of(rows)
    (row,) = state.verdicts(as_of_ms, operators, cells)
    return row


def surveyed(days: tuple[int, ...], level_dbm: float | None = -90.0) -> list[dict[str, Any]]:
    """Two phones, each on all these days, in the morning and in the afternoon."""
    visits = [(7, day * DAY_MS) for day in days] + [(8, day * DAY_MS + 5 * HOUR_MS) for day in days]
    return walk(ALL, lambda *_: level_dbm, visits, HAMLET)


def test_coverage_is_first_verified_on_the_day_whose_evidence_proves_it() -> None:
    """Two days are asked at least, so the second survey proves it; the third changes nothing."""
    assert milestones(surveyed((0, 3, 5))).first_verified == "2021-10-04"


def test_what_was_proven_once_was_proven_though_it_is_refuted_later() -> None:
    fine, deaf = surveyed((0, 1)), surveyed((4, 5, 6, 7), -130.0)

    assert judge(fine + deaf, CellState()).verdict is not Verdict.COVERED
    assert milestones(fine + deaf).first_verified == "2021-10-02"


def test_coverage_may_be_proven_by_bad_evidence_running_out() -> None:
    """Refuted in October 2021, proven a year later once that has expired."""
    later = surveyed((200, 201))
    rows = surveyed((0, 1), -130.0) + later

    found = milestones(rows, as_of_ms=NINE_MS + 400 * DAY_MS)

    assert judge(rows, CellState(), NINE_MS + 202 * DAY_MS).verdict is not Verdict.COVERED
    assert found.first_verified == "2022-10-02"


@pytest.mark.parametrize("day", [1, 2])
def test_nothing_is_verified_before_the_day_that_is_asked_about(day: int) -> None:
    state, operators = state_of(surveyed((0, 2)))

    as_of_ms = NINE_MS + day * DAY_MS + 10 * HOUR_MS
    found = state.milestones(as_of_ms, operators, CellState(), {}, {"A1"})

    assert (NAME in found) == (day == 2)


def test_a_claim_is_a_milestone_and_never_a_verdict() -> None:
    claim = stations(NINE_MS, NINE_MS + 9 * HOUR_MS, on_air_since_time_ms=NINE_MS - 30 * DAY_MS)

    found = milestones([], claim)

    assert (found.claimed_on_air, found.first_telemetry, found.last_telemetry) == (
        "2021-09-01T02:00:00Z",
        "2021-10-01T02:00:00Z",
        "2021-10-01T11:00:00Z",
    )
    assert found.first_verified is None
    row = judge([], claim)
    assert row.verdict is Verdict.UNTESTED
    assert "claim LTE on air since 2021-09-01, which proves nothing" in row.reason


def test_heartbeats_that_did_not_come_are_told_in_numbers() -> None:
    """Heard at 9:00 and from 18:00 on; each report speaks for three hours."""
    times = [NINE_MS] + [NINE_MS + hour * HOUR_MS for hour in range(9, 240, 2)]

    found = milestones([], stations(*times))

    gap_ms = 6 * HOUR_MS - 1
    assert (found.heartbeat_gap_count, found.heartbeat_gap_ms) == (1, gap_ms)
    assert found.heartbeat_gap_longest_ms == gap_ms
    row = judge([], stations(*times))
    assert any("silent 1 time, 6.0 h in all" in words for words in row.missing)


def test_what_is_proven_lacks_no_heartbeat() -> None:
    row = judge(surveyed((0, 1)), stations(NINE_MS))

    assert row.verdict is Verdict.COVERED
    assert row.missing == ()
    assert "silent 1 time" in row.reason


def test_batches_that_never_came_are_those_of_who_reported_for_the_site() -> None:
    assert milestones([], stations(NINE_MS)).lost_batch_count == 4


@pytest.mark.parametrize(
    ("hours", "rat", "verdict"),
    [
        (0, "LTE", Verdict.CONFLICTED),  # on air while the phones were there
        (0, "NR", Verdict.CONFLICTED),  # a phone without service found no technology at all
        (-48, "LTE", Verdict.NOT_COVERED),  # silent itself long before they came
        (200, "LTE", Verdict.NOT_COVERED),  # on air since they left
    ],
)
def test_a_claim_contradicts_silence_of_its_own_time_only(
    hours: int, rat: str, verdict: Verdict
) -> None:
    claim = stations(NINE_MS + hours * HOUR_MS, rat=rat)

    assert judge(surveyed((0, 1, 2), None), claim).verdict is verdict


def test_a_site_is_claimed_from_the_day_its_stations_name() -> None:
    assert isinstance(SITES, SiteRegister)
    claim = stations(NINE_MS, on_air_since_time_ms=NINE_MS - DAY_MS)
    off_air = stations(NINE_MS, on_air=0)

    assert claimed_sites(SITES, claim, NINE_MS) == {"A1"}
    assert claimed_sites(SITES, claim, NINE_MS - 1) == frozenset()  # not yet told
    assert claimed_sites(SITES, off_air, NINE_MS) == frozenset()


def test_no_claim_makes_a_site_covered() -> None:
    """Whatever stations say, the verdict is that of the phones alone."""
    times = range(NINE_MS, NINE_MS + 3 * DAY_MS, HEARTBEAT_MS)
    claim = stations(*times, on_air_since_time_ms=NINE_MS)
    half = walk(ALL[:10], visits=[(7, 0), (8, DAY_MS)], part=HAMLET)

    for rows in ([], half, surveyed((0, 1), -130.0)):
        alone, claimed = judge(rows, CellState()), judge(rows, claim)
        assert claimed.verdict is alone.verdict is not Verdict.COVERED
