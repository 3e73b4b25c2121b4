"""Which cell reports are impossible in themselves. Row by row; no state, no clock, no policy."""

from phusong.kernels.columns import INT_MISSING, CellReports, Int64Column
from phusong.kernels.days import TIME_MAX_MS
from phusong.kernels.jit import kernel
from phusong.kernels.plmn import PLMN_INVALID, PLMN_NONE
from phusong.kernels.radio import RAT_LAST, RAT_UNSPECIFIED, cell_identity_max
from phusong.kernels.reject import TAKEN, Reject

LOAD_MAX_PERMILLE = 1000


@kernel
def mark_report_times(reports: CellReports, reason: Int64Column) -> None:
    """Write the reason of reports without a possible time."""
    for i in range(len(reason)):
        if reason[i] != TAKEN:
            continue
        observed_ms, since_ms = reports.observed_time_ms[i], reports.on_air_since_time_ms[i]
        heartbeat_ms = reports.heartbeat_interval_ms[i]
        if observed_ms <= 0:
            reason[i] = Reject.TIME_MISSING
        elif observed_ms > TIME_MAX_MS:
            reason[i] = Reject.CLOCK_FAR
        elif not INT_MISSING <= since_ms <= observed_ms:
            reason[i] = Reject.INTERVAL_INVALID  # on air since a time after the report
        elif (
            heartbeat_ms < INT_MISSING
            or heartbeat_ms == 0
            or reports.reporting_delay_ms[i] < INT_MISSING
        ):
            reason[i] = Reject.INTERVAL_INVALID


@kernel
def mark_report_cells(reports: CellReports, reason: Int64Column) -> None:
    """Write the reason of reports by a cell that cannot be."""
    for i in range(len(reason)):
        if reason[i] != TAKEN:
            continue
        rat, plmn = reports.rat[i], reports.plmn[i]
        if not 0 <= rat <= RAT_LAST:
            reason[i] = Reject.ENUM_UNKNOWN
        elif rat == RAT_UNSPECIFIED:
            reason[i] = Reject.RAT_UNKNOWN
        elif plmn in (PLMN_NONE, PLMN_INVALID):
            reason[i] = Reject.PLMN_INVALID
        elif not 0 <= reports.cell_identity[i] <= cell_identity_max(rat):
            reason[i] = Reject.CELL_IDENTITY_OUT_OF_RANGE


@kernel
def screen_cells(reports: CellReports, reason: Int64Column) -> None:
    """Write why a report cannot be true, for rows whose reason is still 0.

    A cell that says of itself that it is on air without a cell identity or a PLMN says nothing.
    """
    assert len(reports.plmn) == len(reason)
    for i in range(len(reason)):
        if reason[i] == TAKEN and reports.cell_identity[i] == INT_MISSING:
            reason[i] = Reject.KEY_MISSING
    mark_report_times(reports, reason)
    mark_report_cells(reports, reason)
    for i in range(len(reason)):
        if reason[i] != TAKEN:
            continue
        if not INT_MISSING <= reports.load_permille[i] <= LOAD_MAX_PERMILLE:
            reason[i] = Reject.LOAD_OUT_OF_RANGE
        elif min(reports.uplink_bytes[i], reports.downlink_bytes[i]) < INT_MISSING:
            reason[i] = Reject.COUNTER_OUT_OF_RANGE
