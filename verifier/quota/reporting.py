"""From the meter's tables to the report of a day."""

import datetime as dt
from collections import Counter

import numpy as np

from phusong.kernels.columns import BoolColumn, Int64Column
from phusong.kernels.meter_state import Meter
from phusong.kernels.meter_tables import (
    A_CLOCK_FAR,
    A_COUNTED,
    A_DAY,
    A_DOWNLINK,
    A_DUPLICATE,
    A_INFERRED,
    A_QUARANTINED,
    A_RECEIVED,
    A_REJECTED,
    A_STALE,
    A_UPLINK,
    D_CROSSED_TIME,
    D_DAY,
    D_INDETERMINATE,
    D_MARKS,
    D_METERED,
    D_SIM,
    D_ZERO_RATED,
    HAS_READING,
    NONE,
)
from phusong.verifier.quota.decisions import day_text
from phusong.verifier.quota.report import QuotaDay, SimDay, SimState
from phusong.verifier.quota.settings import (
    QUOTA_BYTES_DECIMAL,
    THRESHOLDS_PERCENT,
    QuotaSettings,
)
from phusong.verifier.registry.sims import SimRegister

TOTALS = {
    "received": A_RECEIVED,
    "counted": A_COUNTED,
    "duplicate": A_DUPLICATE,
    "stale": A_STALE,
    "rejected": A_REJECTED,
    "quarantined": A_QUARANTINED,
    "clock_far": A_CLOCK_FAR,
    "gigawords_inferred": A_INFERRED,
    "uplink_bytes": A_UPLINK,
    "downlink_bytes": A_DOWNLINK,
}
STATES = list(SimState)


def report_day(
    meter: Meter, sims: SimRegister | None, settings: QuotaSettings, ict_day: int
) -> QuotaDay:
    """Return every SIM's day in the order of the keys, and the sums over all sources."""
    days = rows_of_day(meter, ict_day)
    keys = meter.sim_keys.keys[days[:, D_SIM], 0]
    order = np.argsort(keys.view(np.uint64), kind="stable")
    days, keys = days[order], keys[order]
    determinate = days[:, D_METERED] - days[:, D_INDETERMINATE]
    levels = np.searchsorted(settings.threshold_bytes, determinate, side="right")
    crossed = [list(THRESHOLDS_PERCENT[:k]) for k in range(len(THRESHOLDS_PERCENT) + 1)]
    columns = (
        keys.view(np.uint64),
        *(days[:, k] for k in (D_METERED, D_ZERO_RATED, D_INDETERMINATE, D_CROSSED_TIME)),
        states_of(days, keys, sims, settings),
        levels,
    )
    rows = [
        SimDay(str(sim), used, free, guessed, STATES[state], time_text(time_ms), crossed[level])
        for sim, used, free, guessed, time_ms, state, level in zip(
            *(column.tolist() for column in columns), strict=True
        )
    ]
    totals = day_totals(meter, ict_day)
    totals["sims_at_quota"] = int(np.count_nonzero(determinate >= settings.quota_bytes))
    totals["sims_at_4_decimal_gigabytes"] = int(
        np.count_nonzero(determinate >= QUOTA_BYTES_DECIMAL)
    )
    return QuotaDay(day_text(ict_day), settings.quota_bytes, rows, totals)


def state_counts(
    meter: Meter, sims: SimRegister | None, settings: QuotaSettings, ict_day: int
) -> dict[str, int]:
    """Return how many SIMs of a day are in each state."""
    days = rows_of_day(meter, ict_day)
    states = states_of(days, meter.sim_keys.keys[days[:, D_SIM], 0], sims, settings)
    return {str(STATES[state]): count for state, count in Counter(states.tolist()).items()}


def rows_of_day(meter: Meter, ict_day: int) -> Int64Column:
    """Return the rows of the SIMs heard of on a day, or whose bytes a split brought there."""
    days: Int64Column = meter.sim_days[meter.sim_days[:, D_DAY] == ict_day]
    is_heard = (days[:, D_MARKS] & HAS_READING) != 0
    shown: BoolColumn = is_heard | (days[:, D_METERED] != 0) | (days[:, D_ZERO_RATED] != 0)
    return days.compress(shown, axis=0)


def states_of(
    days: Int64Column, keys: Int64Column, sims: SimRegister | None, settings: QuotaSettings
) -> Int64Column:
    """Return the place in STATES of every row."""
    determinate = days[:, D_METERED] - days[:, D_INDETERMINATE]
    quota = settings.quota_bytes
    state = np.full(len(days), STATES.index(SimState.WITHIN), np.int64)
    state[days[:, D_METERED] >= quota] = STATES.index(SimState.INDETERMINATE)
    state[determinate >= quota] = STATES.index(SimState.EXHAUSTED)
    if sims is not None and len(days):
        state[~sims.is_entitled(keys, int(days[0, D_DAY]))] = STATES.index(SimState.NOT_ENTITLED)
    return state


def day_totals(meter: Meter, ict_day: int) -> dict[str, int]:
    """Return the sums over the sources of a day; the law of conservation holds for each of them."""
    accounts = meter.accounts[meter.accounts[:, A_DAY] == ict_day]
    outcomes = accounts[:, [A_COUNTED, A_DUPLICATE, A_STALE, A_REJECTED, A_QUARANTINED]]
    assert (outcomes.sum(axis=1) == accounts[:, A_RECEIVED]).all(), "no reading is lost or doubled"
    # In Python's numbers: a source's sum may be SUM_MAX_BYTES, and four of those leave int64.
    return {name: sum(accounts[:, column].tolist()) for name, column in TOTALS.items()}


def time_text(time_ms: int) -> str | None:
    """Return a time as reports write it, ISO 8601 in UTC; None for none."""
    if time_ms == NONE:
        return None
    moment = dt.datetime.fromtimestamp(0, dt.UTC) + dt.timedelta(milliseconds=time_ms)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
