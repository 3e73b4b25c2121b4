"""Readings of 32-bit counters without Gigawords: their high word is not known, and not zero.

They are kept per session in the order of counting, and their values are inferred from it: each takes the lowest high
word that does not go back, if the growth that needs is plausible for the time. The inference is a function of the
set of readings, so it is made again whenever one lands in between, and what was counted is taken back first.
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
    N_PREV,
    NONE,
    S_EXACT_HEAD,
    S_HEAD,
    S_WAIT_COUNT,
    S_WAIT_HEAD,
    S_WAIT_TAIL,
    S_WAIT_TIME,
    W_DOWN,
    W_DOWN_HIGH,
    W_LIFE,
    W_NEXT,
    W_ORDER,
    W_PREV,
    W_START,
    W_TIME,
    W_UP,
    W_UP_HIGH,
    W_VALUE_DOWN,
    W_VALUE_UP,
    WAIT_COUNT_MAX,
    Tables,
)
from phusong.kernels.screen_usage import COUNTER_MAX_BYTES

WRAP_BYTES = 2**32

# No radio carries more to one SIM: 10 Gbit/s, the first 5G peak rate anyone advertised. Times come in whole
# seconds, so one second more is granted.
RATE_MAX_BYTES_PER_MS = 1_250_000
RATE_GRACE_MS = 1_000

# Sorts before every value; an inferred value that is not plausible.
UNRESOLVED = -1


@uncounted_kernel
def is_before(t: Tables, a: Int, b: Int) -> bool:
    """Tell whether one waiting reading was counted before another: life, session time, sequence, time, value."""
    for k in range(W_DOWN_HIGH + 1):
        if t.waits[a, k] != t.waits[b, k]:
            return bool(t.waits[a, k] < t.waits[b, k])
    return False


@uncounted_kernel
def insert_wait(t: Tables, session: Int, wait: Int) -> bool:
    """Link a waiting reading into its place; return False when it is already there."""
    older = t.sessions[session, S_WAIT_TAIL]
    newer = NONE
    while older != NONE and is_before(t, wait, older):
        newer = older
        older = t.waits[older, W_PREV]
    if older != NONE and not is_before(t, older, wait):
        t.waits[older, W_START] = max(t.waits[older, W_START], t.waits[wait, W_START])
        return False
    t.waits[wait, W_PREV] = older
    t.waits[wait, W_NEXT] = newer
    if older == NONE:
        t.sessions[session, S_WAIT_HEAD] = wait
    else:
        t.waits[older, W_NEXT] = wait
    if newer == NONE:
        t.sessions[session, S_WAIT_TAIL] = wait
    else:
        t.waits[newer, W_PREV] = wait
    t.sessions[session, S_WAIT_TIME] = max(t.sessions[session, S_WAIT_TIME], t.waits[wait, W_TIME])
    return True


@uncounted_kernel
def exact_before(t: Tables, session: Int, wait: Int) -> tuple[Int, Int, Int]:
    """Return uplink, downlink and time of the last exact reading known before a waiting one; time INT_MISSING if none."""
    node = t.sessions[session, EXACT]
    while node != NONE:
        if t.nodes[node, N_LIFE] == t.waits[wait, W_LIFE]:
            if t.nodes[node, N_HI_TIME] <= t.waits[wait, W_TIME]:
                return t.nodes[node, N_HI_UP], t.nodes[node, N_HI_DOWN], t.nodes[node, N_HI_TIME]
            if t.nodes[node, N_LO_TIME] <= t.waits[wait, W_TIME]:
                return t.nodes[node, N_LO_UP], t.nodes[node, N_LO_DOWN], t.nodes[node, N_LO_TIME]
        node = t.nodes[node, N_PREV]
    return 0, 0, INT_MISSING


@uncounted_kernel
def value_after(low: Int, high: Int, base: Int) -> Int:
    """Return the 64-bit value of a 32-bit counter: by its high word, or the first one not below `base`."""
    if high != INT_MISSING:
        return high * WRAP_BYTES + low
    value = base // WRAP_BYTES * WRAP_BYTES + low
    return value if value >= base else value + WRAP_BYTES


@uncounted_kernel
def resolve(t: Tables, session: Int, wait: Int) -> bool:
    """Infer the value of a waiting reading from those before it; return whether it is plausible."""
    base_up, base_down, base_time = exact_before(t, session, wait)
    elapsed_ms = t.waits[wait, W_TIME] - base_time if base_time != INT_MISSING else 0
    has_base = base_time != INT_MISSING
    older = t.waits[wait, W_PREV]
    while older != NONE and t.waits[older, W_VALUE_UP] == UNRESOLVED:
        older = t.waits[older, W_PREV]
    if older != NONE and t.waits[older, W_LIFE] == t.waits[wait, W_LIFE]:
        older_up, older_down = t.waits[older, W_VALUE_UP], t.waits[older, W_VALUE_DOWN]
        if not has_base or older_up + older_down >= base_up + base_down:
            has_base = True
            base_up, base_down = older_up, older_down
            elapsed_ms = t.waits[wait, W_ORDER] - t.waits[older, W_ORDER]
    up = value_after(t.waits[wait, W_UP], t.waits[wait, W_UP_HIGH], base_up)
    down = value_after(t.waits[wait, W_DOWN], t.waits[wait, W_DOWN_HIGH], base_down)
    t.waits[wait, W_VALUE_UP] = UNRESOLVED
    if max(up, down) > COUNTER_MAX_BYTES:
        return False
    is_wrapped = up // WRAP_BYTES > base_up // WRAP_BYTES or (
        down // WRAP_BYTES > base_down // WRAP_BYTES
    )
    grown_bytes = up + down - base_up - base_down
    if has_base and is_wrapped:
        if grown_bytes // RATE_MAX_BYTES_PER_MS > max(elapsed_ms, 0) + RATE_GRACE_MS:
            return False
    t.waits[wait, W_VALUE_UP] = up
    t.waits[wait, W_VALUE_DOWN] = down
    return True


@uncounted_kernel
def reading_of(t: Tables, wait: Int) -> Reading:
    """Return a waiting reading with its inferred value."""
    return Reading(
        t.waits[wait, W_VALUE_UP],
        t.waits[wait, W_VALUE_DOWN],
        t.waits[wait, W_TIME],
        t.waits[wait, W_LIFE],
        t.waits[wait, W_START],
        ict_day(t.waits[wait, W_TIME]),
    )


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
        touched = min(touched, add_node(t, owner, node, 1))
        node = t.nodes[node, N_NEXT]
    return touched


@uncounted_kernel
def land_exact(t: Tables, owner: Owner, session: Int, reading: Reading) -> Int:
    """Take in an exact reading of a session that has inferred ones; return what it is."""
    life = life_of(t, session, reading)
    exact = node_of(t, session, EXACT, life, reading.day)
    join_reading(t, exact, reading)
    status = land(t, owner, session, reading)
    if (
        reading.time_ms > t.sessions[session, S_WAIT_TIME]
        or t.sessions[session, S_WAIT_COUNT] >= WAIT_COUNT_MAX
    ):
        return status
    touched = infer_again(t, owner, session)
    weigh_days(t, owner.sim, touched, reading.time_ms)
    return status


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
    tail = t.sessions[session, S_WAIT_TAIL]
    is_latest = reading.time_ms >= t.sessions[session, S_WAIT_TIME]
    if t.sessions[session, S_WAIT_COUNT] >= WAIT_COUNT_MAX:
        if not is_latest or is_before(t, wait, tail):
            return np.int64(WENT_BACK)
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
