"""Whether a cut holds, by readings taken after it was acknowledged: flat use proves it, use that goes on refutes it.

The first reading after the acknowledgement tells what was used up to it, whatever the enforcement point did meanwhile, so it only
sets the base. From there on metered use must stay flat; of a throttled SIM, it must stay below the rate. Bytes that a
midnight split attributed neither cut nor accuse, and a reading that brings some proves nothing.
"""

from typing import NamedTuple

import numpy as np

from phusong.kernels.columns import BoolColumn, Int64Column
from phusong.verifier.quota.enforcement_table import (
    E_ACKNOWLEDGED,
    E_BASE_BYTES,
    E_BASE_TIME,
    E_FAILED,
    E_FLAT_COUNT,
    E_LAST_BYTES,
    E_LAST_SPLIT,
    E_LEAKED,
    E_RATE_BITS,
    E_VERIFIED,
    NONE,
)

# What a SIM that is cut may still count: signalling, packets under way, and the rounding of counters.
FLAT_TOLERANCE_BYTES = 1 << 20
# Proven by so many readings after the base, or by one that lies so long after it.
FLAT_READING_COUNT = 2
FLAT_PERIOD_MS = 600_000
BITS_PER_BYTE = 8
MS_PER_S = 1000


class Seen(NamedTuple):
    """What a frame shows of SIMs that were cut, one entry a SIM."""

    used_bytes: Int64Column  # what its day counts after the frame, without indeterminate bytes
    split_bytes: Int64Column  # indeterminate bytes of its day
    oldest_ms: Int64Column  # times of the frame's readings of the SIM
    newest_ms: Int64Column


def observe(rows: Int64Column, seen: Seen) -> BoolColumn:
    """Look at the readings that one frame holds of acknowledged cuts; return which were proven by them.

    rows: int64[n, TABLE_WIDTH], written to.
    """
    used_bytes, split_bytes, oldest_ms, newest_ms = seen
    is_doubtful = (split_bytes != rows[:, E_LAST_SPLIT]) & (rows[:, E_BASE_TIME] != NONE)
    rows[:, E_LAST_SPLIT] = split_bytes
    before = np.where(rows[:, E_BASE_TIME] == NONE, used_bytes, rows[:, E_LAST_BYTES])
    grown = used_bytes - before
    rows[:, E_LAST_BYTES] = used_bytes
    # Readings from before it came late: what they added was used before, and nobody can tell it from the rest.
    is_late = oldest_ms <= rows[:, E_ACKNOWLEDGED]
    rows[is_late, E_BASE_BYTES] += grown[is_late]
    judged = ~is_late & (rows[:, E_BASE_TIME] != NONE)
    first = (newest_ms > rows[:, E_ACKNOWLEDGED]) & (rows[:, E_BASE_TIME] == NONE)
    _begin(rows, first, used_bytes, newest_ms)

    rate_bytes = rows[:, E_RATE_BITS] // BITS_PER_BYTE
    span_ms = np.maximum(newest_ms - rows[:, E_BASE_TIME], 0)
    over = used_bytes - rows[:, E_BASE_BYTES] - rate_bytes * span_ms // MS_PER_S
    is_over = judged & (over > FLAT_TOLERANCE_BYTES)
    rows[is_over, E_LEAKED] += over[is_over]
    rows[is_over, E_FAILED] = newest_ms[is_over]
    rows[is_over, E_VERIFIED] = NONE
    _begin(rows, is_over, used_bytes, newest_ms)  # it may still be stopped

    is_flat = judged & ~is_over & ~is_doubtful & (newest_ms > rows[:, E_BASE_TIME])
    rows[is_flat, E_FLAT_COUNT] += 1
    is_long = (rows[:, E_FLAT_COUNT] >= FLAT_READING_COUNT) | (span_ms >= FLAT_PERIOD_MS)
    proven: BoolColumn = is_flat & is_long & (rows[:, E_VERIFIED] == NONE)
    rows[proven, E_VERIFIED] = newest_ms[proven]
    return proven


def _begin(
    rows: Int64Column, chosen: BoolColumn, used_bytes: Int64Column, newest_ms: Int64Column
) -> None:
    rows[chosen, E_BASE_BYTES] = used_bytes[chosen]
    rows[chosen, E_BASE_TIME] = newest_ms[chosen]
    rows[chosen, E_FLAT_COUNT] = 0
