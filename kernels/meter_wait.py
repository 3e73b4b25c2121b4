"""Readings of 32-bit counters without Gigawords: their high word is not known, and not zero.

They are kept per session in the order of counting, and their values are inferred from it: each takes the lowest high
word that does not go back, if the growth that needs is plausible for the time. The inference is a function of the
set of readings, so it is made again whenever one lands in between, and what was counted is taken back first.
"""

from phusong.kernels.columns import INT_MISSING, Int
from phusong.kernels.days import ict_day
from phusong.kernels.jit_uncounted import uncounted_kernel
from phusong.kernels.meter_nodes import Reading
from phusong.kernels.meter_tables import (
    EXACT,
    N_HI_DOWN,
    N_HI_TIME,
    N_HI_UP,
    N_LIFE,
    N_LO_DOWN,
    N_LO_TIME,
    N_LO_UP,
    N_PREV,
    NONE,
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
