"""One exact cumulative reading arrives: what it is (new, repeated, stale, impossible) and what it changes."""

from phusong.kernels.columns import INT_MISSING, Int
from phusong.kernels.jit import kernel
from phusong.kernels.meter_amounts import Owner, add_part, weigh_day, weigh_days
from phusong.kernels.meter_chain import (
    START_JITTER_MS,
    Reading,
    add_node,
    join_reading,
    life_of,
    node_of,
    own_day,
    recount_from,
    top_of,
)
from phusong.kernels.meter_tables import (
    EFFECTIVE,
    EMPTY_TIME,
    N_BASE_BYTES,
    N_DAY,
    N_HI_DOWN,
    N_HI_TIME,
    N_HI_UP,
    N_LIFE,
    N_LO_DOWN,
    N_LO_UP,
    N_NEXT,
    N_SIM_DAY,
    NONE,
    S_TAIL,
    Tables,
)

COUNTED = 1
DUPLICATE = 2
STALE = 3
WENT_BACK = 4


@kernel
def is_of_life(t: Tables, node: Int, reading: Reading) -> bool:
    """Tell whether a reading belongs to the life of the newest node."""
    life = t.nodes[node, N_LIFE]
    if reading.life_ms == INT_MISSING:
        return bool(life <= reading.time_ms)
    return bool(abs(life - reading.life_ms) <= START_JITTER_MS)


@kernel
def land_at_top(t: Tables, owner: Owner, session: Int, reading: Reading) -> bool:
    """Count a reading that only raises the newest day of its counter; return whether it was one.

    This is what nearly every reading of a healthy fleet does, and all of it happens in three cache lines.
    """
    node = t.sessions[session, S_TAIL]
    if node == NONE or t.nodes[node, N_DAY] != reading.day or not is_of_life(t, node, reading):
        return False
    raised = reading.up + reading.down - t.nodes[node, N_HI_UP] - t.nodes[node, N_HI_DOWN]
    if (
        raised <= 0
        or t.nodes[node, N_HI_TIME] == EMPTY_TIME
        or t.nodes[node, N_LO_UP] + t.nodes[node, N_LO_DOWN] < t.nodes[node, N_BASE_BYTES]
    ):
        return False
    add_part(t, owner, reading.day, raised, reading.up - t.nodes[node, N_HI_UP], 0)
    t.nodes[node, N_HI_UP] = reading.up
    t.nodes[node, N_HI_DOWN] = reading.down
    t.nodes[node, N_HI_TIME] = reading.time_ms
    weigh_day(t, t.nodes[node, N_SIM_DAY], reading.time_ms)
    return True


@kernel
def is_repeat(t: Tables, node: Int, reading: Reading) -> bool:
    """Tell whether a node's lowest or highest reading shows the same counters."""
    return bool(
        (reading.up == t.nodes[node, N_HI_UP] and reading.down == t.nodes[node, N_HI_DOWN])
        or (reading.up == t.nodes[node, N_LO_UP] and reading.down == t.nodes[node, N_LO_DOWN])
    )


@kernel
def top_of_life(t: Tables, node: Int) -> tuple[Int, Int]:
    """Return the highest value known of a node's life, and when it was last seen; no time when there is none."""
    last = node
    following = t.nodes[node, N_NEXT]
    while following != NONE and t.nodes[following, N_LIFE] == t.nodes[node, N_LIFE]:
        last = following
        following = t.nodes[last, N_NEXT]
    top, _, top_time = top_of(t, last)
    return top, top_time


@kernel
def went_back(t: Tables, node: Int, reading: Reading) -> bool:
    """Tell whether a reading that has joined its node is lower than an earlier one of the same life.

    It stays in its node all the same, because which of the two arrives first is an accident of
    the road, and a value below the base adds no bytes.
    """
    top, top_time = top_of_life(t, node)
    return bool(reading.up + reading.down < top and reading.time_ms > top_time)


@kernel
def land(t: Tables, owner: Owner, session: Int, reading: Reading) -> Int:
    """Take in a reading whose value is known; return COUNTED, DUPLICATE, STALE or WENT_BACK."""
    life = life_of(t, session, reading)
    node = node_of(t, session, EFFECTIVE, life, reading.day)
    own_day(t, owner, node)
    is_known = t.nodes[node, N_HI_TIME] != EMPTY_TIME and is_repeat(t, node, reading)
    touched = add_node(t, owner, node, -1)
    has_changed = join_reading(t, node, reading)
    touched = min(touched, recount_from(t, owner, node))
    weigh_days(t, owner.sim, touched, reading.time_ms)
    if went_back(t, node, reading):
        return WENT_BACK
    if has_changed:
        return COUNTED
    return DUPLICATE if is_known else STALE
