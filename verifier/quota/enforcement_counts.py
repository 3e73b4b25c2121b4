"""Sums over all decisions there ever were: they only grow, so that a monitoring system can take differences."""

import numpy as np
from numpy.typing import NDArray

from phusong.kernels.columns import Int64Column
from phusong.v1.enforcement_pb2 import Action, Decision
from phusong.verifier.quota.enforcement_table import (
    E_ACKNOWLEDGED,
    E_ARRIVED,
    E_CROSSED,
    E_DECIDED,
    E_SENT,
    E_VERIFIED,
    NONE,
)

STAGES = ("arrived", "decided", "sent", "acknowledged", "verified")
STAGE_BEGINS = (E_CROSSED, E_ARRIVED, E_DECIDED, E_SENT, E_ACKNOWLEDGED)
STAGE_ENDS = (E_ARRIVED, E_DECIDED, E_SENT, E_ACKNOWLEDGED, E_VERIFIED)
ACKNOWLEDGED, VERIFIED, SENT = 3, 4, 2
# Upper edges in ms, each bucket holding its edge; the last bucket is without one. 50 ms is what a decision may take.
EDGES_MS = (
    *(5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000),
    *(300_000, 900_000, 3_600_000),
)
ACTIONS = tuple(sorted(Action.values()))
COUNTED = ("resent", "failed", "early_cuts", "denied_ms", "overshoot_bytes")


class EnforcementCounts:
    """Decisions by action, and how long each stage took."""

    def __init__(self) -> None:
        """Start at 0."""
        self.by_action = np.zeros(max(ACTIONS) + 1, np.int64)
        self.buckets = np.zeros((len(STAGES), len(EDGES_MS) + 1), np.int64)
        self.sum_ms = np.zeros(len(STAGES), np.int64)
        self.resent = 0  # sendings after the first
        self.failed = 0  # acknowledged cuts after which use was seen to go on
        self.early_cuts = 0  # cuts that a restore took back
        self.denied_ms = 0  # between the acknowledgements of such a cut and its restore
        self.overshoot_bytes = 0  # used beyond the quota when it was decided to stop

    def note_decision(self, action: int, decision: Decision) -> None:
        """Count a decision."""
        self.by_action[action] += 1
        crossed, arrived = decision.crossed_time_ms, decision.arrived_time_ms
        if arrived:  # a verifier that starts does not know any more when it was
            self._add(0, np.array([arrived - crossed]))
            self._add(1, np.array([decision.decided_time_ms - arrived]))
        if action in (Action.ACTION_CUT, Action.ACTION_THROTTLE):
            self.overshoot_bytes += max(0, decision.used_bytes - decision.quota_bytes)

    def note_sent(self, first: Int64Column, again_count: int) -> None:
        """Count sendings; first: the rows sent for the first time."""
        self._add(SENT, first[:, E_SENT] - first[:, E_DECIDED])
        self.resent += again_count

    def note_acknowledged(self, rows: Int64Column) -> None:
        """Count rows acknowledged now."""
        rows = rows[
            rows[:, E_SENT] != NONE
        ]  # an acknowledgement may overtake the note of the sending
        self._add(ACKNOWLEDGED, rows[:, E_ACKNOWLEDGED] - rows[:, E_SENT])

    def note_verified(self, rows: Int64Column) -> None:
        """Count rows proven now."""
        self._add(VERIFIED, rows[:, E_VERIFIED] - rows[:, E_ACKNOWLEDGED])

    def note_early_cuts(self, cuts: Int64Column, restores: Int64Column) -> None:
        """Count cuts that were taken back; restores: the rows that did, acknowledged."""
        self.early_cuts += len(cuts)
        known = cuts[:, E_ACKNOWLEDGED] != NONE
        denied = restores[known, E_ACKNOWLEDGED] - cuts[known, E_ACKNOWLEDGED]
        self.denied_ms += int(np.maximum(denied, 0).sum())

    def export(self) -> dict[str, NDArray[np.int64]]:
        """Return the sums by name."""
        counted = np.array([getattr(self, name) for name in COUNTED], np.int64)
        return {
            "by_action": self.by_action.copy(),
            "buckets": self.buckets.copy(),
            "sum_ms": self.sum_ms.copy(),
            "counted": counted,
        }

    def restore(self, arrays: dict[str, NDArray[np.int64]]) -> None:
        """Become what was exported."""
        self.by_action = arrays["by_action"].copy()
        self.buckets, self.sum_ms = arrays["buckets"].copy(), arrays["sum_ms"].copy()
        for name, value in zip(COUNTED, arrays["counted"].tolist(), strict=True):
            setattr(self, name, value)

    def _add(self, stage: int, took_ms: Int64Column) -> None:
        """Add durations. A clock that lies makes one negative: it counts as none."""
        took_ms = np.maximum(took_ms, 0)
        at = np.searchsorted(EDGES_MS, took_ms, side="left")
        self.buckets[stage] += np.bincount(at, minlength=len(EDGES_MS) + 1)
        self.sum_ms[stage] += int(took_ms.sum())
