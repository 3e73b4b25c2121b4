import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phusong.kernels.reject import Reject
from phusong.kernels.screen_signal import screen_signal
from reference.screen import signal_reason
from reference.signal_rows import GOOD, RAT, columns_of

UMTS = {"rat": RAT["UMTS"], "rsrp_dbm": math.nan, "rscp_dbm": -90.0}
GSM = {"rat": RAT["GSM"], "rsrp_dbm": math.nan, "rxlev_dbm": -90.0}
NR = {"rat": RAT["NR"], "rsrp_dbm": math.nan, "ss_rsrp_dbm": -90.0}
SILENT = {"service_state": 2, "rat": 0, "rsrp_dbm": math.nan, "serving_plmn": 0}


def reasons(*rows: dict) -> list[int]:
    reason = np.zeros(len(rows), np.int64)
    screen_signal(columns_of(list(rows)), reason)
    return reason.tolist()


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({}, 0),
        ({"device_key": 0}, Reject.KEY_MISSING),
        ({"device_key": -5}, 0),  # 64-bit keys travel as int64 bits
        ({"observed_time_ms": 0}, Reject.TIME_MISSING),
        ({"observed_time_ms": -1}, Reject.TIME_MISSING),
        ({"observed_time_ms": 1_633_060_800_000_000}, Reject.CLOCK_FAR),  # microseconds
        ({"reporting_delay_ms": -2}, Reject.INTERVAL_INVALID),
        ({"rat": 5}, Reject.ENUM_UNKNOWN),
        ({"rat": -1}, Reject.ENUM_UNKNOWN),
        ({"service_state": 4}, Reject.ENUM_UNKNOWN),
        ({"cell_role": 3}, Reject.ENUM_UNKNOWN),
        ({"rat": 0}, Reject.RAT_UNKNOWN),
        ({"latitude_deg": math.nan}, Reject.POSITION_MISSING),
        ({"longitude_deg": math.nan}, Reject.POSITION_MISSING),
        ({"latitude_deg": 90.5}, Reject.POSITION_OUT_OF_RANGE),
        ({"longitude_deg": -180.5}, Reject.POSITION_OUT_OF_RANGE),
        ({"longitude_deg": math.inf}, Reject.POSITION_OUT_OF_RANGE),
        ({"position_accuracy_m": -1.0}, Reject.POSITION_OUT_OF_RANGE),
        ({"position_accuracy_m": math.inf}, Reject.POSITION_OUT_OF_RANGE),
        ({"position_accuracy_m": math.nan}, 0),
        ({"rsrp_dbm": -140.0}, 0),
        ({"rsrp_dbm": -140.1}, Reject.LEVEL_OUT_OF_RANGE),
        ({"rsrp_dbm": -43.0}, 0),
        ({"rsrp_dbm": -30.0}, Reject.LEVEL_OUT_OF_RANGE),
        ({"rsrp_dbm": -167.06}, Reject.LEVEL_OUT_OF_RANGE),
        ({"rsrp_dbm": -200.0}, Reject.LEVEL_OUT_OF_RANGE),
        ({"rsrp_dbm": 2147483647.0}, Reject.LEVEL_OUT_OF_RANGE),
        ({"rsrp_dbm": -math.inf}, Reject.LEVEL_OUT_OF_RANGE),
        ({"rsrp_dbm": math.nan}, Reject.LEVEL_MISSING),
        ({"rsrp_dbm": math.nan, "rscp_dbm": -90.0}, Reject.LEVEL_MISSING),
        ({"rscp_dbm": -200.0}, 0),  # a level in another technology's field is not a level
        ({"rat": RAT["UMTS"]}, Reject.LEVEL_MISSING),  # the RSRP of a 3G row is not RSRP
        (UMTS, 0),
        (UMTS | {"rscp_dbm": -120.5}, Reject.LEVEL_OUT_OF_RANGE),
        (GSM | {"rxlev_dbm": -110.0}, 0),
        (GSM | {"rxlev_dbm": -46.0}, Reject.LEVEL_OUT_OF_RANGE),
        (NR | {"ss_rsrp_dbm": -156.0}, 0),
        (NR | {"ss_rsrp_dbm": -30.0}, Reject.LEVEL_OUT_OF_RANGE),
        ({"rsrq_db": -43.5}, Reject.QUALITY_OUT_OF_RANGE),
        ({"sinr_db": 40.5}, Reject.QUALITY_OUT_OF_RANGE),
        (UMTS | {"sinr_db": 99.0}, 0),
        (SILENT, 0),
        (SILENT | {"service_state": 3}, 0),
        (SILENT | {"rsrp_dbm": -200.0}, 0),  # what is heard without service is no level either
        (SILENT | {"latitude_deg": math.nan}, Reject.POSITION_MISSING),
        ({"serving_plmn": -2}, Reject.PLMN_INVALID),
        ({"sim_plmn": -2}, Reject.PLMN_INVALID),
        ({"serving_plmn": 0}, 0),  # the route may know
        ({"cell_identity": 2**28 - 1}, 0),
        ({"cell_identity": 2**28}, Reject.CELL_IDENTITY_OUT_OF_RANGE),
        ({"cell_identity": -2}, Reject.CELL_IDENTITY_OUT_OF_RANGE),
        (NR | {"cell_identity": 2**36 - 1}, 0),
        (NR | {"cell_identity": 2**36}, Reject.CELL_IDENTITY_OUT_OF_RANGE),
        (UMTS | {"cell_identity": 2**28}, Reject.CELL_IDENTITY_OUT_OF_RANGE),
        (GSM | {"cell_identity": 2**16}, Reject.CELL_IDENTITY_OUT_OF_RANGE),
        ({"pci": 503}, 0),
        ({"pci": 504}, Reject.PCI_OUT_OF_RANGE),
        (NR | {"pci": 1007}, 0),
        (NR | {"pci": 1008}, Reject.PCI_OUT_OF_RANGE),
        (UMTS | {"pci": 4000}, 0),
        ({"tac": 2**16}, Reject.TAC_OUT_OF_RANGE),
        (NR | {"tac": 2**24 - 1}, 0),
        (NR | {"tac": 2**24}, Reject.TAC_OUT_OF_RANGE),
        ({"download_bits_per_s": -2}, Reject.TEST_RESULT_OUT_OF_RANGE),
        ({"upload_bits_per_s": -2}, Reject.TEST_RESULT_OUT_OF_RANGE),
        ({"latency_ms": -1.0}, Reject.TEST_RESULT_OUT_OF_RANGE),
        ({"latency_ms": math.inf}, Reject.TEST_RESULT_OUT_OF_RANGE),
        ({"speed_m_per_s": 70.0}, 0),
        ({"speed_m_per_s": 71.0}, Reject.SPEED_IMPOSSIBLE),
        ({"speed_m_per_s": -1.0}, Reject.SPEED_IMPOSSIBLE),
        ({"cell_role": 2}, 0),  # a neighbour is not impossible
    ],
)
def test_a_row_breaks_one_rule(row: dict, why: int) -> None:
    assert reasons(row) == [why]


def test_an_earlier_reason_stands() -> None:
    reason = np.array([Reject.CLOCK_FAR], np.int64)

    screen_signal(columns_of([{"device_key": 0}]), reason)

    assert reason.tolist() == [Reject.CLOCK_FAR]


EDGES = {
    "device_key": (0, 1, -1),
    "observed_time_ms": (-1, 0, 1, 4_102_444_800_000, 4_102_444_800_001),
    "latitude_deg": (math.nan, -90.0, 90.0, 91.0, math.inf),
    "longitude_deg": (math.nan, -180.0, 180.0, -181.0),
    "position_accuracy_m": (math.nan, 0.0, -0.5, math.inf),
    "rat": (-1, 0, 1, 2, 3, 4, 5),
    "sim_plmn": (-2, 0, 45204),
    "serving_plmn": (-2, 0, 45204),
    "cell_identity": (-2, -1, 0, 2**16 - 1, 2**16, 2**28 - 1, 2**28, 2**36 - 1, 2**36),
    "rsrp_dbm": (math.nan, -140.0, -141.0, -43.0, -42.0, math.inf),
    "ss_rsrp_dbm": (math.nan, -156.0, -157.0, -31.0, -30.0),
    "rscp_dbm": (math.nan, -120.0, -121.0, -24.0, -23.0),
    "rxlev_dbm": (math.nan, -110.0, -111.0, -47.0, -46.0),
    "rsrq_db": (math.nan, -43.0, -44.0, 20.0, 21.0),
    "sinr_db": (math.nan, -23.0, -24.0, 40.0, 41.0),
    "service_state": (-1, 0, 1, 2, 3, 4),
    "cell_role": (-1, 0, 1, 2, 3),
    "download_bits_per_s": (-2, -1, 0),
    "upload_bits_per_s": (-2, -1, 0),
    "latency_ms": (math.nan, 0.0, -1.0, math.inf),
    "speed_m_per_s": (math.nan, 0.0, 70.0, 70.5, -1.0),
    "pci": (-2, -1, 0, 503, 504, 1007, 1008),
    "tac": (-2, -1, 0, 2**16 - 1, 2**16, 2**24 - 1, 2**24),
    "reporting_delay_ms": (-2, -1, 0),
}
# Mostly good, so that late rules are reached.
changes = st.dictionaries(st.sampled_from(sorted(EDGES)), st.integers(0, 8), max_size=4)
rows = st.lists(changes, max_size=12).map(
    lambda chosen: [{k: EDGES[k][i % len(EDGES[k])] for k, i in one.items()} for one in chosen]
)


@settings(deadline=None)
@given(rows)
def test_matches_the_reference(found: list[dict]) -> None:
    assert reasons(*found) == [signal_reason(GOOD | row) for row in found]


@settings(deadline=None)
@given(rows, st.integers(0, 12))
def test_a_batch_may_be_cut_anywhere(found: list[dict], cut: int) -> None:
    assert reasons(*found[:cut]) + reasons(*found[cut:]) == reasons(*found)
