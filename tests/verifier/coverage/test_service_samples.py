from typing import Any

import numpy as np

from phusong.verifier.coverage.cells import CellState
from phusong.verifier.coverage.policy import default_policy
from phusong.verifier.coverage.state import CoverageState
from phusong.verifier.names import Names
from phusong.verifier.registry.sites import SiteRegister, read_sites
from reference.places import Part
from reference.signal_rows import columns_of
from reference.walk import DAY_MS, NINE_MS, cells_of, walk

SITES = read_sites(
    b"site_code,name,province_code,list,operators,latitude_deg,longitude_deg,radius_m\n"
    b"A1,Ban A,02,283,viettel,21.0,105.5,200\nA2,Ban B,02,283,viettel,21.1,105.0,200\n"
)
HAMLET = Part(21.0, 105.5, 200.0)
OPERATORS = Names(["viettel"])
NOW_MS = NINE_MS + 10 * DAY_MS


def state_of(rows: list[dict[str, Any]]) -> CoverageState:
    assert isinstance(SITES, SiteRegister)
    state, readings = CoverageState(SITES, default_policy()), columns_of(rows)
    nothing = np.zeros(len(rows), np.int64)
    state.add(readings, readings.observed_time_ms, nothing, OPERATORS, nothing.copy())
    return state


def test_a_test_whose_reading_is_set_aside_does_not_count() -> None:
    rows = walk(cells_of(HAMLET), visits=[(1, 0)], part=HAMLET)
    tested = [row | {"download_bits_per_s": 9_000_000} for row in rows]
    # The phone is 50 km away at the same times, as most of its readings say.
    away = {"latitude_deg": 21.1, "longitude_deg": 105.0}
    elsewhere = [
        row | away | {"observed_time_ms": row["observed_time_ms"] + ms}
        for row in rows
        for ms in (1, 2, 3)
    ]
    alone, both = state_of(tested), state_of(tested + elsewhere)

    assert list(alone.test_results(NOW_MS, OPERATORS)) == [("A1", "viettel", "LTE")]
    assert both.test_results(NOW_MS, OPERATORS) == {}
    quarantined = both.quarantined(NOW_MS, OPERATORS, CellState())
    assert quarantined["A1", "viettel", "SPEED_IMPLIED"] == len(rows)
