"""What became of everything that arrived, counted by where it came from and why. Integers, mergeable."""

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from phusong.kernels.columns import Int64Column
from phusong.kernels.reject import TAKEN


class RouteKey(NamedTuple):
    """By which a count is kept: bounded, never a SIM or a session."""

    operator: str
    transport: int


class Refusals(NamedTuple):
    """One row per payload or row that is not counted.

    `kind` is a `RowKind` of ingest.proto (0 the payload as a whole), `row` counts within its kind in the payload.
    """

    envelope: Int64Column
    kind: Int64Column
    row: Int64Column
    reason: Int64Column


def no_refusals() -> Refusals:
    """Return refusals of nothing."""
    return Refusals(*(np.zeros(0, np.int64) for _ in Refusals._fields))


def join_refusals(parts: list[Refusals]) -> Refusals:
    """Return the refusals of one frame in the order of its envelopes."""
    if not parts:
        return no_refusals()
    joined = Refusals(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
    order = np.lexsort((joined.row, joined.kind, joined.envelope))
    return Refusals(*(column[order] for column in joined))


@dataclass(slots=True)
class Tallies:
    """Rows and payloads by outcome. received = taken + duplicate + refused, always."""

    received: Counter[RouteKey] = field(default_factory=Counter)
    taken: Counter[RouteKey] = field(default_factory=Counter)
    duplicate: Counter[RouteKey] = field(default_factory=Counter)
    refused: Counter[tuple[RouteKey, int]] = field(default_factory=Counter)

    def add(self, key: RouteKey, reason: Int64Column, is_repeated: np.ndarray) -> None:
        """Count rows by their reason, which is 0 for those taken."""
        self.received[key] += len(reason)
        fresh = reason[~is_repeated]
        self.duplicate[key] += len(reason) - len(fresh)
        values, counts = np.unique(fresh, return_counts=True)
        for value, count in zip(values.tolist(), counts.tolist(), strict=True):
            if value == TAKEN:
                self.taken[key] += count
            else:
                self.refused[(key, value)] += count

    def merge(self, other: "Tallies") -> None:
        """Add the counts of another shard."""
        self.received.update(other.received)
        self.taken.update(other.taken)
        self.duplicate.update(other.duplicate)
        self.refused.update(other.refused)

    def refused_by_reason(self) -> Counter[int]:
        """Return how many payloads and rows were refused for each reason."""
        total: Counter[int] = Counter()
        for (_, reason), count in self.refused.items():
            total[reason] += count
        return total
