from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phusong.kernels.reject import Reject
from phusong.verifier.coverage.policy import default_policy
from phusong.verifier.coverage.state import CoverageState
from phusong.verifier.names import Names
from phusong.verifier.registry.sites import SiteRegister, read_sites
from reference.places import Part, located
from reference.signal_rows import RAT, REDDI, VIETTEL, VINAPHONE, columns_of
from reference.walk import DAY_MS, HOUR_MS, NINE_MS

SITES = read_sites(
    b"site_code,name,province_code,list,operators,latitude_deg,longitude_deg,radius_m\n"
    b"A1,Ban A,02,283,viettel,21.0,105.5,500\n"
    b"A2,Ban B,02,1910,viettel;vinaphone,21.004,105.503,800\n"
    b"C1,Cork,02,1910,272-05,51.89,-8.47,1500\n"
)
PARTS = [Part(21.0, 105.5, 500.0), Part(21.004, 105.503, 800.0), Part(51.89, -8.47, 1500.0)]
POLICY = default_policy()
ROUTES = ["", "viettel", "acme"]
NOW_MS = NINE_MS + 30 * DAY_MS


def new_state() -> CoverageState:
    assert isinstance(SITES, SiteRegister)
    return CoverageState(SITES, POLICY)


def add(state: CoverageState, rows: list[dict[str, Any]], names: Names | None = None) -> list[int]:
    readings = columns_of([{k: v for k, v in row.items() if k != "route"} for row in rows])
    route = np.array([row.get("route", 0) for row in rows], np.int64)
    reason = np.zeros(len(rows), np.int64)
    state.add(readings, readings.observed_time_ms, route, names or Names(ROUTES), reason)
    return reason.tolist()


def exported(state: CoverageState) -> dict[str, Any]:
    return {name: array.tolist() for name, array in state.export().items()}


rows_of_readings = st.lists(
    st.fixed_dictionaries(
        {
            "device_key": st.integers(1, 3),
            "observed_time_ms": st.integers(NINE_MS, NINE_MS + 2 * DAY_MS),
            "latitude_deg": st.floats(20.99, 21.015) | st.just(51.89),
            "longitude_deg": st.floats(105.49, 105.515) | st.just(-8.47),
            "rsrp_dbm": st.floats(-140, -43),
            "rat": st.sampled_from([RAT["LTE"], RAT["LTE"], RAT["UMTS"]]),
            "rscp_dbm": st.just(-90.0),
            "service_state": st.sampled_from([0, 1, 2, 3]),
            "cell_role": st.sampled_from([0, 1, 1, 2]),
            "serving_plmn": st.sampled_from([0, VIETTEL, VINAPHONE, 27205]),
            "sim_plmn": st.sampled_from([0, VIETTEL, REDDI]),
            "route": st.integers(0, 2),
        }
    ),
    max_size=12,
)


@settings(deadline=None)
@given(rows_of_readings)
def test_every_taken_reading_is_counted_in_each_of_its_sites(rows: list[dict[str, Any]]) -> None:
    state = new_state()
    reason = add(state, rows)
    positions = [(row["latitude_deg"], row["longitude_deg"]) for row in rows]
    pairs = [pair for pair in located(positions, PARTS, 50.0) if reason[pair[0]] == 0]
    arrays = state.export()

    counted = int(arrays["heard_count"].sum() + arrays["aside_count"].sum())

    assert counted == len(pairs)
    assert state.elsewhere_count == reason.count(0) - len({pair[0] for pair in pairs})


@settings(deadline=None)
@given(rows_of_readings, st.integers(0, 12))
def test_a_batch_may_be_cut_anywhere(rows: list[dict[str, Any]], cut: int) -> None:
    whole, parts, merged, other = (new_state() for _ in range(4))
    names, one, two = Names(ROUTES), Names(ROUTES), Names(ROUTES)
    reason = add(whole, rows, names)

    assert add(parts, rows[cut:], one) + add(parts, rows[:cut], one) == (
        reason[cut:] + reason[:cut]
    )
    add(merged, rows[:cut], two)
    add(other, rows[cut:], one)
    merged.merge(other)

    assert exported(parts) == exported(merged) == exported(whole)
    assert parts.verdicts(NOW_MS, one) == whole.verdicts(NOW_MS, names)


def test_what_is_exported_is_restored() -> None:
    state, restored, names = new_state(), new_state(), Names(ROUTES)
    add(state, [{}, {"device_key": 8}, {"rat": RAT["UMTS"]}, {"latitude_deg": 10.0}], names)

    restored.restore(state.export())

    assert exported(restored) == exported(state)
    assert restored.verdicts(NOW_MS, names) == state.verdicts(NOW_MS, names)


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({}, 0),
        ({"cell_role": 2}, Reject.NOT_A_SERVING_CELL),
        ({"position_accuracy_m": 100.0}, 0),
        ({"position_accuracy_m": 100.5}, Reject.POSITION_INACCURATE),
        ({"position_accuracy_m": float("nan")}, 0),
        ({"serving_plmn": 0}, Reject.SERVING_NETWORK_UNKNOWN),
        ({"serving_plmn": 0, "route": 1}, 0),
        ({"service_state": 2, "serving_plmn": 0}, 0),
        ({"service_state": 2, "sim_plmn": 0}, Reject.SERVING_NETWORK_UNKNOWN),
        ({"service_state": 2, "sim_plmn": 0, "route": 2}, 0),
    ],
)
def test_a_row_that_says_nothing_of_a_place_has_a_reason(row: dict[str, Any], why: int) -> None:
    assert add(new_state(), [row]) == [why]


def test_a_row_refused_before_is_not_counted() -> None:
    state = new_state()
    readings = columns_of([{}, {}])

    state.add(
        readings,
        readings.observed_time_ms,
        np.zeros(2, np.int64),
        Names(ROUTES),
        np.array([Reject.CLOCK_FAR, -1]),
    )

    assert state.bins.count == state.elsewhere_count == 0


@pytest.mark.parametrize(
    ("row", "operator"),
    [
        ({"sim_plmn": REDDI}, "viettel"),
        ({"serving_plmn": 0, "route": 2}, "acme"),
        ({"serving_plmn": 27205}, "272-05"),
        ({"service_state": 2, "sim_plmn": VINAPHONE}, "vinaphone"),
        ({"service_state": 3, "sim_plmn": 0, "route": 1}, "viettel"),
    ],
)
def test_a_reading_speaks_of_the_network_that_was_built(row: dict[str, Any], operator: str) -> None:
    state, names = new_state(), Names(ROUTES)

    add(state, [row], names)

    assert operator in [v.operator for v in state.verdicts(NOW_MS, names) if v.counts.raw == 1]


@pytest.mark.parametrize(
    ("hour", "is_judged"), [(5.99, False), (6.0, True), (21.99, True), (22.0, False)]
)
def test_measuring_hours_are_those_of_vietnam(hour: float, is_judged: bool) -> None:
    state = new_state()

    add(state, [{"observed_time_ms": NINE_MS + int((hour - 9) * HOUR_MS)}])

    # The reading lies in two sites.
    expected = (2, 0) if is_judged else (0, 2)
    assert (state.bins.count, int(state.export()["aside_count"].sum())) == expected


def test_windows_turn_at_vietnams_hours() -> None:
    state = new_state()

    add(state, [{"observed_time_ms": NINE_MS + h * HOUR_MS} for h in (0, 2, 3, 6, 7)])

    # 09 and 11 o'clock are one window of four hours, 12 and 15 the next, 16 the third.
    assert state.bins.count == 2 * 3


def test_the_median_is_a_level_that_half_of_the_bins_reach_in_the_mean() -> None:
    state, names = new_state(), Names(ROUTES)
    levels = (-70.2, -80.4, -90.6, -100.0)

    # Whoever sends a thousand readings from one place says one thing.
    rows = [{"rsrp_dbm": level, "device_key": i + 1} for i, level in enumerate(levels)]
    rows += [{"rsrp_dbm": levels[0] + i % 2 - 0.5} for i in range(1000)]
    add(state, [*rows, {"service_state": 2}], names)

    assert state.verdicts(NOW_MS, names)[0].median_level_dbm == -80


def test_a_register_without_sites_judges_nothing() -> None:
    state, names = CoverageState(SiteRegister.empty(), POLICY), Names(ROUTES)

    add(state, [{}, {"service_state": 2}], names)

    assert state.verdicts(NOW_MS, names) == []
    assert state.elsewhere_count == 2
