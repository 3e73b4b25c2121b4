"""Which rows of batches without a sequence came before: exact, and bounded.

A row is known again by its source, the time it was observed (both whole) and the hash of all else it says. What may
still be sent again must be remembered, so what is too old to be told from a repeat is not counted:

    first day                        arrival - 7 days              arrival     + 5 min
    ────┼─────────────────────────────────┼───────────────────────────┼───────────┼────
        │ remembered, though none is taken│ taken once                            │ CLOCK_FAR
    forgotten

A live row observed more than BEHIND_MAX_MS before its arrival is refused as CLOCK_FAR, unless it says that its device held
it so long (`reporting_delay_ms`, up to a year), or an importer brought it. Those are refused here (BEYOND): the rule that
lets days be forgotten must hold for every row. Arrival never runs backwards, so a forgotten day is never asked for.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from phusong.kernels.clock import BEHIND_MAX_MS
from phusong.kernels.columns import Int, Int32Column, Int64Column
from phusong.kernels.days import day_start_ms, ict_day
from phusong.kernels.identity import (
    EMPTY,
    ROW_COUNT_FIRST,
    SEED,
    SLOTS_PER_ROW,
    place_rows,
    slot_of,
)
from phusong.kernels.jit import kernel

# What a row is for this module.
NEW = 0
REPEATED = 1
BEYOND = 2  # nobody could tell it from a repeat, now or later

# Sources that cannot number their batches are exceptional: a week of 208 devices with a reading a minute. 32 bytes each, so
# 64 MiB, for signal readings and for cell reports, in the collector and in the verifier: 256 MiB at the very worst.
IDENTITY_COUNT_MAX = 1 << 21
# Of one source, so that one that floods leaves room for others: a reading every 2.4 seconds for a week.
SOURCE_IDENTITY_COUNT_MAX = 1 << 18

KEY_WIDTH = 3
K_SOURCE, K_TIME, K_HASH = range(KEY_WIDTH)


class Remembered(NamedTuple):
    """The tables: keys int64[capacity, KEY_WIDTH] in order of arrival, slots int32[power of two] of their rows."""

    slots: Int32Column
    keys: Int64Column
    source_count: Int64Column  # how many keys each source has


@kernel
def recall_keys(
    batch: Int64Column,
    remembered: Remembered,
    count: int,
    count_max: Int,
    source_count_max: Int,
    outcome: Int64Column,
    seed: Int,
) -> int:
    """Write of every key of `batch`, in order, whether it is new, and remember it if so; return the new count.

    batch: int64[n, KEY_WIDTH], n no more than there is room for or than `count_max` allows; outcome: int64[n]. Rows that
    are BEYOND already are left alone.
    """
    assert len(batch) == len(outcome)
    slots, keys, source_count = remembered
    mask = len(slots) - 1
    for i in range(len(batch)):
        if outcome[i] == BEYOND:
            continue
        source, time_ms, said = batch[i, K_SOURCE], batch[i, K_TIME], batch[i, K_HASH]
        slot = slot_of(batch[i], mask, seed)
        while slots[slot] != EMPTY:
            row = slots[slot]
            if (
                keys[row, K_HASH] == said
                and keys[row, K_TIME] == time_ms
                and keys[row, K_SOURCE] == source
            ):
                break
            slot = (slot + 1) & mask
        if slots[slot] != EMPTY:
            outcome[i] = REPEATED
        elif count >= count_max or source_count[source] >= source_count_max:
            outcome[i] = BEYOND
        else:
            slots[slot] = count
            keys[count, K_SOURCE] = source
            keys[count, K_TIME] = time_ms
            keys[count, K_HASH] = said
            source_count[source] += 1
            count += 1
            outcome[i] = NEW
    return count


class RowIdentities:
    """The rows of one kind seen within the last week, of all sources."""

    def __init__(
        self,
        count_max: int = IDENTITY_COUNT_MAX,
        source_count_max: int = SOURCE_IDENTITY_COUNT_MAX,
        seed: int = SEED,
    ) -> None:
        """Start with nothing seen."""
        self._count_max = count_max
        self._source_count_max = source_count_max
        self._seed = seed
        self._arrival_ms = 0
        self._count = 0
        self._remembered = self._fresh(np.zeros((0, KEY_WIDTH), np.int64), ROW_COUNT_FIRST)

    @property
    def count(self) -> int:
        """How many rows are remembered."""
        return self._count

    def recall(
        self,
        source: Int64Column,
        observed_time_ms: Int64Column,
        row_hash: Int64Column,
        received_time_ms: int,
    ) -> Int64Column:
        """Take rows in order and tell of each whether it is NEW, REPEATED or BEYOND, int64[n].

        source: a small stable number of the sender, 0, 1, 2 …; row_hash: of `kernels.row_hash`.
        """
        first_ms = max(received_time_ms, self._arrival_ms) - BEHIND_MAX_MS
        self._forget_before(first_ms)
        outcome = np.where(observed_time_ms < first_ms, BEYOND, NEW)
        batch = np.ascontiguousarray(np.stack((source, observed_time_ms, row_hash), axis=1))
        self._reserve(len(batch), int(source.max(initial=-1)))
        self._count = recall_keys(
            batch,
            self._remembered,
            self._count,
            self._count_max,
            self._source_count_max,
            outcome,
            self._seed,
        )
        return outcome

    def export(self) -> dict[str, NDArray[np.int64]]:
        """Return the state as int64 arrays by name."""
        return {
            "key": self._remembered.keys[: self._count].copy(),
            "arrival_ms": np.array([self._arrival_ms], np.int64),
        }

    def restore(self, arrays: dict[str, NDArray[np.int64]]) -> None:
        """Take the state from what `export` returned."""
        self._arrival_ms = int(arrays["arrival_ms"][0])
        self._become(arrays["key"].reshape(-1, KEY_WIDTH))

    def _forget_before(self, first_ms: int) -> None:
        """Forget whole days, when one has ended: going through all keys at every frame would cost more than it frees."""
        arrival_ms = first_ms + BEHIND_MAX_MS
        is_new_day = ict_day(arrival_ms) != ict_day(self._arrival_ms)
        self._arrival_ms = arrival_ms
        if not is_new_day:
            return
        keys = self._remembered.keys[: self._count]
        kept = keys[:, K_TIME] >= day_start_ms(ict_day(first_ms))
        if not kept.all():
            self._become(keys[kept])

    def _become(self, keys: Int64Column) -> None:
        """Remember just these keys."""
        self._remembered = self._fresh(keys, ROW_COUNT_FIRST)
        self._count = len(keys)

    def _reserve(self, row_count: int, source_max: int) -> None:
        _, keys, source_count = self._remembered
        needed = min(self._count + row_count, self._count_max)
        if needed > len(keys):
            self._remembered = self._fresh(keys[: self._count], max(needed, 2 * len(keys)))
        if source_max >= len(source_count):
            room = np.zeros(max(source_max + 1, 2 * len(source_count)), np.int64)
            room[: len(source_count)] = source_count
            self._remembered = self._remembered._replace(source_count=room)

    def _fresh(self, keys: Int64Column, capacity: int) -> Remembered:
        """Return tables of these keys with room for `capacity`, or as many as may ever be."""
        capacity = max(min(capacity, self._count_max), len(keys))
        slots = np.full(1 << (SLOTS_PER_ROW * capacity - 1).bit_length(), EMPTY, np.int32)
        room = np.zeros((capacity, KEY_WIDTH), np.int64)
        room[: len(keys)] = keys
        place_rows(slots, room, len(keys), self._seed)
        return Remembered(slots, room, np.bincount(keys[:, K_SOURCE]).astype(np.int64))
