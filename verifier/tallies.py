"""What became of everything that arrived, counted by where it came from and why. Integers, mergeable."""

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from phusong.kernels.admission import label_operator
from phusong.kernels.columns import BoolColumn, Int64Column
from phusong.kernels.frame import Route
from phusong.kernels.registers import SourceRegister
from phusong.kernels.reject import TAKEN, Reject
from phusong.kernels.route_names import LABEL_OPERATOR_COUNT_MAX, OPERATOR_OTHER

# A row of a batch that had come before; no reason has this number.
DUPLICATE = max(Reject) + 1
OUTCOME_COUNT = DUPLICATE + 1


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
    _operators: set[str] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        """Remember which operators have counts of their own."""
        self._operators = {key.operator for key in self.received}

    def key_of(self, route: Route, register: SourceRegister | None) -> RouteKey:
        """Return by which a route's rows are counted: its operator while there are few, and never a made-up name."""
        operator = label_operator(route, register)
        if operator not in self._operators:
            if len(self._operators) >= LABEL_OPERATOR_COUNT_MAX:
                operator = OPERATOR_OTHER
            self._operators.add(operator)
        return RouteKey(operator, route.transport)

    def add(
        self,
        keys: list[RouteKey],
        key: Int64Column,
        reason: Int64Column,
        is_repeated: BoolColumn,
    ) -> None:
        """Count rows by their reason, which is 0 for those taken. key: whose each row is, as a place in `keys`."""
        # One number for both, so that rows are counted in one go however many keys there are.
        outcome = np.where(is_repeated, DUPLICATE, reason)
        values, counts = np.unique(key * OUTCOME_COUNT + outcome, return_counts=True)
        for value, count in zip(values.tolist(), counts.tolist(), strict=True):
            whose = keys[value // OUTCOME_COUNT]
            self.received[whose] += count
            found = value % OUTCOME_COUNT
            if found == TAKEN:
                self.taken[whose] += count
            elif found == DUPLICATE:
                self.duplicate[whose] += count
            else:
                self.refused[(whose, found)] += count

    def add_refused(self, key: RouteKey, reason: int, count: int) -> None:
        """Count payloads or file rows that were never rows of ours."""
        self.received[key] += count
        self.refused[(key, reason)] += count

    def merge(self, other: "Tallies") -> None:
        """Add the counts of another shard."""
        self.received.update(other.received)
        self.taken.update(other.taken)
        self.duplicate.update(other.duplicate)
        self.refused.update(other.refused)
        self._operators |= {key.operator for key in self.received}

    def refused_by_reason(self) -> Counter[int]:
        """Return how many payloads and rows were refused for each reason."""
        total: Counter[int] = Counter()
        for (_, reason), count in self.refused.items():
            total[reason] += count
        return total
