"""The first sample of each slot of time, per key: what a device contributes when it may say one thing at a time.

State: new, add, merge, export; order, repeats, cuts and merges change nothing.
"""

import numpy as np

from phusong.kernels.columns import Int64Column
from phusong.kernels.identity import KeyTable
from phusong.kernels.jit import kernel
from phusong.kernels.tally import grown

TIME_NEVER_MS = 2**63 - 1


@kernel
def keep_first(
    row: Int64Column,
    time_ms: Int64Column,
    value: Int64Column,
    kept_time_ms: Int64Column,
    kept_value: Int64Column,
) -> None:
    """Keep the earliest sample of each row, and of several at one time the lowest value: the order of arrival must not decide."""
    assert len(row) == len(time_ms)
    assert len(row) == len(value)
    for i in range(len(row)):
        k = row[i]
        if time_ms[i] < kept_time_ms[k]:
            kept_time_ms[k], kept_value[k] = time_ms[i], value[i]
        elif time_ms[i] == kept_time_ms[k]:
            kept_value[k] = min(kept_value[k], value[i])


@kernel
def mark_spaced(
    device: Int64Column, time_ms: Int64Column, gap_ms: int, is_kept: Int64Column
) -> None:
    """Mark (1) the most samples of each device that lie `gap_ms` apart from each other.

    Rows are sorted by device and time. Taking the earliest that is far enough, again and again, finds the most.
    """
    assert len(device) == len(time_ms)
    assert len(device) == len(is_kept)
    last = -1
    for i in range(len(device)):
        is_far = last < 0 or device[i] != device[last] or time_ms[i] - time_ms[last] >= gap_ms
        is_kept[i] = 1 if is_far else 0
        if is_far:
            last = i


class FirstSamples:
    """The first sample of each key of `width` int64 columns."""

    def __init__(self, width: int) -> None:
        """Start with none."""
        self.width = width
        self._table = KeyTable(width)
        self._time_ms = np.zeros(0, np.int64)
        self._value = np.zeros(0, np.int64)

    def add(self, keys: tuple[Int64Column, ...], time_ms: Int64Column, value: Int64Column) -> None:
        """Add one sample per row."""
        if not len(time_ms):
            return
        row = self._table.rows_of(*keys)
        self._time_ms = grown(self._time_ms, self._table.count, TIME_NEVER_MS)
        self._value = grown(self._value, self._table.count)
        keep_first(row, time_ms, value, self._time_ms, self._value)

    def merge(self, other: "FirstSamples") -> None:
        """Add the samples of another state."""
        keys, time_ms, value = other.export()
        self.add(tuple(keys.T), time_ms, value)

    def export(self) -> tuple[Int64Column, Int64Column, Int64Column]:
        """Return the keys, int64[n, width], and the time and value of the sample of each, sorted by key."""
        keys, count = self._table.keys, self._table.count
        order = np.lexsort(keys.T[::-1])
        return keys[order], self._time_ms[:count][order], self._value[:count][order]

    def restore(self, keys: Int64Column, time_ms: Int64Column, value: Int64Column) -> None:
        """Become what was exported."""
        self._table = KeyTable(self.width, np.ascontiguousarray(keys, np.int64))
        self._time_ms, self._value = time_ms.astype(np.int64), value.astype(np.int64)
