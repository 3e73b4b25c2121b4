"""Dense row numbers for identities, so that kernels index arrays and hash once.

A `KeyTable` gives every distinct key (one or more int64 columns, compared whole, never joined into a
string) the next row number, 0, 1, 2 …, in the order in which keys are first seen.
"""

import numpy as np

from phusong.kernels.columns import Int, Int32Column, Int64Column
from phusong.kernels.jit import kernel, wrapping

EMPTY = -1
ROW_COUNT_FIRST = 1024
# Half empty: a lookup then meets 1.5 slots on average, and slots cost 4 bytes each.
SLOTS_PER_ROW = 2
ROW_COUNT_MAX = 2**31 - 1  # slots are int32
# Where a key is looked for must be nobody's guess: keys that all meet in one slot made a batch of 16,384 rows cost seconds,
# and each batch more. Python draws a secret against just this for its own tables, once a process, and its hash of
# any name tells it. Nothing but the order of slots depends on it: no row number, nothing exported.
SEED = hash("phusong.kernels.identity")
# Between the columns of a key, so that (0, 0) and (0, 0, 0) part.
STEP = np.uint64(0x9E3779B97F4A7C1)


@kernel
@wrapping
def mix64(value: Int) -> Int:
    """Return the bits of a key scattered over 64 bits (the finaliser of MurmurHash3)."""
    h = np.uint64(value)
    h ^= h >> np.uint64(33)
    h *= np.uint64(0xFF51AFD7ED558CCD)
    h ^= h >> np.uint64(33)
    h *= np.uint64(0xC4CEB9FE1A85EC53)
    h ^= h >> np.uint64(33)
    return np.int64(h)


@kernel
@wrapping
def slot_of(key: Int64Column, mask: Int, seed: Int) -> Int:
    """Return the first slot to look for a key in; `mask` is the slot count (a power of two) less 1."""
    h = np.uint64(np.int64(seed))
    for i in range(len(key)):
        # Unsigned: Numba leaves a signed sum that overflows undefined.
        h = np.uint64(mix64(np.int64(h) ^ key[i])) + STEP
    return mix64(np.int64(h)) & mask


@kernel
def add_keys(
    batch: Int64Column,
    slots: Int32Column,
    keys: Int64Column,
    count: int,
    row: Int64Column,
    seed: Int,
) -> int:
    """Write the row of every key of `batch` into `row`, adding those not seen; return the new count.

    batch: int64[n, width]; slots: int32[power of two]; keys: int64[capacity, width] with room for n more.
    """
    assert len(keys) >= count + len(batch)
    mask = len(slots) - 1
    width = batch.shape[1]
    for i in range(len(batch)):
        slot = slot_of(batch[i], mask, seed)
        while True:
            candidate = slots[slot]
            if candidate == EMPTY:
                slots[slot] = count
                for k in range(width):
                    keys[count, k] = batch[i, k]
                row[i] = count
                count += 1
                break
            is_equal = True
            for k in range(width):
                if keys[candidate, k] != batch[i, k]:
                    is_equal = False
                    break
            if is_equal:
                row[i] = candidate
                break
            slot = (slot + 1) & mask
    return count


@kernel
def find_keys(
    batch: Int64Column, slots: Int32Column, keys: Int64Column, row: Int64Column, seed: Int
) -> None:
    """Write the row of every key of `batch` into `row`, EMPTY for those never seen."""
    mask = len(slots) - 1
    width = batch.shape[1]
    for i in range(len(batch)):
        slot = slot_of(batch[i], mask, seed)
        while True:
            candidate = slots[slot]
            row[i] = candidate
            if candidate == EMPTY:
                break
            is_equal = True
            for k in range(width):
                if keys[candidate, k] != batch[i, k]:
                    is_equal = False
                    break
            if is_equal:
                break
            slot = (slot + 1) & mask


@kernel
def place_rows(slots: Int32Column, keys: Int64Column, count: int, seed: Int) -> None:
    """Fill empty `slots` with the rows 0..count-1 of `keys`."""
    mask = len(slots) - 1
    for row in range(count):
        slot = slot_of(keys[row], mask, seed)
        while slots[slot] != EMPTY:
            slot = (slot + 1) & mask
        slots[slot] = row


class KeyTable:
    """Row numbers for keys of `width` int64 columns."""

    def __init__(self, width: int, keys: Int64Column | None = None, seed: int = SEED) -> None:
        """Start empty, or from the keys of an earlier table (shape (n, width), in row order)."""
        self._seed = seed
        self.count = 0 if keys is None else len(keys)
        capacity = max(ROW_COUNT_FIRST, self.count)
        self._keys = np.zeros((capacity, width), np.int64)
        if keys is not None:
            self._keys[: self.count] = keys
        self._place()

    @property
    def keys(self) -> Int64Column:
        """The keys in row order, shape (count, width)."""
        return self._keys[: self.count]

    def rows_of(self, *columns: Int64Column) -> Int64Column:
        """Return the row of every key, adding those not seen before."""
        batch = np.ascontiguousarray(np.stack(columns, axis=1), dtype=np.int64)
        self._reserve(len(batch))
        row = np.empty(len(batch), np.int64)
        self.count = add_keys(batch, self._slots, self._keys, self.count, row, self._seed)
        return row

    def find(self, *columns: Int64Column) -> Int64Column:
        """Return the row of every key, EMPTY for those never seen."""
        batch = np.ascontiguousarray(np.stack(columns, axis=1), dtype=np.int64)
        row = np.empty(len(batch), np.int64)
        find_keys(batch, self._slots, self._keys, row, self._seed)
        return row

    def _reserve(self, row_count: int) -> None:
        needed = self.count + row_count
        assert needed <= ROW_COUNT_MAX, "slots are int32"
        if needed <= len(self._keys):
            return
        keys = np.zeros((max(needed, 2 * len(self._keys)), self._keys.shape[1]), np.int64)
        keys[: self.count] = self.keys
        self._keys = keys
        self._place()

    def _place(self) -> None:
        slot_count = 1 << (SLOTS_PER_ROW * len(self._keys) - 1).bit_length()
        self._slots = np.full(slot_count, EMPTY, np.int32)
        place_rows(self._slots, self._keys, self.count, self._seed)
