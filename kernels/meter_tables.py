"""What the meter remembers, as tables of int64: one row a thing, one column a fact.

    session ──► node ⇄ node ⇄ node      what is known of one counter, a node per (life, day), oldest first
       │         └───────► sim_day       what a SIM used on a day
       ├──► wait ⇄ wait                  readings whose high word is not known, in the order of counting
       └──► sim ──► sim_day ─► sim_day   the days of a SIM, newest first
    source ──► account ─► account        counts of readings per source and day, newest first

A *life* of a counter runs from its start at 0 to its reset. A row is as wide as one or two cache lines: the
meter is bound by cache misses, not by arithmetic (DESIGN §6).
"""

from typing import NamedTuple

import numpy as np

from phusong.kernels.columns import Int, Int64Column
from phusong.kernels.jit_uncounted import uncounted_kernel

NONE = -1
EMPTY_TIME = -1  # N_HI_TIME of a node that knows no reading
LIFE_UNKNOWN = -(2**62)  # sorts before every known start

# Session: its key, then the chain of what counts; in the second cache line the chain of exact readings alone, kept
# apart only where high words are inferred, because an inference may have to be taken back.
S_SUBSCRIBER, S_SESSION_KEY, S_SOURCE, S_EPOCH, S_ZERO_RATED, S_TAIL, S_HEAD, S_WAIT_TAIL = range(8)
S_SIM, S_EXACT_TAIL, S_EXACT_HEAD, S_WAIT_HEAD, S_WAIT_TIME = range(8, 13)
S_NODE_COUNT, S_WAIT_COUNT, S_INFER_STEPS = range(13, 16)
SESSION_WIDTH = 16
EFFECTIVE, EXACT = S_TAIL, S_EXACT_TAIL  # a chain's head stands beside its tail

# Both bound what one reading can cost, whatever a source sends. A counter lives a few times in three months of days, and
# does not need a thousand nodes; past them, only readings that raise its newest day or begin the next are believed.
NODE_COUNT_MAX = 1024
# A week of reports every ten minutes may be out of order; in order, there may be any number.
WAIT_COUNT_MAX = 1024

# Where the sum of a day stops, for good: no true sum comes near, and one reading more (at most twice
# COUNTER_MAX_BYTES) or another meter's sum still fits int64. It is not taken back from, so it cannot turn negative.
SUM_MAX_BYTES = 2**61

# How many rows of a batch are looked up together, so that their cache misses overlap.
BLOCK_ROWS = 64

# Node. What the newest reading of a session touches comes first, in one cache line.
N_LIFE, N_DAY, N_HI_UP, N_HI_DOWN, N_HI_TIME, N_SIM_DAY, N_LO_UP, N_LO_DOWN = range(8)
N_BASE_BYTES, N_BASE_UP, N_BASE_TIME, N_LO_TIME, N_LO_START, N_PREV, N_NEXT = range(8, 15)
NODE_WIDTH = 16

# What a SIM used on a day, and what was decided about it.
D_SIM, D_DAY, D_OLDER, D_METERED, D_INDETERMINATE, D_ZERO_RATED, D_CROSSED_TIME, D_MARKS = range(8)
SIM_DAY_WIDTH = 8

# D_MARKS: how many thresholds are reached, whether a reading lies in the day; then what has been decided:
# thresholds notified, cuts, restores.
LEVEL_MASK = 3
HAS_READING = 4
IS_REVISED = 8  # stands in `revised` until that is taken
STATE_MASK = LEVEL_MASK | HAS_READING | IS_REVISED  # what readings say; all else is decided
NOTIFIED_SHIFT = 4  # three bits
CUT_SHIFT = 8  # 24 bits
RESTORE_SHIFT = 32  # 24 bits
ORDINAL_MASK = (1 << 24) - 1

M_NEWEST, M_OPERATOR = range(2)
SIM_WIDTH = 2

A_SOURCE, A_DAY, A_OLDER, A_RECEIVED, A_COUNTED, A_DUPLICATE, A_STALE, A_REJECTED = range(8)
A_QUARANTINED, A_CLOCK_FAR, A_INFERRED, A_UPLINK, A_DOWNLINK = range(8, 13)
ACCOUNT_WIDTH = 13

W_LIFE, W_ORDER, W_SEQUENCE, W_TIME, W_UP, W_DOWN, W_UP_HIGH, W_DOWN_HIGH = range(8)
W_START, W_PREV, W_NEXT, W_VALUE_UP, W_VALUE_DOWN = range(8, 13)
WAIT_WIDTH = 13

# A SIM's day came to another number of thresholds: which day, by a reading of which time, to what level.
H_SIM_DAY, H_TIME, H_LEVEL = range(3)
CHANGE_WIDTH = 3

# A SIM's day that is watched (`C_REVISED_UNTIL`) was counted on: which, and its sums before that.
V_SIM_DAY, V_METERED, V_INDETERMINATE, V_ZERO_RATED = range(4)
REVISION_WIDTH = 4

# Rows in use of the tables that grow inside the kernel.
C_NODE, C_SIM_DAY, C_ACCOUNT, C_WAIT, C_CHANGED = range(5)
C_TOUCHED = 5  # not a count: keeps the compiler from leaving `touch_rows` out
C_REVISED = 6
C_REVISED_UNTIL = 7  # not a count: the last day whose changes are noted
USED_WIDTH = 8


class Tables(NamedTuple):
    """The tables, each int64[capacity, width], and how many rows of them are used."""

    sessions: Int64Column
    nodes: Int64Column
    sims: Int64Column
    sim_days: Int64Column
    sources: Int64Column  # int64[capacity]: the newest account of a source
    accounts: Int64Column
    waits: Int64Column
    changed: Int64Column
    revised: Int64Column
    used: Int64Column  # int64[USED_WIDTH]
    threshold_bytes: Int64Column  # int64[3], rising; the last is the quota


@uncounted_kernel
def insert_sim_day(t: Tables, sim: Int, newer: Int, older: Int, day: Int) -> Int:
    """Add a day of a SIM between two of its rows, NONE at the ends; return the new row."""
    added = t.used[C_SIM_DAY]
    t.used[C_SIM_DAY] += 1
    t.sim_days[added, :] = 0
    t.sim_days[added, D_SIM] = sim
    t.sim_days[added, D_DAY] = day
    t.sim_days[added, D_OLDER] = older
    t.sim_days[added, D_CROSSED_TIME] = NONE
    if newer == NONE:
        t.sims[sim, M_NEWEST] = added
    else:
        t.sim_days[newer, D_OLDER] = added
    return np.int64(added)


@uncounted_kernel
def note_revised(t: Tables, row: Int) -> None:
    """Keep the sums of a SIM's day before they change, where the day is watched."""
    if t.sim_days[row, D_DAY] > t.used[C_REVISED_UNTIL] or t.sim_days[row, D_MARKS] & IS_REVISED:
        return
    t.sim_days[row, D_MARKS] |= IS_REVISED
    added = t.used[C_REVISED]
    t.used[C_REVISED] += 1
    t.revised[added, V_SIM_DAY] = row
    t.revised[added, V_METERED] = t.sim_days[row, D_METERED]
    t.revised[added, V_INDETERMINATE] = t.sim_days[row, D_INDETERMINATE]
    t.revised[added, V_ZERO_RATED] = t.sim_days[row, D_ZERO_RATED]


@uncounted_kernel
def sim_day_of(t: Tables, sim: Int, day: Int) -> Int:
    """Return the row of a SIM's day, adding it when new."""
    newer = np.int64(NONE)
    row = t.sims[sim, M_NEWEST]
    while row != NONE and t.sim_days[row, D_DAY] > day:
        newer = row
        row = t.sim_days[row, D_OLDER]
    if row != NONE and t.sim_days[row, D_DAY] == day:
        return np.int64(row)
    return insert_sim_day(t, sim, newer, row, day)


@uncounted_kernel
def sim_day_before(t: Tables, row: Int) -> Int:
    """Return the row of the day before another row's of the same SIM, adding it when new."""
    day = t.sim_days[row, D_DAY] - 1
    older = t.sim_days[row, D_OLDER]
    if older != NONE and t.sim_days[older, D_DAY] == day:
        return np.int64(older)
    return insert_sim_day(t, t.sim_days[row, D_SIM], row, older, day)


@uncounted_kernel
def insert_account(t: Tables, source: Int, newer: Int, older: Int, day: Int) -> Int:
    """Add a day of a source between two of its rows, NONE at the ends; return the new row."""
    added = t.used[C_ACCOUNT]
    t.used[C_ACCOUNT] += 1
    t.accounts[added, :] = 0
    t.accounts[added, A_SOURCE] = source
    t.accounts[added, A_DAY] = day
    t.accounts[added, A_OLDER] = older
    if newer == NONE:
        t.sources[source] = added
    else:
        t.accounts[newer, A_OLDER] = added
    return np.int64(added)


@uncounted_kernel
def account_of(t: Tables, source: Int, day: Int) -> Int:
    """Return the row of a source's day, adding it when new."""
    newer = np.int64(NONE)
    row = t.sources[source]
    while row != NONE and t.accounts[row, A_DAY] > day:
        newer = row
        row = t.accounts[row, A_OLDER]
    if row != NONE and t.accounts[row, A_DAY] == day:
        return np.int64(row)
    return insert_account(t, source, newer, row, day)


@uncounted_kernel
def account_before(t: Tables, row: Int) -> Int:
    """Return the row of the day before another row's of the same source, adding it when new."""
    day = t.accounts[row, A_DAY] - 1
    older = t.accounts[row, A_OLDER]
    if older != NONE and t.accounts[older, A_DAY] == day:
        return np.int64(older)
    return insert_account(t, t.accounts[row, A_SOURCE], row, older, day)
