"""Which signal readings are impossible in themselves. Row by row; no state, no clock, no policy.

Where a row breaks several rules, the first in the order below is its reason, so that collector and
verifier, and whoever recomputes, name the same one.
"""

import numpy as np

from phusong.kernels.columns import INT_MISSING, Int64Column, SignalReadings
from phusong.kernels.days import TIME_MAX_MS
from phusong.kernels.jit import kernel
from phusong.kernels.plmn import PLMN_INVALID
from phusong.kernels.radio import (
    RAT_GSM,
    RAT_LAST,
    RAT_LTE,
    RAT_NR,
    RAT_UMTS,
    RAT_UNSPECIFIED,
    ROLE_LAST,
    RSCP_MAX_DBM,
    RSCP_MIN_DBM,
    RSRP_MAX_DBM,
    RSRP_MIN_DBM,
    RSRQ_MAX_DB,
    RSRQ_MIN_DB,
    RXLEV_MAX_DBM,
    RXLEV_MIN_DBM,
    SERVICE_LAST,
    SINR_MAX_DB,
    SINR_MIN_DB,
    SS_RSRP_MAX_DBM,
    SS_RSRP_MIN_DBM,
    cell_identity_max,
    is_served,
)
from phusong.kernels.reject import TAKEN, Reject

# Above it the device flies. Source: DOMAIN §2, implied speed.
SPEED_MAX_M_PER_S = 70.0

PCI_LTE_MAX = 503
PCI_NR_MAX = 1007
TAC_LTE_MAX = 2**16 - 1
TAC_NR_MAX = 2**24 - 1


@kernel
def is_outside(value: float, low: float, high: float) -> bool:
    """Tell whether a measured value that is there lies outside its range; NaN is "not there"."""
    return not np.isnan(value) and not (low <= value <= high)


@kernel
def judge_time(readings: SignalReadings, i: int) -> int:
    """Return what is wrong with the times of a row, TAKEN for nothing."""
    if readings.observed_time_ms[i] <= 0:
        return Reject.TIME_MISSING
    if readings.observed_time_ms[i] > TIME_MAX_MS:
        return Reject.CLOCK_FAR
    if readings.reporting_delay_ms[i] < INT_MISSING:
        return Reject.INTERVAL_INVALID
    return TAKEN


@kernel
def judge_enums(readings: SignalReadings, i: int) -> int:
    """Return what is wrong with the enumerated fields of a row."""
    if not 0 <= readings.rat[i] <= RAT_LAST:
        return Reject.ENUM_UNKNOWN
    if not 0 <= readings.service_state[i] <= SERVICE_LAST:
        return Reject.ENUM_UNKNOWN
    if not 0 <= readings.cell_role[i] <= ROLE_LAST:
        return Reject.ENUM_UNKNOWN
    if readings.rat[i] == RAT_UNSPECIFIED and is_served(readings.service_state[i]):
        return Reject.RAT_UNKNOWN
    return TAKEN


@kernel
def judge_position(readings: SignalReadings, i: int) -> int:
    """Return what is wrong with the position of a row."""
    latitude, longitude = readings.latitude_deg[i], readings.longitude_deg[i]
    if np.isnan(latitude) or np.isnan(longitude):
        return Reject.POSITION_MISSING
    if is_outside(latitude, -90.0, 90.0) or is_outside(longitude, -180.0, 180.0):
        return Reject.POSITION_OUT_OF_RANGE
    accuracy = readings.position_accuracy_m[i]
    if accuracy < 0.0 or np.isinf(accuracy):
        return Reject.POSITION_OUT_OF_RANGE
    return TAKEN


@kernel
def judge_level(readings: SignalReadings, i: int) -> int:
    """Return what is wrong with the level and quality of a row that was in service."""
    rat = readings.rat[i]
    level, low, high = readings.ss_rsrp_dbm[i], SS_RSRP_MIN_DBM, SS_RSRP_MAX_DBM
    if rat == RAT_GSM:
        level, low, high = readings.rxlev_dbm[i], RXLEV_MIN_DBM, RXLEV_MAX_DBM
    elif rat == RAT_UMTS:
        level, low, high = readings.rscp_dbm[i], RSCP_MIN_DBM, RSCP_MAX_DBM
    elif rat == RAT_LTE:
        level, low, high = readings.rsrp_dbm[i], RSRP_MIN_DBM, RSRP_MAX_DBM
    if np.isnan(level):
        return Reject.LEVEL_MISSING
    if is_outside(level, low, high):
        return Reject.LEVEL_OUT_OF_RANGE
    if rat in (RAT_LTE, RAT_NR):
        if is_outside(readings.rsrq_db[i], RSRQ_MIN_DB, RSRQ_MAX_DB):
            return Reject.QUALITY_OUT_OF_RANGE
        if is_outside(readings.sinr_db[i], SINR_MIN_DB, SINR_MAX_DB):
            return Reject.QUALITY_OUT_OF_RANGE
    return TAKEN


@kernel
def judge_cell(readings: SignalReadings, i: int) -> int:
    """Return what is wrong with the identities of network and cell of a row.

    PCI and TAC are checked where the wire defines them, for LTE and NR.
    """
    if readings.sim_plmn[i] == PLMN_INVALID or readings.serving_plmn[i] == PLMN_INVALID:
        return Reject.PLMN_INVALID
    rat, identity = readings.rat[i], readings.cell_identity[i]
    if not INT_MISSING <= identity <= cell_identity_max(rat):
        return Reject.CELL_IDENTITY_OUT_OF_RANGE
    if rat in (RAT_LTE, RAT_NR):
        pci_max = PCI_LTE_MAX if rat == RAT_LTE else PCI_NR_MAX
        tac_max = TAC_LTE_MAX if rat == RAT_LTE else TAC_NR_MAX
        if not INT_MISSING <= readings.pci[i] <= pci_max:
            return Reject.PCI_OUT_OF_RANGE
        if not INT_MISSING <= readings.tac[i] <= tac_max:
            return Reject.TAC_OUT_OF_RANGE
    return TAKEN


@kernel
def judge_motion_and_test(readings: SignalReadings, i: int) -> int:
    """Return what is wrong with the speed and the test results of a row."""
    if readings.download_bits_per_s[i] < INT_MISSING or readings.upload_bits_per_s[i] < INT_MISSING:
        return Reject.TEST_RESULT_OUT_OF_RANGE
    latency = readings.latency_ms[i]
    if latency < 0.0 or np.isinf(latency):
        return Reject.TEST_RESULT_OUT_OF_RANGE
    if is_outside(readings.speed_m_per_s[i], 0.0, SPEED_MAX_M_PER_S):
        return Reject.SPEED_IMPOSSIBLE
    return TAKEN


@kernel
def judge_row(readings: SignalReadings, i: int) -> int:
    """Return the first rule a row breaks, TAKEN for none."""
    if readings.device_key[i] == 0:
        return Reject.KEY_MISSING
    why = judge_time(readings, i)
    if why == TAKEN:
        why = judge_enums(readings, i)
    if why == TAKEN:
        why = judge_position(readings, i)
    if why == TAKEN and is_served(readings.service_state[i]):
        why = judge_level(readings, i)
    if why == TAKEN:
        why = judge_cell(readings, i)
    if why == TAKEN:
        why = judge_motion_and_test(readings, i)
    return why


@kernel
def screen_signal(readings: SignalReadings, reason: Int64Column) -> None:
    """Write why a row cannot be true, for rows whose reason is still 0.

    A reading without service needs neither technology nor level. A neighbour's row is screened like any
    other; that it is not service is the verifier's to say.
    """
    assert len(readings.device_key) == len(reason)
    for i in range(len(reason)):
        if reason[i] == TAKEN:
            reason[i] = judge_row(readings, i)
