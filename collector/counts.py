"""What came in and what became of it, counted for metrics. Counters only grow; a snapshot is frozen."""

import threading
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from phusong.collector.judge import Judgement
from phusong.collector.routes import RouteTable
from phusong.kernels.columns import Int64Column
from phusong.kernels.reject import TAKEN, reason_name

# Upper edges, seconds. A commit takes about 3 ms on a good disk; a second means the disk is in trouble.
COMMIT_SECONDS_EDGES = (0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.125, 0.25, 0.5, 1.0, 4.0)


class Origin(NamedTuple):
    """The labels of a count."""

    transport: int  # kernels.frame.Transport
    operator: str


@dataclass(frozen=True, slots=True)
class OriginCounts:
    """What came from one origin."""

    payload_count: int = 0
    payload_bytes: int = 0
    accepted_row_count: int = 0
    duplicate_row_count: int = 0


@dataclass(frozen=True, slots=True)
class IntakeCounts:
    """A moment's counters of the intake."""

    origins: dict[Origin, OriginCounts]
    # A payload that could not be read counts once, a row of a readable one counts once.
    refused: dict[tuple[Origin, str], int]
    commit_count: int
    commit_seconds_sum: float
    # One more than COMMIT_SECONDS_EDGES: how many commits took up to each edge and over the one before.
    commit_seconds_counts: tuple[int, ...]
    queue_bytes: int
    queue_payload_count: int


class Counters:
    """Written by the worker, read by anyone."""

    def __init__(self, table: RouteTable) -> None:
        """Start from nothing."""
        self._table = table
        self._lock = threading.Lock()
        self._totals: dict[int, Int64Column] = {}
        self._refused: Counter[tuple[int, int]] = Counter()
        self._commit_counts = [0] * (len(COMMIT_SECONDS_EDGES) + 1)
        self._commit_seconds = 0.0

    def add(self, judgement: Judgement, length: Int64Column, commit_seconds: float) -> None:
        """Count one committed frame."""
        label = self._table.label[judgement.route]
        duplicate = judgement.repeated_count
        accepted = judgement.row_count - judgement.refused_count - duplicate
        columns = np.stack((np.ones_like(length), length, accepted, duplicate))
        refused_label, refused_reason = _refused(judgement, label)
        with self._lock:
            for number in np.flatnonzero(np.bincount(label)).tolist():
                total = columns[:, label == number].sum(axis=1)
                self._totals[number] = self._totals.get(number, 0) + total
            self._refused.update(zip(refused_label, refused_reason, strict=True))
            self._commit_counts[bisect_left(COMMIT_SECONDS_EDGES, commit_seconds)] += 1
            self._commit_seconds += commit_seconds

    def snapshot(self, queue_bytes: int, queue_payload_count: int) -> IntakeCounts:
        """Return the counters as they stand."""
        with self._lock:
            origins = [Origin(*label) for label in self._table.labels]
            return IntakeCounts(
                origins={
                    origins[number]: OriginCounts(*total.tolist())
                    for number, total in self._totals.items()
                },
                refused={
                    (origins[number], reason_name(reason)): count
                    for (number, reason), count in self._refused.items()
                },
                commit_count=sum(self._commit_counts),
                commit_seconds_sum=self._commit_seconds,
                commit_seconds_counts=tuple(self._commit_counts),
                queue_bytes=queue_bytes,
                queue_payload_count=queue_payload_count,
            )


def _refused(judgement: Judgement, label: Int64Column) -> tuple[list[int], list[int]]:
    """Return the label and the reason of every refused payload and of every refused row of the others."""
    payloads = np.flatnonzero(judgement.reject != TAKEN)
    labels = np.concatenate((label[payloads], label[judgement.refused.payload]))
    reasons = np.concatenate((judgement.reject[payloads], judgement.refused.reason))
    return labels.tolist(), reasons.tolist()
