"""Which cell reports are impossible in themselves. Row by row; no state, no clock, no policy."""

from phusong.kernels.columns import INT_MISSING, CellReports, Int64Column
from phusong.kernels.days import TIME_MAX_MS
from phusong.kernels.jit import kernel
from phusong.kernels.plmn import PLMN_INVALID, PLMN_NONE
from phusong.kernels.radio import RAT_LAST, RAT_UNSPECIFIED, cell_identity_max
from phusong.kernels.reject import TAKEN, Reject

LOAD_MAX_PERMILLE = 1000


@kernel
def judge_report_time(reports: CellReports, i: int) -> int:
    """Return what is wrong with the times of a report, TAKEN for nothing."""
    if reports.observed_time_ms[i] <= 0:
        return Reject.TIME_MISSING
    if reports.observed_time_ms[i] > TIME_MAX_MS:
        return Reject.CLOCK_FAR
    since_ms = reports.on_air_since_time_ms[i]
    if since_ms < INT_MISSING or since_ms > reports.observed_time_ms[i]:
        return Reject.INTERVAL_INVALID  # on air since a time after the report
    if reports.heartbeat_interval_ms[i] < INT_MISSING or reports.heartbeat_interval_ms[i] == 0:
        return Reject.INTERVAL_INVALID
    if reports.reporting_delay_ms[i] < INT_MISSING:
        return Reject.INTERVAL_INVALID
    return TAKEN


@kernel
def judge_report_cell(reports: CellReports, i: int) -> int:
    """Return what is wrong with the technology and identity of the reporting cell."""
    if not 0 <= reports.rat[i] <= RAT_LAST:
        return Reject.ENUM_UNKNOWN
    if reports.rat[i] == RAT_UNSPECIFIED:
        return Reject.RAT_UNKNOWN
    if reports.plmn[i] in (PLMN_NONE, PLMN_INVALID):
        return Reject.PLMN_INVALID
    if not 0 <= reports.cell_identity[i] <= cell_identity_max(reports.rat[i]):
        return Reject.CELL_IDENTITY_OUT_OF_RANGE
    return TAKEN


@kernel
def judge_report(reports: CellReports, i: int) -> int:
    """Return the first rule a report breaks, TAKEN for none."""
    if reports.cell_identity[i] == INT_MISSING:
        return Reject.KEY_MISSING
    why = judge_report_time(reports, i)
    if why == TAKEN:
        why = judge_report_cell(reports, i)
    if why != TAKEN:
        return why
    if not INT_MISSING <= reports.load_permille[i] <= LOAD_MAX_PERMILLE:
        return Reject.LOAD_OUT_OF_RANGE
    if reports.uplink_bytes[i] < INT_MISSING or reports.downlink_bytes[i] < INT_MISSING:
        return Reject.COUNTER_OUT_OF_RANGE
    return TAKEN


@kernel
def screen_cells(reports: CellReports, reason: Int64Column) -> None:
    """Write why a report cannot be true, for rows whose reason is still 0.

    A cell that says of itself that it is on air without a cell identity or a PLMN says nothing.
    """
    assert len(reports.plmn) == len(reason)
    for i in range(len(reason)):
        if reason[i] == TAKEN:
            reason[i] = judge_report(reports, i)
