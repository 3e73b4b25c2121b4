"""The chain of a counter: one node for every day of every life of it, oldest first.

A *life* runs from the counter's start at 0 to its reset; sources name it by the age of the session or by a start record.
"""

from typing import NamedTuple

import numpy as np

from phusong.kernels.columns import INT_MISSING, Int
from phusong.kernels.jit_uncounted import uncounted_kernel
from phusong.kernels.meter_amounts import Owner
from phusong.kernels.meter_tables import (
    C_NODE,
    D_MARKS,
    EFFECTIVE,
    EMPTY_TIME,
    EXACT,
    HAS_READING,
    LIFE_UNKNOWN,
    N_BASE_TIME,
    N_DAY,
    N_HI_TIME,
    N_LIFE,
    N_LO_TIME,
    N_NEXT,
    N_PREV,
    N_SIM_DAY,
    NONE,
    S_HEAD,
    S_NODE_COUNT,
    S_TAIL,
    S_WAIT_HEAD,
    W_LIFE,
    W_NEXT,
    W_ORDER,
    Tables,
    sim_day_of,
)

# A life's start is computed from times of whole seconds, and of arrivals where the clock is wrong. Two
# starts a minute apart are one start.
START_JITTER_MS = 60_000


class Reading(NamedTuple):
    """A cumulative reading whose 64-bit value is known."""

    up: Int
    down: Int
    time_ms: Int
    life_ms: Int  # when its counter started, INT_MISSING when it does not say
    start_ms: Int  # since when it counts, INT_MISSING when it does not say
    day: Int


@uncounted_kernel
def name_life(t: Tables, session: Int, life: Int) -> None:
    """Give the readings that did not say when their counter started the start that has become known."""
    for chain in (EFFECTIVE, EXACT):
        node = t.sessions[session, chain + 1]
        while node != NONE and t.nodes[node, N_LIFE] == LIFE_UNKNOWN:
            t.nodes[node, N_LIFE] = life
            node = t.nodes[node, N_NEXT]
    wait = t.sessions[session, S_WAIT_HEAD]
    while wait != NONE and t.waits[wait, W_LIFE] == LIFE_UNKNOWN:
        t.waits[wait, W_LIFE] = life
        t.waits[wait, W_ORDER] -= life
        wait = t.waits[wait, W_NEXT]


@uncounted_kernel
def life_of(t: Tables, session: Int, reading: Reading) -> Int:
    """Return the label of the life a reading belongs to: a known one near its start, or its own."""
    node = t.sessions[session, S_TAIL]
    if reading.life_ms == INT_MISSING:
        while node != NONE and t.nodes[node, N_LIFE] > reading.time_ms:
            node = t.nodes[node, N_PREV]
        return LIFE_UNKNOWN if node == NONE else t.nodes[node, N_LIFE]
    while node != NONE and t.nodes[node, N_LIFE] > reading.life_ms + START_JITTER_MS:
        node = t.nodes[node, N_PREV]
    if node != NONE and t.nodes[node, N_LIFE] >= reading.life_ms - START_JITTER_MS:
        return np.int64(t.nodes[node, N_LIFE])
    if node == NONE or t.nodes[node, N_LIFE] != LIFE_UNKNOWN:
        return reading.life_ms
    # A start before all readings that did not say theirs: it is theirs.
    head = t.sessions[session, S_HEAD]
    if t.nodes[head, N_LO_TIME] >= reading.life_ms - START_JITTER_MS:
        name_life(t, session, reading.life_ms)
    return reading.life_ms


@uncounted_kernel
def link_node(
    t: Tables, session: Int, chain: Int, older: Int, newer: Int, life: Int, day: Int
) -> Int:
    """Add an empty node between two neighbours of a chain, NONE at its ends; return its row."""
    added = t.used[C_NODE]
    t.used[C_NODE] += 1
    t.sessions[session, S_NODE_COUNT] += 1
    t.nodes[added, :] = 0
    t.nodes[added, N_LIFE] = life
    t.nodes[added, N_DAY] = day
    t.nodes[added, N_HI_TIME] = EMPTY_TIME
    t.nodes[added, N_BASE_TIME] = INT_MISSING
    t.nodes[added, N_SIM_DAY] = NONE
    t.nodes[added, N_PREV] = older
    t.nodes[added, N_NEXT] = newer
    if older == NONE:
        t.sessions[session, chain + 1] = added
    else:
        t.nodes[older, N_NEXT] = added
    if newer == NONE:
        t.sessions[session, chain] = added
    else:
        t.nodes[newer, N_PREV] = added
    return np.int64(added)


@uncounted_kernel
def node_of(t: Tables, session: Int, chain: Int, life: Int, day: Int) -> Int:
    """Return the node of a life's day, adding an empty one in its place when new."""
    newer = NONE
    node = t.sessions[session, chain]
    while node != NONE and (
        t.nodes[node, N_LIFE] > life
        or (t.nodes[node, N_LIFE] == life and t.nodes[node, N_DAY] > day)
    ):
        newer = node
        node = t.nodes[node, N_PREV]
    if node != NONE and t.nodes[node, N_LIFE] == life and t.nodes[node, N_DAY] == day:
        return np.int64(node)
    return link_node(t, session, chain, node, newer, life, day)


@uncounted_kernel
def own_day(t: Tables, owner: Owner, node: Int) -> None:
    """Give a node the row of its SIM's day, and note that a reading lies in it."""
    if t.nodes[node, N_SIM_DAY] == NONE:
        row = sim_day_of(t, owner.sim, t.nodes[node, N_DAY])
        t.nodes[node, N_SIM_DAY] = row
        t.sim_days[row, D_MARKS] |= HAS_READING
