"""How often each key occurred. State: new, add, merge, export; order, cuts and merges change nothing."""

import numpy as np

from phusong.kernels.columns import Int64Column
from phusong.kernels.identity import KeyTable
from phusong.kernels.jit import kernel


@kernel
def add_counts(row: Int64Column, added: Int64Column, count: Int64Column) -> None:
    """Add to the count of each row."""
    assert len(row) == len(added)
    for i in range(len(row)):
        count[row[i]] += added[i]


def grown(array: Int64Column, row_count: int, empty: int = 0) -> Int64Column:
    """Return the array with room for `row_count` rows, at least doubled when it must grow; new rows hold `empty`."""
    if row_count <= len(array):
        return array
    longer = np.full((max(row_count, 2 * len(array)), *array.shape[1:]), empty, np.int64)
    longer[: len(array)] = array
    return longer


class Tally:
    """Counts per key of `width` int64 columns."""

    def __init__(self, width: int) -> None:
        """Start with nothing counted."""
        self.width = width
        self._table = KeyTable(width)
        self._count = np.zeros(0, np.int64)

    def add(self, *columns: Int64Column) -> None:
        """Count each row of the key columns once."""
        self._add(columns, np.ones(len(columns[0]), np.int64))

    def merge(self, other: "Tally") -> None:
        """Add the counts of another tally."""
        keys, count = other.export()
        self._add(tuple(keys.T), count)

    def export(self) -> tuple[Int64Column, Int64Column]:
        """Return the keys, int64[n, width], and their counts, sorted by key."""
        keys = self._table.keys
        order = np.lexsort(keys.T[::-1])
        return keys[order], self._count[: self._table.count][order]

    def counts(self) -> tuple[Int64Column, Int64Column]:
        """Return the keys and their counts in no order that means anything."""
        return self._table.keys, self._count[: self._table.count]

    def restore(self, keys: Int64Column, count: Int64Column) -> None:
        """Become what was exported."""
        self._table = KeyTable(self.width, np.ascontiguousarray(keys))
        self._count = count.astype(np.int64)

    def _add(self, columns: tuple[Int64Column, ...], added: Int64Column) -> None:
        row = self._table.rows_of(*columns)
        self._count = grown(self._count, self._table.count)
        add_counts(row, added, self._count)
