"""What is known of one counter: the lowest and the highest reading of every day of every life of it.

The lowest and the highest of a set do not depend on order, on repeats or on how the set was cut, so neither does
anything computed from them. The usage of a counter is read off its chain of days, oldest first:

    base ── boundary ──► lowest ─────── within ───────► highest = base of the next day
          (may be split)          (of this day for sure)
"""

import numpy as np

from phusong.kernels.columns import INT_MISSING, Int
from phusong.kernels.jit_uncounted import uncounted_kernel
from phusong.kernels.meter_amounts import Owner, add_interval
from phusong.kernels.meter_nodes import START_JITTER_MS, Reading
from phusong.kernels.meter_tables import (
    EMPTY_TIME,
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
    Tables,
)


@uncounted_kernel
def is_lower(t: Tables, node: Int, reading: Reading) -> bool:
    """Tell whether a reading is lower than the lowest of a node: by value, then earlier, then known start."""
    lowest = t.nodes[node, N_LO_UP] + t.nodes[node, N_LO_DOWN]
    if reading.up + reading.down != lowest:
        return bool(reading.up + reading.down < lowest)
    if reading.time_ms != t.nodes[node, N_LO_TIME]:
        return bool(reading.time_ms < t.nodes[node, N_LO_TIME])
    if reading.up != t.nodes[node, N_LO_UP]:
        return bool(reading.up < t.nodes[node, N_LO_UP])
    return bool(reading.start_ms > t.nodes[node, N_LO_START])


@uncounted_kernel
def is_higher(t: Tables, node: Int, reading: Reading) -> bool:
    """Tell whether a reading is higher than the highest of a node: by value, then later."""
    highest = t.nodes[node, N_HI_UP] + t.nodes[node, N_HI_DOWN]
    if reading.up + reading.down != highest:
        return bool(reading.up + reading.down > highest)
    if reading.time_ms != t.nodes[node, N_HI_TIME]:
        return bool(reading.time_ms > t.nodes[node, N_HI_TIME])
    return bool(reading.up > t.nodes[node, N_HI_UP])


@uncounted_kernel
def join_reading(t: Tables, node: Int, reading: Reading) -> bool:
    """Let a node know a reading; return whether that changed it."""
    is_empty = t.nodes[node, N_HI_TIME] == EMPTY_TIME
    is_low = is_empty or is_lower(t, node, reading)
    is_high = is_empty or is_higher(t, node, reading)
    if is_low:
        t.nodes[node, N_LO_UP] = reading.up
        t.nodes[node, N_LO_DOWN] = reading.down
        t.nodes[node, N_LO_TIME] = reading.time_ms
        t.nodes[node, N_LO_START] = reading.start_ms
    if is_high:
        t.nodes[node, N_HI_UP] = reading.up
        t.nodes[node, N_HI_DOWN] = reading.down
        t.nodes[node, N_HI_TIME] = reading.time_ms
    return is_low or is_high


@uncounted_kernel
def top_of(t: Tables, node: Int) -> tuple[Int, Int, Int]:
    """Return the highest value up to the end of a node, its uplink, and when it was last seen.

    Values below the base (a counter that went back without a reason) change nothing.
    """
    base, base_up, base_time = (
        t.nodes[node, N_BASE_BYTES],
        t.nodes[node, N_BASE_UP],
        t.nodes[node, N_BASE_TIME],
    )
    if t.nodes[node, N_HI_TIME] == EMPTY_TIME:
        return base, base_up, base_time
    highest = t.nodes[node, N_HI_UP] + t.nodes[node, N_HI_DOWN]
    if highest > base or (highest == base and t.nodes[node, N_HI_TIME] > base_time):
        return highest, t.nodes[node, N_HI_UP], t.nodes[node, N_HI_TIME]
    return base, base_up, base_time


@uncounted_kernel
def starts_again(t: Tables, node: Int, base: Int, base_time: Int) -> bool:
    """Tell whether a node begins a life that counts from 0 again, rather than going on from `base`.

    The source announced it: the life began after the base was seen, and it is lower, or its session younger, than
    then. A start that merely drifts (a session whose age stands still while idle) is neither.
    """
    previous = t.nodes[node, N_PREV]
    life, life_before = t.nodes[node, N_LIFE], t.nodes[previous, N_LIFE]
    start = t.nodes[node, N_LO_START]
    if life == life_before or start == INT_MISSING or start < base_time - START_JITTER_MS:
        return False
    if t.nodes[node, N_LO_UP] + t.nodes[node, N_LO_DOWN] < base:
        return True
    return bool(
        life_before != LIFE_UNKNOWN and (t.nodes[node, N_LO_TIME] - life < base_time - life_before)
    )


@uncounted_kernel
def base_of(t: Tables, node: Int) -> tuple[Int, Int, Int]:
    """Return from which value, uplink and time the usage of a node is counted.

    A counter that is new or starts again counts from 0 at its start, or at its first reading where the start
    is not known.
    """
    is_empty = t.nodes[node, N_HI_TIME] == EMPTY_TIME
    start = t.nodes[node, N_LO_START]
    if start == INT_MISSING or start > t.nodes[node, N_LO_TIME]:
        start = t.nodes[node, N_LO_TIME]
    if is_empty:
        start = np.int64(INT_MISSING)
    previous = t.nodes[node, N_PREV]
    if previous == NONE:
        return 0, 0, start
    base, base_up, base_time = top_of(t, previous)
    if base_time == INT_MISSING or (not is_empty and starts_again(t, node, base, base_time)):
        return 0, 0, start
    return base, base_up, base_time


@uncounted_kernel
def add_node(t: Tables, owner: Owner, node: Int, sign: Int) -> Int:
    """Add (sign 1) or take back (sign -1) the usage of a node; return the first day it touches.

    Where the lowest reading lies below the base it cannot be placed, and the interval goes to the highest.
    """
    day = t.nodes[node, N_DAY]
    if t.nodes[node, N_HI_TIME] == EMPTY_TIME:
        return np.int64(day)
    base, base_up, base_time = (
        t.nodes[node, N_BASE_BYTES],
        t.nodes[node, N_BASE_UP],
        t.nodes[node, N_BASE_TIME],
    )
    low_up, high_up = t.nodes[node, N_LO_UP], t.nodes[node, N_HI_UP]
    low, high = low_up + t.nodes[node, N_LO_DOWN], high_up + t.nodes[node, N_HI_DOWN]
    if high <= base:
        return np.int64(day)
    if low < base:
        return add_interval(
            t, owner, high - base, high_up - base_up, base_time, t.nodes[node, N_HI_TIME], sign
        )
    first = add_interval(
        t, owner, low - base, low_up - base_up, base_time, t.nodes[node, N_LO_TIME], sign
    )
    if high > low:
        # By its own midnight a node ends with its day; the time of the lowest may be later than the highest's.
        add_interval(
            t,
            owner,
            high - low,
            high_up - low_up,
            t.nodes[node, N_HI_TIME],
            t.nodes[node, N_HI_TIME],
            sign,
        )
    return np.int64(min(first, day))


@uncounted_kernel
def recount_from(t: Tables, owner: Owner, node: Int) -> Int:
    """Count a changed node whose old usage was taken back, and those after it whose base moved.

    Returns the first day touched.
    """
    first = t.nodes[node, N_DAY]
    is_first = True
    while node != NONE:
        base, base_up, base_time = base_of(t, node)
        if not is_first:
            if (
                base == t.nodes[node, N_BASE_BYTES]
                and base_up == t.nodes[node, N_BASE_UP]
                and base_time == t.nodes[node, N_BASE_TIME]
            ):
                break
            first = min(first, add_node(t, owner, node, -1))
        t.nodes[node, N_BASE_BYTES] = base
        t.nodes[node, N_BASE_UP] = base_up
        t.nodes[node, N_BASE_TIME] = base_time
        first = min(first, add_node(t, owner, node, 1))
        is_first = False
        node = t.nodes[node, N_NEXT]
    return np.int64(first)
