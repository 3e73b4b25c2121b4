"""Spans of time per key, as a union: what overlaps or touches becomes one. Order, repeats, cuts and merges change nothing.

A station that reports every five minutes for a year, without a pause, is one span.
"""

from typing import NamedTuple

import numpy as np

from phusong.kernels.columns import Int64Column
from phusong.kernels.identity import KeyTable
from phusong.kernels.jit import kernel

# Spans wait until there are as many as were joined before, and at least so many: then each is sorted a few times in all.
WAITING_COUNT_MIN = 1 << 14


class Spans(NamedTuple):
    """One row per span, both ends included."""

    row: Int64Column  # of a key
    first_ms: Int64Column
    last_ms: Int64Column


@kernel
def join_spans(row: Int64Column, first_ms: Int64Column, last_ms: Int64Column) -> int:
    """Join the spans of each key, in place; return how many are left, which stand in front.

    Rows are sorted by key and then by where a span begins. Spans that touch (one ends in the millisecond before
    the other begins) are one.
    """
    assert len(row) == len(first_ms)
    assert len(row) == len(last_ms)
    kept = -1
    for i in range(len(row)):
        if kept >= 0 and row[i] == row[kept] and first_ms[i] <= last_ms[kept] + 1:
            last_ms[kept] = max(last_ms[kept], last_ms[i])
        else:
            kept += 1
            row[kept], first_ms[kept], last_ms[kept] = row[i], first_ms[i], last_ms[i]
    return kept + 1


class SpanUnion:
    """The union of the spans of each key of `width` int64 columns."""

    def __init__(self, width: int) -> None:
        """Start with none."""
        self.width = width
        self._table = KeyTable(width)
        self._joined = _no_spans()
        self._waiting: list[Spans] = []
        self._waiting_count = 0

    def add(
        self, keys: tuple[Int64Column, ...], first_ms: Int64Column, last_ms: Int64Column
    ) -> None:
        """Add one span per row; none ends before it begins."""
        assert (first_ms <= last_ms).all(), "a span has an end"
        if not len(first_ms):
            return
        self._waiting.append(Spans(self._table.rows_of(*keys), first_ms, last_ms))
        self._waiting_count += len(first_ms)
        if self._waiting_count >= max(WAITING_COUNT_MIN, len(self._joined.row)):
            self._join()

    def merge(self, other: "SpanUnion") -> None:
        """Add the spans of another union."""
        keys, first_ms, last_ms = other.export()
        self.add(tuple(keys.T), first_ms, last_ms)

    def export(self) -> tuple[Int64Column, Int64Column, Int64Column]:
        """Return the key of every span, int64[n, width], and its two ends, sorted by key and time."""
        self._join()
        keys = self._table.keys[self._joined.row]
        order = np.lexsort((self._joined.first_ms, *keys.T[::-1]))
        return keys[order], self._joined.first_ms[order], self._joined.last_ms[order]

    def restore(self, keys: Int64Column, first_ms: Int64Column, last_ms: Int64Column) -> None:
        """Become what was exported."""
        self._table = KeyTable(self.width)
        self._joined, self._waiting, self._waiting_count = _no_spans(), [], 0
        self.add(tuple(np.ascontiguousarray(keys, np.int64).T), first_ms, last_ms)

    def _join(self) -> None:
        if not self._waiting:
            return
        parts = [self._joined, *self._waiting]
        row, first, last = (np.concatenate(columns) for columns in zip(*parts, strict=True))
        order = np.lexsort((first, row))
        row, first, last = row[order], first[order], last[order]
        count = join_spans(row, first, last)
        self._joined = Spans(row[:count].copy(), first[:count].copy(), last[:count].copy())
        self._waiting, self._waiting_count = [], 0


def _no_spans() -> Spans:
    return Spans(*(np.zeros(0, np.int64) for _ in Spans._fields))
