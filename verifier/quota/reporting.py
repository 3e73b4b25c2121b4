"""From the meter's tables to the report of a day."""

import datetime as dt

import numpy as np

from phusong.kernels.columns import Int64Column
from phusong.kernels.meter_figures import SimDays
from phusong.kernels.meter_state import Meter
from phusong.kernels.meter_tables import NONE
from phusong.verifier.quota.day_text import day_text
from phusong.verifier.quota.report import QuotaDay, SimDay, SimState
from phusong.verifier.quota.settings import (
    QUOTA_BYTES_DECIMAL,
    THRESHOLDS_PERCENT,
    QuotaSettings,
)
from phusong.verifier.registry.sims import SimRegister

# What a report says of the accounts of a day, and the column of `Accounts` it sums.
TOTALS = {
    "received": "received",
    "counted": "counted",
    "duplicate": "duplicate",
    "stale": "stale",
    "rejected": "rejected",
    "quarantined": "quarantined",
    "clock_far": "clock_far",
    "gigawords_inferred": "inferred",
    "uplink_bytes": "uplink_bytes",
    "downlink_bytes": "downlink_bytes",
}
STATES = list(SimState)


def report_day(
    meter: Meter, sims: SimRegister | None, settings: QuotaSettings, ict_day: int
) -> QuotaDay:
    """Return every SIM's day in the order of the keys, and the sums over all sources."""
    days = shown_sims(meter, ict_day)
    days = days.where(np.argsort(days.subscriber_key.view(np.uint64), kind="stable"))
    levels = np.searchsorted(settings.threshold_bytes, days.determinate_bytes, side="right")
    crossed = [list(THRESHOLDS_PERCENT[:k]) for k in range(len(THRESHOLDS_PERCENT) + 1)]
    columns = (
        days.subscriber_key.view(np.uint64),
        days.metered_bytes,
        days.zero_rated_bytes,
        days.indeterminate_bytes,
        days.crossed_time_ms,
        states_of(days, sims, settings),
        levels,
    )
    rows = [
        SimDay(str(sim), used, free, guessed, STATES[state], time_text(time_ms), crossed[level])
        for sim, used, free, guessed, time_ms, state, level in zip(
            *(column.tolist() for column in columns), strict=True
        )
    ]
    totals = day_totals(meter, ict_day)
    totals["sims_at_quota"] = int(np.count_nonzero(days.determinate_bytes >= settings.quota_bytes))
    totals["sims_at_4_decimal_gigabytes"] = int(
        np.count_nonzero(days.determinate_bytes >= QUOTA_BYTES_DECIMAL)
    )
    return QuotaDay(day_text(ict_day), settings.quota_bytes, rows, totals)


def used_bytes(
    meter: Meter, subscriber_key: Int64Column, ict_day: Int64Column
) -> tuple[Int64Column, Int64Column]:
    """Return the metered bytes of SIMs on days, one each: those that are sure, and those a midnight split attributed."""
    found = [
        meter.days_of_sim(key, day, day)
        for key, day in zip(subscriber_key.tolist(), ict_day.tolist(), strict=True)
    ]
    sure = [int(day.determinate_bytes.sum()) for day in found]
    split = [int(day.indeterminate_bytes.sum()) for day in found]
    return np.array(sure, np.int64), np.array(split, np.int64)


def shown_sims(meter: Meter, ict_day: int) -> SimDays:
    """Return the SIMs heard of on a day, or whose bytes a split brought there."""
    return only_shown(meter.sims_of_day(ict_day))


def only_shown(days: SimDays) -> SimDays:
    """Return those heard of, or whose bytes a split brought there: of the others only decisions are known."""
    return days.where(days.is_heard | (days.metered_bytes != 0) | (days.zero_rated_bytes != 0))


def states_of(days: SimDays, sims: SimRegister | None, settings: QuotaSettings) -> Int64Column:
    """Return the place in STATES of every SIM of one day."""
    quota = settings.quota_bytes
    state = np.full(len(days.ict_day), STATES.index(SimState.WITHIN), np.int64)
    state[days.metered_bytes >= quota] = STATES.index(SimState.INDETERMINATE)
    state[days.determinate_bytes >= quota] = STATES.index(SimState.EXHAUSTED)
    if sims is not None and len(state):
        is_entitled = sims.is_entitled(days.subscriber_key, int(days.ict_day[0]))
        state[~is_entitled] = STATES.index(SimState.NOT_ENTITLED)
    return state


def account_days(meter: Meter) -> list[int]:
    """Return the days to which readings were accounted."""
    days: list[int] = np.unique(meter.accounts().ict_day).tolist()
    return days


def day_totals(meter: Meter, ict_day: int) -> dict[str, int]:
    """Return the sums over the sources of a day; the law of conservation holds for each of them."""
    found = meter.accounts_of_day(ict_day)
    outcomes = found.counted + found.duplicate + found.stale + found.rejected + found.quarantined
    assert (outcomes == found.received).all(), "no reading is lost or doubled"
    # In Python's numbers: a source's sum may be SUM_MAX_BYTES, and four of those leave int64.
    return {name: sum(getattr(found, column).tolist()) for name, column in TOTALS.items()}


def time_text(time_ms: int) -> str | None:
    """Return a time as reports write it, ISO 8601 in UTC; None for none."""
    if time_ms == NONE:
        return None
    moment = dt.datetime.fromtimestamp(0, dt.UTC) + dt.timedelta(milliseconds=time_ms)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
