"""The plausibility screen over whole states: what goes, why, and that how readings came in changes nothing."""

import dataclasses
from importlib import resources
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from phusong.kernels.columns import CellReports
from phusong.kernels.reject import Reject
from phusong.kernels.wire.text import text_hash
from phusong.verifier.coverage.cells import CellState
from phusong.verifier.coverage.policy import DEFAULT_FILE, Policy, default_policy, read_policy
from phusong.verifier.coverage.records import SiteVerdict, Verdict
from phusong.verifier.coverage.rulings import Ruling
from phusong.verifier.coverage.state import CoverageState
from phusong.verifier.names import Names
from phusong.verifier.registry.sites import SiteRegister, read_sites
from reference.places import DEGREE_M, Part
from reference.signal_rows import RAT, VIETTEL, columns_of
from reference.walk import DAY_MS, NINE_MS, cells_of, walk

SITES = read_sites(
    b"site_code,name,province_code,list,operators,latitude_deg,longitude_deg,radius_m\n"
    b"A,Ban A,02,283,viettel,21.0,105.5,2000\n"
    b"B,Ban B,02,1910,viettel,21.5,105.5,500\n"
    b"C,Ban C,02,1910,viettel,19.0,105.5,500\n"
)
A, B, C = (21.0, 105.5), (21.5, 105.5), (19.0, 105.5)
NOW_MS = NINE_MS + 10 * DAY_MS
MINUTE_MS = 60_000
OPERATORS = ["viettel", "vinaphone"]


def new_state(policy: Policy | None = None) -> CoverageState:
    assert isinstance(SITES, SiteRegister)
    return CoverageState(SITES, policy or default_policy())


def at(place: tuple[float, float], minute: float = 0, north_m: float = 0, **fields: Any) -> dict:
    return {
        "latitude_deg": place[0] + (north_m + 1) / DEGREE_M,
        "longitude_deg": place[1] + 0.00001,
        "observed_time_ms": NINE_MS + int(minute * MINUTE_MS),
        **fields,
    }


def add(
    state: CoverageState, rows: list[dict[str, Any]], ruled: dict[int, Ruling] | None = None
) -> CoverageState:
    readings = columns_of(rows)
    ruling = np.zeros(len(rows), np.int64)
    for row, one in (ruled or {}).items():
        ruling[row] = one
    reason = np.zeros(len(rows), np.int64)
    times = readings.observed_time_ms
    state.add(readings, times, reason.copy(), Names(OPERATORS), reason, ruled=ruling)
    assert not reason.any()
    return state


def reasons(
    state: CoverageState, rows: list[dict[str, Any]], cells: CellState | None = None
) -> list[str]:
    """Return why each row does not count after all, "" for those that do."""
    state.screen(cells or CellState())
    reason = np.zeros(len(rows), np.int64)
    readings = columns_of(rows)
    state.set_aside(readings, readings.observed_time_ms, reason.copy(), Names(OPERATORS), reason)
    return [Reject(why).name if why else "" for why in reason.tolist()]


def judged(rows: list[dict[str, Any]], cells: CellState | None = None) -> list[str]:
    return reasons(add(new_state(), rows), rows, cells)


def claims(site_code: str, cell: int) -> CellState:
    report = dict.fromkeys(CellReports._fields, np.array([-1])) | {
        "plmn": np.array([VIETTEL]),
        "cell_identity": np.array([cell]),
        "site_code": np.array([text_hash(site_code)]),
        "rat": np.array([RAT["LTE"]]),
        "on_air": np.array([1]),
    }
    cells, reason = CellState(), np.zeros(1, np.int64)
    assert isinstance(SITES, SiteRegister)
    cells.add(CellReports(**report), np.array([NINE_MS]), SITES, reason)
    assert not reason.any()
    return cells


def test_a_device_that_was_elsewhere_a_minute_before_is_set_aside() -> None:
    rows = [at(A, 0), at(A, 0.5), at(B, 1), at(A, 1.5)]

    assert judged(rows) == ["", "", "SPEED_IMPLIED", ""]


def test_devices_of_two_operators_under_one_number_are_two() -> None:
    assert judged([at(A, 0), at(B, 1, serving_plmn=45202)]) == ["", ""]


def test_a_level_that_never_moves_while_the_device_does_is_set_aside() -> None:
    moving = [at(A, i, north_m=i * 100 - 1500) for i in range(31)]
    others = [row | {"device_key": 8, "rsrp_dbm": -95.0 - i % 2} for i, row in enumerate(moving)]

    assert judged(moving + others) == ["LEVEL_STUCK"] * 31 + [""] * 31


def test_a_cell_heard_from_end_to_end_of_the_country_is_set_aside() -> None:
    far = [at(A, 0, rsrp_dbm=-95.0), at(C, 90, rsrp_dbm=-97.0)]

    assert judged(far) == ["CELL_STUCK"] * 2
    assert judged([far[0], far[1] | {"cell_identity": 1001}]) == ["", ""]


def test_many_devices_at_the_same_coordinates_are_set_aside_and_few_are_not() -> None:
    rows = [at(A, i, device_key=i + 1) for i in range(10)]
    apart = [row | {"latitude_deg": row["latitude_deg"] + i * 1e-7} for i, row in enumerate(rows)]

    assert judged(rows) == ["POSITION_SHARED"] * 10
    assert judged(rows[:9]) == [""] * 9
    assert judged(apart) == [""] * 10
    assert judged([at(A, i) for i in range(300)]) == [""] * 300  # one phone that lies on a table


def test_a_level_its_cell_cannot_cause_there_is_set_aside_once_the_cells_place_is_known() -> None:
    rows = [at(A, 0, rsrp_dbm=-60.0), at(A, 300, rsrp_dbm=-60.0, cell_identity=1001)]
    state = add(new_state(), rows)

    assert reasons(state, rows) == ["", ""]
    assert reasons(state, rows, claims("B", 1000)) == ["LEVEL_ABOVE_FREE_SPACE", ""]
    assert reasons(state, rows, claims("A", 1000)) == ["", ""]
    assert judged([rows[0] | {"rsrp_dbm": -80.0}], claims("B", 1000)) == [""]


def test_what_an_auditor_released_counts_and_outweighs_the_rest() -> None:
    rows = [at(A, 0), at(A, 0.5), at(B, 1)]

    released = add(new_state(), rows, {2: Ruling.RELEASED})

    assert reasons(released, rows) == ["SPEED_IMPLIED", "SPEED_IMPLIED", ""]


def test_a_policy_without_the_table_screens_nothing() -> None:
    whole = resources.files("phusong.verifier.coverage").joinpath(DEFAULT_FILE).read_bytes()
    policy = read_policy(whole[: whole.index(b"[plausibility]")])
    assert isinstance(policy, Policy), policy

    state = add(new_state(policy), [at(A, 0), at(B, 1)])

    assert reasons(state, [at(A, 0), at(B, 1)]) == ["", ""]


def survey_of_a() -> list[dict[str, Any]]:
    part = Part(*B, 500.0)
    return walk(cells_of(part), part=part)


def rows_of(state: CoverageState, code: str) -> list[SiteVerdict]:
    found = state.verdicts(NOW_MS, Names(OPERATORS))
    return [row for row in found if row.site_code == code]


def test_what_is_set_aside_is_no_evidence_and_is_counted_beside_it() -> None:
    survey = survey_of_a()
    # A phone at home in A, in whose name somebody makes a survey of B look bad.
    home = [at(A, i / 8, device_key=99, rsrp_dbm=-90.0 - i % 9) for i in range(len(survey))]
    bad = [row | {"device_key": 99, "rsrp_dbm": -130.0 - i % 2} for i, row in enumerate(survey)]
    (alone,) = rows_of(add(new_state(), survey), "B")

    (row,) = rows_of(add(new_state(), survey + home + bad[:300]), "B")

    assert (alone.verdict, row.verdict) == (Verdict.COVERED, Verdict.COVERED)
    assert row.counts == dataclasses.replace(alone.counts, quarantined=300)
    assert row.reason == alone.reason + (
        " 300 readings here are set aside as implausible (`phusong journal quarantine`)."
    )


def test_where_everything_is_set_aside_the_site_is_untested_and_says_why() -> None:
    (row,) = rows_of(add(new_state(), [at(B, 0, device_key=i + 1) for i in range(12)]), "B")

    assert (row.verdict, row.counts.raw, row.counts.quarantined) == (Verdict.UNTESTED, 0, 12)
    assert "12 readings here are set aside as implausible" in row.reason


rows_anywhere = st.lists(
    st.builds(
        at,
        st.sampled_from([A, A, B, C]),
        st.integers(0, 40).map(lambda n: n / 4),
        st.sampled_from([0, 0, 60, 300]),
        device_key=st.integers(1, 2),
        rsrp_dbm=st.sampled_from([-95.0, -60.0, -121.0]),
        cell_identity=st.sampled_from([-1, 1000, 1001]),
    ),
    max_size=14,
)


@settings(deadline=None)
@given(rows_anywhere, st.integers(0, 14), st.integers(0, 13))
def test_cuts_merges_and_earlier_questions_change_nothing(
    rows: list[dict[str, Any]], cut: int, ruled: int
) -> None:
    cells, ruling = claims("B", 1000), {ruled: Ruling.RELEASED}
    ruling = {r: one for r, one in ruling.items() if r < len(rows)}
    whole = add(new_state(), rows, ruling)
    first, last = rows[:cut], rows[cut:]
    of_first = {r: one for r, one in ruling.items() if r < cut}
    of_last = {r - cut: one for r, one in ruling.items() if r >= cut}
    asked = add(new_state(), last, of_last)
    asked.verdicts(NOW_MS, Names(OPERATORS), cells)
    add(asked, first, of_first)
    merged, other = add(new_state(), first, of_first), add(new_state(), last, of_last)
    merged.verdicts(NOW_MS, Names(OPERATORS), cells)
    merged.merge(other)

    expected = reasons(whole, rows, cells)

    assert reasons(asked, rows, cells) == reasons(merged, rows, cells) == expected
    verdicts = [s.verdicts(NOW_MS, Names(OPERATORS), cells) for s in (whole, asked, merged)]
    assert verdicts[0] == verdicts[1] == verdicts[2]


def test_a_position_that_stays_the_same_and_equal_times_are_no_fraud() -> None:
    same_place = [at(A, minute / 60) for minute in range(200)]
    same_time = [at(A, 0, north_m=60 * i, device_key=9, rsrp_dbm=-90.0 - i) for i in range(4)]

    assert judged(same_place + same_time) == [""] * 204
