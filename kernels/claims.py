"""What each cell claims of itself over time. State: new, add, merge, export; order and cuts change nothing."""

from typing import NamedTuple

import numpy as np

from phusong.kernels.columns import INT_MISSING, Int64Column
from phusong.kernels.identity import KeyTable
from phusong.kernels.jit import kernel
from phusong.kernels.tally import grown

TIME_NEVER_MS = 2**63 - 1
KEY_WIDTH = 4  # plmn, cell_identity, hash of site_code, technology


class ClaimCounts(NamedTuple):
    """One row per cell. `on_air_since_ms` is the earliest time claimed, INT_MISSING when it never was on air."""

    report_count: Int64Column
    first_time_ms: Int64Column
    last_time_ms: Int64Column
    last_on_air: Int64Column  # 1, 0, or INT_MISSING where the latest report does not say
    on_air_since_ms: Int64Column


EMPTY_CLAIM = (0, TIME_NEVER_MS, -1, INT_MISSING, INT_MISSING)


@kernel
def merge_claims(row: Int64Column, other: ClaimCounts, counts: ClaimCounts) -> None:
    """Add what other rows claim, `row[i]` being the row here of their row i.

    Of two reports of one time the higher claim holds: the order of arrival must not decide.
    """
    for i in range(len(row)):
        c = row[i]
        counts.report_count[c] += other.report_count[i]
        counts.first_time_ms[c] = min(counts.first_time_ms[c], other.first_time_ms[i])
        if other.last_time_ms[i] > counts.last_time_ms[c]:
            counts.last_time_ms[c] = other.last_time_ms[i]
            counts.last_on_air[c] = other.last_on_air[i]
        elif other.last_time_ms[i] == counts.last_time_ms[c]:
            counts.last_on_air[c] = max(counts.last_on_air[c], other.last_on_air[i])
        since_ms = other.on_air_since_ms[i]
        if since_ms != INT_MISSING:
            if counts.on_air_since_ms[c] == INT_MISSING or since_ms < counts.on_air_since_ms[c]:
                counts.on_air_since_ms[c] = since_ms


class Claims:
    """Claims per cell and site code."""

    def __init__(self) -> None:
        """Start with none."""
        self._table = KeyTable(KEY_WIDTH)
        self._counts = ClaimCounts(*(np.zeros(0, np.int64) for _ in EMPTY_CLAIM))

    def add(
        self,
        keys: tuple[Int64Column, Int64Column, Int64Column, Int64Column],
        time_ms: Int64Column,
        on_air: Int64Column,
        since_ms: Int64Column,
    ) -> None:
        """Add one report per row; `since_ms` matters where a report says it is on air."""
        row_count = len(time_ms)
        one = ClaimCounts(
            report_count=np.ones(row_count, np.int64),
            first_time_ms=time_ms,
            last_time_ms=time_ms,
            last_on_air=on_air,
            on_air_since_ms=np.where(on_air == 1, since_ms, INT_MISSING),
        )
        self._merge(self._table.rows_of(*keys), one)

    def merge(self, other: "Claims") -> None:
        """Add what other cells claimed."""
        keys, counts = other.export()
        self._merge(self._table.rows_of(*keys.T), counts)

    def export(self) -> tuple[Int64Column, ClaimCounts]:
        """Return the keys, int64[n, KEY_WIDTH], and what they claim, sorted by key."""
        keys = self._table.keys
        order = np.lexsort(keys.T[::-1])
        columns = (column[: self._table.count][order] for column in self._counts)
        return keys[order], ClaimCounts(*columns)

    def restore(self, keys: Int64Column, counts: ClaimCounts) -> None:
        """Become what was exported."""
        self._table = KeyTable(KEY_WIDTH, np.ascontiguousarray(keys))
        self._counts = ClaimCounts(*(column.astype(np.int64) for column in counts))

    def _merge(self, row: Int64Column, other: ClaimCounts) -> None:
        columns = zip(self._counts, EMPTY_CLAIM, strict=True)
        self._counts = ClaimCounts(
            *(grown(column, self._table.count, value) for column, value in columns)
        )
        merge_claims(row, other, self._counts)
