"""Metering: usage rows in, bytes per SIM and Vietnam day out, exact whatever the order.

The counting model is DOMAIN §3: key (subscriber, source, session, class, counter epoch), value the highest cumulative counter
seen, usage the sum over keys. What is remembered is in `meter_tables`, what of a counter counts when in `meter_chain`,
where high words are unknown in `meter_wait`.
"""

from typing import NamedTuple

import numpy as np

from phusong.kernels.clock import TIME_AS_OBSERVED
from phusong.kernels.columns import INT_MISSING, BoolColumn, Int, Int64Column, UsageReadings
from phusong.kernels.days import DAY_MS, TIME_MAX_MS, ict_day
from phusong.kernels.jit import kernel
from phusong.kernels.meter_amounts import TRAFFIC_CLASS_ZERO_RATED, Owner, add_interval, weigh_days
from phusong.kernels.meter_chain import Reading
from phusong.kernels.meter_land import COUNTED, DUPLICATE, STALE, land, land_at_top
from phusong.kernels.meter_tables import (
    A_CLOCK_FAR,
    A_COUNTED,
    A_DUPLICATE,
    A_INFERRED,
    A_QUARANTINED,
    A_RECEIVED,
    A_STALE,
    C_ACCOUNT,
    C_CHANGED,
    C_NODE,
    C_SIM_DAY,
    C_WAIT,
    D_MARKS,
    HAS_READING,
    N_NEXT,
    NONE,
    S_HEAD,
    S_SIM,
    S_WAIT_TAIL,
    W_DOWN,
    W_DOWN_HIGH,
    W_ORDER,
    W_SEQUENCE,
    W_START,
    W_TIME,
    W_UP,
    W_UP_HIGH,
    Tables,
    account_of,
    sim_day_of,
)
from phusong.kernels.meter_wait import land_exact, land_wait
from phusong.kernels.reject import TAKEN, Reject
from phusong.kernels.screen_usage import counter_value

RECORD_TYPE_START = 1
CLOCK_FAR = int(Reject.CLOCK_FAR)
COUNTER_WENT_BACK = int(Reject.COUNTER_WENT_BACK)

# One row can touch every day there is and no more.
DAY_COUNT_MAX = TIME_MAX_MS // DAY_MS + 2


class UsageRows(NamedTuple):
    """What the rows of a batch belong to, one entry a row."""

    session: Int64Column  # row in Tables.sessions; NONE for deltas and rows that are not counted
    sim: Int64Column  # row in Tables.sims, for deltas; NONE otherwise
    source: Int64Column
    operator: Int64Column
    time_ms: Int64Column
    time_flag: Int64Column
    received_time_ms: Int64Column
    is_repeated: BoolColumn


@kernel
def starts_of(readings: UsageReadings, time_ms: Int, i: Int) -> tuple[Int, Int]:
    """Return when the counter of a row started (its life), and since when the row counts; INT_MISSING if not said.

    The start of a life comes from the session's own age, which no wrong clock can shift; the start of an interval may be
    that of the last report only, and says nothing about resets.
    """
    life: Int = np.int64(INT_MISSING)
    if readings.session_time_ms[i] != INT_MISSING:
        life = max(time_ms - readings.session_time_ms[i], np.int64(0))
    elif readings.record_type[i] == RECORD_TYPE_START:
        life = time_ms
    start = life
    if readings.interval_start_time_ms[i] != INT_MISSING:
        # Kept as a length, so that a corrected clock corrects both ends.
        length_ms = readings.observed_time_ms[i] - readings.interval_start_time_ms[i]
        start = max(time_ms - length_ms, np.int64(0))
    return life, start


@kernel
def is_inferred(readings: UsageReadings, i: Int) -> bool:
    """Tell whether the high word of a 32-bit counter is unknown. A start with no bytes is known to be 0."""
    if readings.counter_width_bits[i] != 32:
        return False
    if (
        readings.record_type[i] == RECORD_TYPE_START
        and readings.uplink_bytes[i] == 0
        and readings.downlink_bytes[i] == 0
    ):
        return False
    return bool(
        readings.uplink_gigawords[i] == INT_MISSING or readings.downlink_gigawords[i] == INT_MISSING
    )


@kernel
def write_wait(t: Tables, readings: UsageReadings, i: Int, time_ms: Int, start: Int) -> Int:
    """Write a row whose high word is unknown into the next free waiting row; return that row."""
    wait = t.used[C_WAIT]
    age_ms = readings.session_time_ms[i]
    t.waits[wait, :] = NONE
    t.waits[wait, W_ORDER] = time_ms if age_ms == INT_MISSING else age_ms
    t.waits[wait, W_SEQUENCE] = readings.sequence[i]
    t.waits[wait, W_TIME] = time_ms
    t.waits[wait, W_UP] = readings.uplink_bytes[i]
    t.waits[wait, W_DOWN] = readings.downlink_bytes[i]
    t.waits[wait, W_UP_HIGH] = readings.uplink_gigawords[i]
    t.waits[wait, W_DOWN_HIGH] = readings.downlink_gigawords[i]
    t.waits[wait, W_START] = start
    return np.int64(wait)


@kernel
def count_nodes(t: Tables, session: Int) -> Int:
    """Return how many nodes a session's chain has."""
    count = np.int64(0)
    node = t.sessions[session, S_HEAD]
    while node != NONE:
        count += 1
        node = t.nodes[node, N_NEXT]
    return count


@kernel
def has_room(t: Tables, node_count: Int) -> bool:
    """Tell whether every table has room for whatever one more row can add, `node_count` nodes among it."""
    return bool(
        t.used[C_NODE] + node_count <= len(t.nodes)
        and t.used[C_SIM_DAY] + DAY_COUNT_MAX <= len(t.sim_days)
        and t.used[C_ACCOUNT] + DAY_COUNT_MAX <= len(t.accounts)
        and t.used[C_CHANGED] + DAY_COUNT_MAX <= len(t.changed)
        and t.used[C_WAIT] < len(t.waits)
    )


@kernel
def add_delta(t: Tables, readings: UsageReadings, rows: UsageRows, i: Int) -> None:
    """Add a row that counts since the previous one. Its batch was not seen before, so it is counted once."""
    time_ms, sim = rows.time_ms[i], rows.sim[i]
    start = starts_of(readings, time_ms, i)[1]
    if readings.interval_start_time_ms[i] == INT_MISSING:
        start = time_ms
    is_zero_rated = readings.traffic_class[i] == TRAFFIC_CLASS_ZERO_RATED
    owner = Owner(sim, rows.source[i], is_zero_rated)
    up = counter_value(readings.uplink_bytes[i], readings.uplink_gigawords[i])
    down = counter_value(readings.downlink_bytes[i], readings.downlink_gigawords[i])
    t.sim_days[sim_day_of(t, sim, ict_day(time_ms)), D_MARKS] |= HAS_READING
    first = add_interval(t, owner, up + down, up, start, time_ms, 1)
    weigh_days(t, sim, first, time_ms)


@kernel
def add_cumulative(t: Tables, readings: UsageReadings, rows: UsageRows, i: Int) -> Int:
    """Take in a row that counts since the start of its counter; return what it is."""
    session, time_ms = rows.session[i], rows.time_ms[i]
    is_zero_rated = readings.traffic_class[i] == TRAFFIC_CLASS_ZERO_RATED
    owner = Owner(t.sessions[session, S_SIM], rows.source[i], is_zero_rated)
    life, start = starts_of(readings, time_ms, i)
    up = counter_value(readings.uplink_bytes[i], readings.uplink_gigawords[i])
    down = counter_value(readings.downlink_bytes[i], readings.downlink_gigawords[i])
    reading = Reading(up, down, time_ms, life, start, ict_day(time_ms))
    if is_inferred(readings, i):
        return land_wait(t, owner, session, write_wait(t, readings, i, time_ms, start), reading)
    if t.sessions[session, S_WAIT_TAIL] != NONE:
        return land_exact(t, owner, session, reading)
    if land_at_top(t, owner, session, reading):
        return COUNTED
    return land(t, owner, session, reading)


@kernel
def add_usage(
    t: Tables, readings: UsageReadings, rows: UsageRows, first: int, reason: Int64Column
) -> int:
    """Add a batch from row `first` on; return how many rows are done, which is less than all when a table is full.

    Rows whose `reason` is not 0 are counted as quarantined and no more; COUNTER_WENT_BACK and CLOCK_FAR are written here.
    """
    for i in range(first, len(reason)):
        time_ms = rows.time_ms[i]
        has_time = 0 < time_ms <= TIME_MAX_MS
        day = ict_day(time_ms if has_time else min(max(rows.received_time_ms[i], 0), TIME_MAX_MS))
        is_taken = reason[i] == TAKEN and not rows.is_repeated[i]
        is_cumulative = is_taken and rows.session[i] != NONE
        is_waiting = is_cumulative and is_inferred(readings, i)
        node_count = np.int64(2)  # one in each chain
        if is_waiting and t.sessions[rows.session[i], S_WAIT_TAIL] == NONE:
            node_count += count_nodes(t, rows.session[i])
        if not has_room(t, node_count):
            return i
        account = account_of(t, rows.source[i], day)
        t.accounts[account, A_RECEIVED] += 1
        if rows.is_repeated[i]:
            t.accounts[account, A_DUPLICATE] += 1
            continue
        if is_taken and not has_time:
            reason[i] = CLOCK_FAR
        if reason[i] != TAKEN:
            t.accounts[account, A_QUARANTINED] += 1
            continue
        if rows.time_flag[i] != TIME_AS_OBSERVED:
            t.accounts[account, A_CLOCK_FAR] += 1
        status: Int = COUNTED
        if is_cumulative:
            status = add_cumulative(t, readings, rows, i)
        else:
            add_delta(t, readings, rows, i)
        if status == COUNTED:
            t.accounts[account, A_COUNTED] += 1
            if is_waiting:
                t.accounts[account, A_INFERRED] += 1
        elif status == DUPLICATE:
            t.accounts[account, A_DUPLICATE] += 1
        elif status == STALE:
            t.accounts[account, A_STALE] += 1
        else:
            t.accounts[account, A_QUARANTINED] += 1
            reason[i] = COUNTER_WENT_BACK
    return len(reason)
