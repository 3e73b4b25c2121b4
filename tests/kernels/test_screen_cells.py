from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phusong.kernels.columns import CellReports
from phusong.kernels.reject import Reject
from phusong.kernels.screen_cells import screen_cells
from reference.screen import cell_reason

GOOD: dict[str, int] = dict.fromkeys(CellReports._fields, -1) | {
    "plmn": 45204,
    "cell_identity": 1000,
    "site_code": 0,
    "rat": 3,
    "observed_time_ms": 1_633_060_800_000,
    "on_air": 1,
}


def reasons(*rows: dict[str, Any]) -> list[int]:
    full = [GOOD | row for row in rows]
    reports = CellReports(*(np.array([r[n] for r in full], np.int64) for n in CellReports._fields))
    reason = np.zeros(len(rows), np.int64)
    screen_cells(reports, reason)
    return reason.tolist()


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({}, 0),
        ({"cell_identity": -1}, Reject.KEY_MISSING),
        ({"cell_identity": 2**28}, Reject.CELL_IDENTITY_OUT_OF_RANGE),
        ({"rat": 4, "cell_identity": 2**36 - 1}, 0),
        ({"observed_time_ms": 0}, Reject.TIME_MISSING),
        ({"observed_time_ms": 2**60}, Reject.CLOCK_FAR),
        ({"rat": 7}, Reject.ENUM_UNKNOWN),
        ({"rat": 0}, Reject.RAT_UNKNOWN),
        ({"plmn": 0}, Reject.PLMN_INVALID),  # a cell without a network is nobody's
        ({"plmn": -2}, Reject.PLMN_INVALID),
        ({"load_permille": 1000}, 0),
        ({"load_permille": 1001}, Reject.LOAD_OUT_OF_RANGE),
        ({"uplink_bytes": -(2**63)}, Reject.COUNTER_OUT_OF_RANGE),
        ({"on_air_since_time_ms": 1_633_060_800_001}, Reject.INTERVAL_INVALID),
        ({"heartbeat_interval_ms": 0}, Reject.INTERVAL_INVALID),
        ({"reporting_delay_ms": -2}, Reject.INTERVAL_INVALID),
    ],
)
def test_a_report_breaks_one_rule(row: dict[str, int], why: int) -> None:
    assert reasons(row) == [why]


EDGES = {
    "plmn": (-2, 0, 45204),
    "cell_identity": (-2, -1, 0, 2**16 - 1, 2**16, 2**28 - 1, 2**28, 2**36 - 1, 2**36),
    "rat": (-1, 0, 1, 2, 3, 4, 5),
    "observed_time_ms": (-1, 0, 1, 4_102_444_800_000, 4_102_444_800_001),
    "on_air_since_time_ms": (-2, -1, 0, 1, 2**40),
    "heartbeat_interval_ms": (-2, -1, 0, 1),
    "load_permille": (-2, -1, 0, 1000, 1001),
    "uplink_bytes": (-2, -1, 0),
    "downlink_bytes": (-2, -1, 0),
    "reporting_delay_ms": (-2, -1, 0),
}
changes = st.dictionaries(st.sampled_from(sorted(EDGES)), st.integers(0, 8), max_size=4)
rows = st.lists(changes, max_size=12).map(
    lambda chosen: [{k: EDGES[k][i % len(EDGES[k])] for k, i in one.items()} for one in chosen]
)


@settings(deadline=None)
@given(rows)
def test_matches_the_reference(found: list[dict[str, int]]) -> None:
    assert reasons(*found) == [cell_reason(GOOD | row) for row in found]


@settings(deadline=None)
@given(rows, st.integers(0, 12))
def test_a_batch_may_be_cut_anywhere(found: list[dict[str, int]], cut: int) -> None:
    assert reasons(*found[:cut]) + reasons(*found[cut:]) == reasons(*found)
