"""Metering: usage rows in, bytes per SIM and Vietnam day out, exact whatever the order.

The counting model is DOMAIN §3: key (subscriber, source, session, class, counter epoch), value the highest cumulative counter
seen, usage the sum over keys. What is remembered is in `meter_tables`, what of a counter counts when in `meter_chain`,
where high words are unknown in `meter_wait` and `meter_infer`.
"""

import numpy as np

from phusong.kernels.columns import INT_MISSING, Int, Int64Column
from phusong.kernels.days import DAY_MS, TIME_MAX_MS
from phusong.kernels.jit_uncounted import uncounted_kernel
from phusong.kernels.meter_amounts import Owner, add_interval, weigh_day, weigh_days
from phusong.kernels.meter_infer import land_exact, land_wait
from phusong.kernels.meter_land import (
    COUNTED,
    DUPLICATE,
    STALE,
    WENT_BACK,
    land,
    land_on_new_day,
    raise_top,
    touch_rows,
)
from phusong.kernels.meter_nodes import Reading
from phusong.kernels.meter_rows import (
    B_AGE,
    B_DAY,
    B_DOWN,
    B_DOWN_HIGH,
    B_LIFE,
    B_MARKS,
    B_OWNER,
    B_SEQUENCE,
    B_SOURCE,
    B_START,
    B_TIME,
    B_UP,
    B_UP_HIGH,
    HAS_TIME,
    IS_CLOCK_FAR,
    IS_DELTA,
    IS_INFERRED,
    IS_REPEATED,
    IS_ZERO_RATED,
)
from phusong.kernels.meter_tables import (
    A_CLOCK_FAR,
    A_COUNTED,
    A_DAY,
    A_DUPLICATE,
    A_INFERRED,
    A_QUARANTINED,
    A_RECEIVED,
    A_STALE,
    BLOCK_ROWS,
    C_ACCOUNT,
    C_CHANGED,
    C_NODE,
    C_REVISED,
    C_REVISED_UNTIL,
    C_SIM_DAY,
    C_TOUCHED,
    C_WAIT,
    D_MARKS,
    HAS_READING,
    N_NEXT,
    NODE_COUNT_MAX,
    NONE,
    S_HEAD,
    S_NODE_COUNT,
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
from phusong.kernels.reject import TAKEN, Reject

CLOCK_FAR = int(Reject.CLOCK_FAR)
COUNTER_WENT_BACK = int(Reject.COUNTER_WENT_BACK)

# One row can touch every day there is and no more.
DAY_COUNT_MAX = TIME_MAX_MS // DAY_MS + 2


@uncounted_kernel
def write_wait(t: Tables, line: Int64Column) -> Int:
    """Write a row whose high word is unknown into the next free waiting row; return that row."""
    wait = t.used[C_WAIT]
    t.waits[wait, :] = NONE
    t.waits[wait, W_ORDER] = line[B_TIME] if line[B_AGE] == INT_MISSING else line[B_AGE]
    t.waits[wait, W_SEQUENCE] = line[B_SEQUENCE]
    t.waits[wait, W_TIME] = line[B_TIME]
    t.waits[wait, W_UP] = line[B_UP]
    t.waits[wait, W_DOWN] = line[B_DOWN]
    t.waits[wait, W_UP_HIGH] = line[B_UP_HIGH]
    t.waits[wait, W_DOWN_HIGH] = line[B_DOWN_HIGH]
    t.waits[wait, W_START] = line[B_START]
    return np.int64(wait)


@uncounted_kernel
def has_room(t: Tables, line: Int64Column) -> bool:
    """Tell whether every table has room for whatever one more row can add."""
    node_count = np.int64(2)  # one in each chain
    session = line[B_OWNER]
    is_waiting = line[B_MARKS] & IS_INFERRED and not line[B_MARKS] & IS_DELTA
    if is_waiting and session != NONE and t.sessions[session, S_WAIT_TAIL] == NONE:
        node = t.sessions[session, S_HEAD]
        while node != NONE:  # the whole chain is copied
            node_count += 1
            node = t.nodes[node, N_NEXT]
    return bool(
        t.used[C_NODE] + node_count <= len(t.nodes)
        and t.used[C_SIM_DAY] + DAY_COUNT_MAX <= len(t.sim_days)
        and t.used[C_ACCOUNT] + DAY_COUNT_MAX <= len(t.accounts)
        and t.used[C_CHANGED] + DAY_COUNT_MAX <= len(t.changed)
        and t.used[C_REVISED] + DAY_COUNT_MAX <= len(t.revised)
        and t.used[C_WAIT] < len(t.waits)
    )


@uncounted_kernel
def add_delta(t: Tables, line: Int64Column) -> Int:
    """Add a row that counts since the previous one. Its batch was not seen before, so it is counted once."""
    time_ms, sim, up = line[B_TIME], line[B_OWNER], line[B_UP]
    owner = Owner(sim, line[B_SOURCE], bool(line[B_MARKS] & IS_ZERO_RATED))
    start_ms = time_ms if line[B_START] == line[B_LIFE] else line[B_START]
    t.sim_days[sim_day_of(t, sim, line[B_DAY]), D_MARKS] |= HAS_READING
    first = add_interval(t, owner, up + line[B_DOWN], up, start_ms, time_ms, 1)
    weigh_days(t, sim, first, time_ms)
    return COUNTED


@uncounted_kernel
def add_row(t: Tables, line: Int64Column) -> Int:
    """Take in a row that is counted; return what it is."""
    if line[B_MARKS] & IS_DELTA:
        return add_delta(t, line)
    session = line[B_OWNER]
    is_zero_rated = bool(line[B_MARKS] & IS_ZERO_RATED)
    owner = Owner(t.sessions[session, S_SIM], line[B_SOURCE], is_zero_rated)
    reading = Reading(
        line[B_UP], line[B_DOWN], line[B_TIME], line[B_LIFE], line[B_START], line[B_DAY]
    )
    if t.sessions[session, S_NODE_COUNT] >= NODE_COUNT_MAX:
        is_plain = not line[B_MARKS] & IS_INFERRED and t.sessions[session, S_WAIT_TAIL] == NONE
        is_next = is_plain and land_on_new_day(t, owner, session, reading)
        return np.int64(COUNTED if is_next else WENT_BACK)
    if line[B_MARKS] & IS_INFERRED:
        return land_wait(t, owner, session, write_wait(t, line), reading)
    if t.sessions[session, S_WAIT_TAIL] != NONE:
        return land_exact(t, owner, session, reading)
    return land(t, owner, session, reading)


@uncounted_kernel
def add_usage(t: Tables, batch: Int64Column, first: int, reason: Int64Column) -> int:
    """Add a batch from row `first` on; return how many rows are done, which is less than all when a table is full.

    batch: int64[n, BATCH_WIDTH], see `meter_rows`. Rows whose `reason` is not 0 are counted as quarantined and
    no more; COUNTER_WENT_BACK and CLOCK_FAR are written here.
    """
    # Named once: taking an array out of `t` costs as much as looking at it.
    accounts, sources = t.accounts, t.sources
    for i in range(first, len(reason)):
        line = batch[i]
        marks = line[B_MARKS]
        if (i - first) % BLOCK_ROWS == 0:
            t.used[C_TOUCHED] = touch_rows(batch, i, t.sessions, t.nodes, t.sim_days)
        if not has_room(t, line):
            return i
        account = sources[line[B_SOURCE]]
        if account == NONE or accounts[account, A_DAY] != line[B_DAY]:
            account = account_of(t, line[B_SOURCE], line[B_DAY])
        accounts[account, A_RECEIVED] += 1
        if marks & IS_REPEATED:
            accounts[account, A_DUPLICATE] += 1
            continue
        if reason[i] == TAKEN and not marks & HAS_TIME:
            reason[i] = CLOCK_FAR
        if reason[i] != TAKEN:
            accounts[account, A_QUARANTINED] += 1
            continue
        if marks & IS_CLOCK_FAR:
            accounts[account, A_CLOCK_FAR] += 1
        status: Int = COUNTED
        raised: Int = NONE
        # What is watched takes the long road, which notes it.
        if line[B_DAY] > t.used[C_REVISED_UNTIL]:
            raised = raise_top(t.sessions, t.nodes, t.sim_days, accounts[account], line)
        if raised == NONE:
            status = add_row(t, line)
        else:
            weigh_day(t, raised, line[B_TIME])
        if status == COUNTED:
            accounts[account, A_COUNTED] += 1
            if marks & IS_INFERRED:
                accounts[account, A_INFERRED] += 1
        elif status == DUPLICATE:
            accounts[account, A_DUPLICATE] += 1
        elif status == STALE:
            accounts[account, A_STALE] += 1
        else:
            accounts[account, A_QUARANTINED] += 1
            reason[i] = COUNTER_WENT_BACK
    return len(reason)
