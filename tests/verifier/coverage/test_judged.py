"""Only what changed is judged again, and nobody could tell by the answers."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phusong.verifier.coverage import judged
from phusong.verifier.coverage.policy import default_policy
from phusong.verifier.coverage.state import CoverageState
from phusong.verifier.names import Names
from phusong.verifier.registry.sites import SiteRegister, read_sites
from reference.places import Part
from reference.signal_rows import columns_of
from reference.walk import DAY_MS, HOUR_MS, NINE_MS, cells_of, walk

HEADER = b"site_code,name,province_code,list,operators,latitude_deg,longitude_deg,radius_m\n"
SITES = read_sites(
    HEADER + b"".join(b"S%d,Ban,02,283,viettel,%d,105.5,150\n" % (n, 10 + n) for n in range(4))
)
POLICY = default_policy()
VALIDITY_MS = POLICY.time.validity_days * DAY_MS


def new_state() -> CoverageState:
    assert isinstance(SITES, SiteRegister)
    return CoverageState(SITES, POLICY)


def add(state: CoverageState, rows: list[dict[str, Any]]) -> CoverageState:
    readings = columns_of(rows)
    reason = np.zeros(len(rows), np.int64)
    times = readings.observed_time_ms
    state.add(readings, times, reason.copy(), Names(["viettel"]), reason)
    return state


def visit(site: int, device: int, after_ms: int, level_dbm: float = -90.0) -> list[dict[str, Any]]:
    part = Part(10.0 + site, 105.5, 150.0)
    levels = lambda east, north: level_dbm - (east + north) % 2  # noqa: E731
    return walk(cells_of(part), levels, [(10 * site + device, after_ms)], part)


AFTER_MS = (0, 5 * HOUR_MS, DAY_MS, DAY_MS + 5 * HOUR_MS, 14 * HOUR_MS, VALIDITY_MS + 3 * DAY_MS)
steps = st.lists(
    st.tuples(
        st.builds(
            visit,
            st.integers(0, 3),
            st.integers(1, 2),
            st.sampled_from(AFTER_MS),
            st.sampled_from([-90.0, -130.0]),
        ),
        st.sampled_from(AFTER_MS).map(lambda ms: NINE_MS + ms + HOUR_MS),
    ),
    max_size=8,
)


@settings(deadline=None, max_examples=40)
@given(steps)
def test_answers_are_those_of_a_state_that_was_never_asked_before(
    taken: list[tuple[list[dict[str, Any]], int]],
) -> None:
    state, rows, names = new_state(), [], Names(["viettel"])
    for visited, as_of_ms in taken:
        rows += visited
        add(state, visited)

        found = state.verdicts(as_of_ms, names)

        assert found == add(new_state(), rows).verdicts(as_of_ms, names)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """Every time sites are judged, which."""
    calls: list[list[int]] = []
    judge_rows = judged.judge_rows

    def noting(ground: Any, evidence: Any, as_of_ms: int, sites: list[int]) -> Any:
        calls.append(list(sites))
        assert set(ground.footprints.site_row[evidence.keys.part].tolist()) <= set(sites)
        return judge_rows(ground, evidence, as_of_ms, sites)

    monkeypatch.setattr(judged, "judge_rows", noting)
    return calls


def test_only_sites_whose_evidence_changed_are_judged_again(counted: list[list[int]]) -> None:
    state, names = new_state(), Names(["viettel"])
    for site in range(4):
        add(state, visit(site, 1, 0))
    now_ms = NINE_MS + HOUR_MS
    state.verdicts(now_ms, names)

    state.verdicts(now_ms + 60_000, names)
    add(state, visit(2, 2, 600_000))
    add(
        state, visit(1, 1, 14 * HOUR_MS)
    )  # at night: none that is judged, and told where nothing is
    state.verdicts(now_ms + 120_000, names)
    state.verdicts(now_ms + 180_000, names)

    assert counted == [[0, 1, 2, 3], [1, 2]]


def test_a_device_that_was_elsewhere_changes_where_it_was_before(counted: list[list[int]]) -> None:
    once = visit(3, 1, 0)
    state, names = add(new_state(), once), Names(["viettel"])
    now_ms = NINE_MS + 2 * HOUR_MS
    (_, _, _, before) = state.verdicts(now_ms, names)

    # The same device at the same time in another site, with more readings.
    add(state, [row | {"device_key": once[0]["device_key"]} for row in visit(0, 1, 0) * 3])
    (_, _, _, after) = state.verdicts(now_ms, names)

    assert counted == [[0, 1, 2, 3], [0, 3]]
    assert (before.counts.quarantined, after.counts.raw) == (0, 0)
    assert after.counts.quarantined == before.counts.raw


def test_time_alone_makes_evidence_begin_and_expire(counted: list[list[int]]) -> None:
    state, names = add(new_state(), visit(1, 1, 0)), Names(["viettel"])

    raw = [
        [row.counts.raw for row in state.verdicts(NINE_MS + after_ms, names)][1]
        for after_ms in (
            -1,
            0,
            HOUR_MS,
            2 * HOUR_MS,
            VALIDITY_MS + DAY_MS,
            VALIDITY_MS + 2 * DAY_MS,
        )
    ]

    assert raw == [0, 1, 32, 32, 32, 32]
    assert counted == [[0, 1, 2, 3], [1], [1], [1]]


def test_by_whom_a_device_sends_is_told_by_readings_that_are_judged_alone() -> None:
    state = new_state()
    inside, outside = visit(0, 1, 0), [row | {"latitude_deg": 45.0} for row in visit(0, 1, DAY_MS)]
    for rows, source in (
        (inside, 7),
        (outside, 8),
        ([row | {"device_key": 9} for row in outside], 8),
    ):
        readings, reason = columns_of(rows), np.zeros(len(rows), np.int64)
        state.add(
            readings,
            readings.observed_time_ms,
            reason.copy(),
            Names(["viettel"]),
            reason,
            source=np.full(len(rows), source, np.int64),
        )

    # An evidence pack holds the readings of sites alone, and has to imply the same verdict.
    assert state.sources.export().tolist() == [[11001, 7, 7]]
