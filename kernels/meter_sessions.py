"""Which counter a row reads: sessions by their whole key, hashed once, key and links in one row.

A session's row starts with its key (subscriber, source, session, class, counter epoch) followed by what the
meter needs next, so that comparing the key also fetches the link to the newest day.
"""

import numpy as np

from phusong.kernels.columns import Int, Int32Column, Int64Column
from phusong.kernels.identity import EMPTY, SLOTS_PER_ROW, mix64
from phusong.kernels.jit import wrapping
from phusong.kernels.jit_uncounted import uncounted_kernel
from phusong.kernels.meter_rows import (
    B_EPOCH,
    B_MARKS,
    B_OWNER,
    B_SESSION_KEY,
    B_SOURCE,
    B_SUBSCRIBER,
    IS_DELTA,
    IS_REPEATED,
    IS_ZERO_RATED,
)
from phusong.kernels.meter_tables import (
    BLOCK_ROWS,
    NONE,
    S_EPOCH,
    S_INFER_STEPS,
    S_NODE_COUNT,
    S_SESSION_KEY,
    S_SIM,
    S_SOURCE,
    S_SUBSCRIBER,
    S_WAIT_COUNT,
    S_ZERO_RATED,
)
from phusong.kernels.reject import TAKEN


@uncounted_kernel
@wrapping
def session_hash(
    subscriber: Int, session_key: Int, source: Int, epoch: Int, zero_rated: Int, seed: Int
) -> Int:
    """Return the bits of a session's key scattered over 64 bits, in a way that only who knows the seed foresees."""
    other = source * np.int64(0x9E3779B97F4A7C1) + epoch * np.int64(0x2545F4914F6CDD1D) + zero_rated
    return mix64(mix64(seed ^ subscriber ^ other) + session_key)


@uncounted_kernel
def hash_of_line(line: Int64Column, seed: Int) -> Int:
    """Return the hash of the session that a line of a batch belongs to."""
    return session_hash(
        line[B_SUBSCRIBER],
        line[B_SESSION_KEY],
        line[B_SOURCE],
        line[B_EPOCH],
        line[B_MARKS] & IS_ZERO_RATED,
        seed,
    )


@uncounted_kernel
def place_sessions(slots: Int32Column, sessions: Int64Column, count: int, seed: Int) -> None:
    """Fill empty `slots` with the rows 0..count-1 of `sessions`."""
    mask = len(slots) - 1
    for row in range(count):
        session = sessions[row]
        slot = mask & session_hash(
            session[S_SUBSCRIBER],
            session[S_SESSION_KEY],
            session[S_SOURCE],
            session[S_EPOCH],
            session[S_ZERO_RATED],
            seed,
        )
        while slots[slot] != EMPTY:
            slot = (slot + 1) & mask
        slots[slot] = row


@uncounted_kernel
def session_of(
    line: Int64Column, hashed: Int, slots: Int32Column, sessions: Int64Column, count: int
) -> Int:
    """Return the row of a line's session; `count` when it is new, and then its key has been written there."""
    mask = len(slots) - 1
    slot = hashed & mask
    zero_rated = line[B_MARKS] & IS_ZERO_RATED
    while slots[slot] != EMPTY:
        row = slots[slot]
        session = sessions[row]
        if (
            session[S_SUBSCRIBER] == line[B_SUBSCRIBER]
            and session[S_SESSION_KEY] == line[B_SESSION_KEY]
            and session[S_SOURCE] == line[B_SOURCE]
            and session[S_EPOCH] == line[B_EPOCH]
            and session[S_ZERO_RATED] == zero_rated
        ):
            return np.int64(row)
        slot = (slot + 1) & mask
    slots[slot] = count
    session = sessions[count]
    session[:] = NONE
    session[S_SUBSCRIBER] = line[B_SUBSCRIBER]
    session[S_SESSION_KEY] = line[B_SESSION_KEY]
    session[S_SOURCE] = line[B_SOURCE]
    session[S_EPOCH] = line[B_EPOCH]
    session[S_ZERO_RATED] = zero_rated
    session[S_NODE_COUNT] = 0
    session[S_WAIT_COUNT] = 0
    session[S_INFER_STEPS] = 0
    return np.int64(count)


@uncounted_kernel
def find_sessions(
    batch: Int64Column,
    reason: Int64Column,
    slots: Int32Column,
    sessions: Int64Column,
    count: int,
    hashed: Int64Column,
    seed: Int,
) -> int:
    """Write the row of its session into every line that is counted and cumulative; return the new count of sessions.

    New sessions hold, as their SIM, the row of the batch that named them first. hashed: int64[BLOCK_ROWS], to work in.
    A block at a time, slots and rows are looked at before they are used: the misses of a block then overlap
    instead of waiting for each other.
    """
    assert len(sessions) >= count + len(batch)
    mask = len(slots) - 1
    for first in range(0, len(batch), BLOCK_ROWS):
        size = min(BLOCK_ROWS, len(batch) - first)
        for k in range(size):
            hashed[k] = hash_of_line(batch[first + k], seed)
        # The sum has to matter, or the compiler leaves the loop out.
        seen = np.int64(0)
        for k in range(size):
            seen += sessions[max(slots[hashed[k] & mask], 0), S_SUBSCRIBER] & 1
        for k in range(size):
            line = batch[first + k]
            if reason[first + k] != TAKEN or line[B_MARKS] & (IS_DELTA | IS_REPEATED):
                continue
            row = session_of(line, hashed[k], slots, sessions, count)
            if row == count:
                sessions[row, S_SIM] = first + k
                count += 1
            line[B_OWNER] = row
        hashed[0] = seen
    return count


def new_slots(row_count: int) -> Int32Column:
    """Return empty slots for so many rows."""
    return np.full(1 << (SLOTS_PER_ROW * row_count - 1).bit_length(), EMPTY, np.int32)
