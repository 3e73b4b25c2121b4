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
def mark_times(readings: SignalReadings, reason: Int64Column) -> None:
    """Write the reason of rows without a possible time."""
    for i in range(len(reason)):
        if reason[i] != TAKEN:
            continue
        if readings.observed_time_ms[i] <= 0:
            reason[i] = Reject.TIME_MISSING
        elif readings.observed_time_ms[i] > TIME_MAX_MS:
            reason[i] = Reject.CLOCK_FAR
        elif readings.reporting_delay_ms[i] < INT_MISSING:
            reason[i] = Reject.INTERVAL_INVALID


@kernel
def mark_enums(readings: SignalReadings, reason: Int64Column) -> None:
    """Write the reason of rows whose technology, service state or role has no meaning."""
    for i in range(len(reason)):
        if reason[i] != TAKEN:
            continue
        rat, state = readings.rat[i], readings.service_state[i]
        if (
            not (0 <= rat <= RAT_LAST and 0 <= state <= SERVICE_LAST)
            or not 0 <= readings.cell_role[i] <= ROLE_LAST
        ):
            reason[i] = Reject.ENUM_UNKNOWN
        elif rat == RAT_UNSPECIFIED and is_served(state):
            reason[i] = Reject.RAT_UNKNOWN


@kernel
def mark_positions(readings: SignalReadings, reason: Int64Column) -> None:
    """Write the reason of rows without a possible position."""
    for i in range(len(reason)):
        if reason[i] != TAKEN:
            continue
        latitude, longitude = readings.latitude_deg[i], readings.longitude_deg[i]
        accuracy = readings.position_accuracy_m[i]
        if np.isnan(latitude) or np.isnan(longitude):
            reason[i] = Reject.POSITION_MISSING
        elif (
            is_outside(latitude, -90.0, 90.0)
            or is_outside(longitude, -180.0, 180.0)
            or accuracy < 0.0
            or np.isinf(accuracy)
        ):
            reason[i] = Reject.POSITION_OUT_OF_RANGE


@kernel
def mark_levels(readings: SignalReadings, reason: Int64Column) -> None:
    """Write the reason of rows in service without a possible level and quality."""
    for i in range(len(reason)):
        if reason[i] != TAKEN or not is_served(readings.service_state[i]):
            continue
        rat = readings.rat[i]
        level, low, high = readings.ss_rsrp_dbm[i], SS_RSRP_MIN_DBM, SS_RSRP_MAX_DBM
        if rat == RAT_GSM:
            level, low, high = readings.rxlev_dbm[i], RXLEV_MIN_DBM, RXLEV_MAX_DBM
        elif rat == RAT_UMTS:
            level, low, high = readings.rscp_dbm[i], RSCP_MIN_DBM, RSCP_MAX_DBM
        elif rat == RAT_LTE:
            level, low, high = readings.rsrp_dbm[i], RSRP_MIN_DBM, RSRP_MAX_DBM
        if np.isnan(level):
            reason[i] = Reject.LEVEL_MISSING
        elif is_outside(level, low, high):
            reason[i] = Reject.LEVEL_OUT_OF_RANGE
        elif rat in (RAT_LTE, RAT_NR):
            if is_outside(readings.rsrq_db[i], RSRQ_MIN_DB, RSRQ_MAX_DB) or is_outside(
                readings.sinr_db[i], SINR_MIN_DB, SINR_MAX_DB
            ):
                reason[i] = Reject.QUALITY_OUT_OF_RANGE


@kernel
def mark_cells(readings: SignalReadings, reason: Int64Column) -> None:
    """Write the reason of rows whose network or cell cannot be.

    PCI and TAC are checked where the wire defines them, for LTE and NR.
    """
    for i in range(len(reason)):
        if reason[i] != TAKEN:
            continue
        rat = readings.rat[i]
        pci_max = PCI_LTE_MAX if rat == RAT_LTE else PCI_NR_MAX
        tac_max = TAC_LTE_MAX if rat == RAT_LTE else TAC_NR_MAX
        if readings.sim_plmn[i] == PLMN_INVALID or readings.serving_plmn[i] == PLMN_INVALID:
            reason[i] = Reject.PLMN_INVALID
        elif not INT_MISSING <= readings.cell_identity[i] <= cell_identity_max(rat):
            reason[i] = Reject.CELL_IDENTITY_OUT_OF_RANGE
        elif rat in (RAT_LTE, RAT_NR):
            if not INT_MISSING <= readings.pci[i] <= pci_max:
                reason[i] = Reject.PCI_OUT_OF_RANGE
            elif not INT_MISSING <= readings.tac[i] <= tac_max:
                reason[i] = Reject.TAC_OUT_OF_RANGE


@kernel
def mark_tests(readings: SignalReadings, reason: Int64Column) -> None:
    """Write the reason of rows whose test results or speed cannot be."""
    for i in range(len(reason)):
        if reason[i] != TAKEN:
            continue
        latency = readings.latency_ms[i]
        if (
            min(readings.download_bits_per_s[i], readings.upload_bits_per_s[i]) < INT_MISSING
            or latency < 0.0
            or np.isinf(latency)
        ):
            reason[i] = Reject.TEST_RESULT_OUT_OF_RANGE
        elif is_outside(readings.speed_m_per_s[i], 0.0, SPEED_MAX_M_PER_S):
            reason[i] = Reject.SPEED_IMPOSSIBLE


@kernel
def screen_signal(readings: SignalReadings, reason: Int64Column) -> None:
    """Write why a row cannot be true, for rows whose reason is still 0.

    A reading without service needs neither technology nor level. A neighbour's row is screened like any
    other; that it is not service is the verifier's to say. Each rule goes over all rows by itself: handing 28
    columns to a function per row made it a hundred times slower.
    """
    assert len(readings.device_key) == len(reason)
    for i in range(len(reason)):
        if reason[i] == TAKEN and readings.device_key[i] == 0:
            reason[i] = Reject.KEY_MISSING
    mark_times(readings, reason)
    mark_enums(readings, reason)
    mark_positions(readings, reason)
    mark_levels(readings, reason)
    mark_cells(readings, reason)
    mark_tests(readings, reason)
