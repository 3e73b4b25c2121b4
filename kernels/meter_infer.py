"""Counting what is inferred: when a reading lands among those whose high word is unknown, all of them are inferred again.

That costs as much as the session is long, so each session has an allowance of it; past it, what it counted stands, and
only readings that come in order are believed.
"""

import numpy as np

from phusong.kernels.columns import INT_MISSING, Int
from phusong.kernels.days import ict_day
from phusong.kernels.jit_uncounted import uncounted_kernel
from phusong.kernels.meter_amounts import Owner, weigh_days
from phusong.kernels.meter_chain import add_node, base_of, join_reading
from phusong.kernels.meter_land import COUNTED, DUPLICATE, WENT_BACK, land
from phusong.kernels.meter_nodes import Reading, life_of, node_of, own_day
from phusong.kernels.meter_tables import (
    C_WAIT,
    EFFECTIVE,
    EMPTY_TIME,
    EXACT,
    LIFE_UNKNOWN,
    N_BASE_BYTES,
    N_BASE_TIME,
    N_BASE_UP,
    N_DAY,
    N_HI_DOWN,
    N_HI_TIME,
    N_HI_UP,
    N_LIFE,
    N_LO_DOWN,
    N_LO_START,
    N_LO_TIME,
    N_LO_UP,
    N_NEXT,
    NONE,
    S_EXACT_HEAD,
    S_HEAD,
    S_INFER_STEPS,
    S_NODE_COUNT,
    S_WAIT_COUNT,
    S_WAIT_HEAD,
    S_WAIT_TAIL,
    S_WAIT_TIME,
    W_LIFE,
    W_NEXT,
    W_ORDER,
    W_PREV,
    W_TIME,
    W_VALUE_UP,
    WAIT_COUNT_MAX,
    WAIT_WIDTH,
    Tables,
)
from phusong.kernels.meter_wait import UNRESOLVED, insert_wait, is_before, reading_of, resolve

# Takes back, infers and counts again: a step is a waiting reading looked up among the days of its counter, or a day counted.
# A week of reports every ten minutes that comes wholly backwards takes 4 million.
INFER_STEPS_MAX = 2**23


@uncounted_kernel
def join_known(t: Tables, session: Int, chain: Int, node: Int) -> None:
    """Let a chain know the lowest and the highest reading of a node of the other chain."""
    day = t.nodes[node, N_DAY]
    life = t.nodes[node, N_LIFE]
    target = node_of(t, session, chain, life, day)
    low = Reading(
        t.nodes[node, N_LO_UP],
        t.nodes[node, N_LO_DOWN],
        t.nodes[node, N_LO_TIME],
        life,
        t.nodes[node, N_LO_START],
        day,
    )
    high = Reading(
        t.nodes[node, N_HI_UP],
        t.nodes[node, N_HI_DOWN],
        t.nodes[node, N_HI_TIME],
        life,
        np.int64(INT_MISSING),
        day,
    )
    join_reading(t, target, low)
    join_reading(t, target, high)


@uncounted_kernel
def keep_exact_apart(t: Tables, session: Int) -> None:
    """Copy what is known exactly, before the first inferred value joins it."""
    node = t.sessions[session, S_HEAD]
    while node != NONE:
        join_known(t, session, EXACT, node)
        node = t.nodes[node, N_NEXT]


@uncounted_kernel
def infer_again(t: Tables, owner: Owner, session: Int) -> Int:
    """Take back what a session counted, infer every waiting reading anew and count again.

    Returns the first day touched.
    """
    steps = t.sessions[session, S_WAIT_COUNT] * t.sessions[session, S_NODE_COUNT]
    node = t.sessions[session, S_HEAD]
    touched: Int = np.int64(2**62)
    while node != NONE:
        touched = min(touched, add_node(t, owner, node, -1))
        t.nodes[node, N_HI_TIME] = EMPTY_TIME
        node = t.nodes[node, N_NEXT]
    node = t.sessions[session, S_EXACT_HEAD]
    while node != NONE:
        join_known(t, session, EFFECTIVE, node)
        node = t.nodes[node, N_NEXT]
    wait = t.sessions[session, S_WAIT_HEAD]
    while wait != NONE:
        if resolve(t, session, wait):
            day = ict_day(t.waits[wait, W_TIME])
            node = node_of(t, session, EFFECTIVE, t.waits[wait, W_LIFE], day)
            join_reading(t, node, reading_of(t, wait))
        wait = t.waits[wait, W_NEXT]
    node = t.sessions[session, S_HEAD]
    while node != NONE:
        own_day(t, owner, node)
        base_up_time = base_of(t, node)
        t.nodes[node, N_BASE_BYTES] = base_up_time[0]
        t.nodes[node, N_BASE_UP] = base_up_time[1]
        t.nodes[node, N_BASE_TIME] = base_up_time[2]
        first = add_node(t, owner, node, 1)
        steps += t.nodes[node, N_DAY] - first + 1
        touched = min(touched, first)
        node = t.nodes[node, N_NEXT]
    t.sessions[session, S_INFER_STEPS] += steps
    return touched


@uncounted_kernel
def is_settled(t: Tables, session: Int) -> bool:
    """Tell whether a session has used up its allowance, so that nothing is inferred again."""
    return bool(
        t.sessions[session, S_WAIT_COUNT] >= WAIT_COUNT_MAX
        or t.sessions[session, S_INFER_STEPS] >= INFER_STEPS_MAX
    )


@uncounted_kernel
def land_exact(t: Tables, owner: Owner, session: Int, reading: Reading) -> Int:
    """Take in an exact reading of a session that has inferred ones; return what it is."""
    life = life_of(t, session, reading)
    exact = node_of(t, session, EXACT, life, reading.day)
    has_changed = join_reading(t, exact, reading)
    status = land(t, owner, session, reading)
    if (
        not has_changed
        or reading.time_ms > t.sessions[session, S_WAIT_TIME]
        or is_settled(t, session)
    ):
        return status
    touched = infer_again(t, owner, session)
    weigh_days(t, owner.sim, touched, reading.time_ms)
    return status


@uncounted_kernel
def land_settled(t: Tables, owner: Owner, session: Int, wait: Int, reading: Reading) -> Int:
    """Take in the next reading in order of a settled session: it takes the place of the last, and costs no memory."""
    tail = t.sessions[session, S_WAIT_TAIL]
    if reading.time_ms < t.sessions[session, S_WAIT_TIME] or is_before(t, wait, tail):
        return np.int64(WENT_BACK)
    if not is_before(t, tail, wait):
        return DUPLICATE
    t.waits[wait, W_PREV] = tail
    if not resolve(t, session, wait):
        return WENT_BACK
    t.waits[wait, W_PREV] = t.waits[tail, W_PREV]
    for k in range(WAIT_WIDTH):
        t.waits[tail, k] = t.waits[wait, k]
    t.sessions[session, S_WAIT_TIME] = reading.time_ms
    return land(t, owner, session, reading_of(t, tail))


@uncounted_kernel
def land_wait(t: Tables, owner: Owner, session: Int, wait: Int, reading: Reading) -> Int:
    """Take in a reading whose high word is not known, written to the waiting row `wait`; return what it is.

    `reading` carries its times; its counters are not used.
    """
    if t.sessions[session, S_WAIT_TAIL] == NONE:
        keep_exact_apart(t, session)
    life = life_of(t, session, reading)
    t.waits[wait, W_LIFE] = life
    if reading.life_ms == INT_MISSING and life != LIFE_UNKNOWN:
        t.waits[wait, W_ORDER] -= life
    if is_settled(t, session):
        return land_settled(t, owner, session, wait, reading)
    is_latest = reading.time_ms >= t.sessions[session, S_WAIT_TIME]
    if not insert_wait(t, session, wait):
        return DUPLICATE
    t.used[C_WAIT] += 1
    t.sessions[session, S_WAIT_COUNT] += 1
    if is_latest and t.sessions[session, S_WAIT_TAIL] == wait:
        if not resolve(t, session, wait):
            return WENT_BACK
        return land(t, owner, session, reading_of(t, wait))
    touched = infer_again(t, owner, session)
    weigh_days(t, owner.sim, touched, reading.time_ms)
    return WENT_BACK if t.waits[wait, W_VALUE_UP] == UNRESOLVED else COUNTED
