"""Adding an interval's bytes to the days of a SIM and of a source, or taking them back."""

from typing import NamedTuple

from phusong.kernels.columns import Int, Int64Column
from phusong.kernels.days import ict_day
from phusong.kernels.jit_uncounted import uncounted_kernel
from phusong.kernels.meter_split import SPLIT_MAX_MS, is_split, last_day_of, part_before_day
from phusong.kernels.meter_tables import (
    A_DOWNLINK,
    A_UPLINK,
    C_CHANGED,
    D_CROSSED_TIME,
    D_DAY,
    D_INDETERMINATE,
    D_MARKS,
    D_METERED,
    D_OLDER,
    D_ZERO_RATED,
    H_LEVEL,
    H_SIM_DAY,
    H_TIME,
    LEVEL_MASK,
    M_NEWEST,
    NONE,
    SUM_MAX_BYTES,
    Tables,
    account_before,
    account_of,
    note_revised,
    sim_day_before,
    sim_day_of,
)


class Owner(NamedTuple):
    """Whose bytes they are."""

    sim: Int
    source: Int
    is_zero_rated: bool


@uncounted_kernel
def add_sum(table: Int64Column, row: Int, column: int, part_bytes: Int) -> None:
    """Add to a sum, unless it has reached SUM_MAX_BYTES."""
    if table[row, column] < SUM_MAX_BYTES:
        table[row, column] = min(table[row, column] + part_bytes, SUM_MAX_BYTES)


@uncounted_kernel
def add_part(
    t: Tables, owner: Owner, row: Int, account: Int, part_bytes: Int, up_bytes: Int
) -> None:
    """Add bytes (or take them back, when negative) to one day of a SIM and of its source."""
    column = D_ZERO_RATED if owner.is_zero_rated else D_METERED
    add_sum(t.sim_days, row, column, part_bytes)
    add_sum(t.accounts, account, A_UPLINK, up_bytes)
    add_sum(t.accounts, account, A_DOWNLINK, part_bytes - up_bytes)


@uncounted_kernel
def add_guess(t: Tables, owner: Owner, row: Int, part_bytes: Int) -> None:
    """Note that bytes of a SIM's day, not yet added to it, are there by a guess."""
    if not owner.is_zero_rated and t.sim_days[row, D_METERED] < SUM_MAX_BYTES:
        indeterminate = t.sim_days[row, D_INDETERMINATE] + part_bytes
        room = min(t.sim_days[row, D_METERED] + part_bytes, SUM_MAX_BYTES)
        t.sim_days[row, D_INDETERMINATE] = min(indeterminate, room)


@uncounted_kernel
def add_interval(
    t: Tables, owner: Owner, whole_bytes: Int, up_bytes: Int, from_ms: Int, until_ms: Int, sign: Int
) -> Int:
    """Add (sign 1) or take back (sign -1) the bytes of an interval; return the first day it touches.

    An interval with a midnight inside is split by time, and every part of it is INDETERMINATE. One with no
    length counts on the day of its end.
    """
    last = last_day_of(from_ms, until_ms)
    is_guess = is_split(from_ms, until_ms)
    is_long = until_ms - from_ms > SPLIT_MAX_MS
    if is_guess and not is_long and whole_bytes == 0:
        return last
    row = sim_day_of(t, owner.sim, last)
    account = account_of(t, owner.source, last)
    first = ict_day(from_ms) if is_guess and not is_long else last
    # From the last day back, as days are linked: one search for all of them.
    left, up_left = whole_bytes, up_bytes
    for day in range(last, first - 1, -1):
        before = part_before_day(whole_bytes, from_ms, until_ms, day) if day > first else 0
        # The uplink's own shares need not round as the whole's do; the downlink takes the rest.
        up_before = part_before_day(up_bytes, from_ms, until_ms, day) if day > first else 0
        part = sign * (left - before)
        note_revised(t, row)
        if is_guess:
            add_guess(t, owner, row, part)
        add_part(t, owner, row, account, part, sign * (up_left - up_before))
        left, up_left = before, up_before
        if day > first:
            row = sim_day_before(t, row)
            account = account_before(t, account)
    return first


@uncounted_kernel
def weigh_day(t: Tables, row: Int, time_ms: Int) -> None:
    """Compare a SIM's day with the thresholds after a reading of `time_ms` was counted.

    Only determinate bytes count: what a midnight split attributed alone never cuts a pupil off.
    """
    determinate = t.sim_days[row, D_METERED] - t.sim_days[row, D_INDETERMINATE]
    marks = t.sim_days[row, D_MARKS]
    level = marks & LEVEL_MASK
    top = len(t.threshold_bytes)
    if (level == top or determinate < t.threshold_bytes[level]) and (
        level == 0 or determinate >= t.threshold_bytes[level - 1]
    ):
        return
    reached = 0
    while reached < top and determinate >= t.threshold_bytes[reached]:
        reached += 1
    if reached == top:
        t.sim_days[row, D_CROSSED_TIME] = time_ms
    elif level == top:
        t.sim_days[row, D_CROSSED_TIME] = NONE
    change = t.used[C_CHANGED]
    t.changed[change, H_SIM_DAY] = row
    t.changed[change, H_TIME] = time_ms
    t.changed[change, H_LEVEL] = reached
    t.used[C_CHANGED] += 1
    t.sim_days[row, D_MARKS] = (marks & ~LEVEL_MASK) | reached


@uncounted_kernel
def weigh_days(t: Tables, sim: Int, first_day: Int, time_ms: Int) -> None:
    """Weigh every day of a SIM from the first that a reading may have changed."""
    row = t.sims[sim, M_NEWEST]
    while row != NONE and t.sim_days[row, D_DAY] >= first_day:
        weigh_day(t, row, time_ms)
        row = t.sim_days[row, D_OLDER]
