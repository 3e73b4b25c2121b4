"""What became of decisions: sent, acknowledged, proven by later readings. Derived from the journal, frame by frame."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phusong.kernels.columns import Int64Column
from phusong.kernels.days import DAY_MS, ICT_OFFSET_MS
from phusong.kernels.identity import EMPTY, KeyTable
from phusong.v1.enforcement_pb2 import Action, Decision, DecisionsSent
from phusong.verifier.names import Names
from phusong.verifier.quota.decisions import parse_decision_key, read_decision_key
from phusong.verifier.quota.enforcement_counts import EnforcementCounts
from phusong.verifier.quota.enforcement_table import (
    ACTION_SHIFT,
    DAY_SHIFT,
    E_ACKNOWLEDGED,
    E_ACTION,
    E_DAY,
    E_DECIDED,
    E_FAILED,
    E_NUMBER,
    E_OPERATOR,
    E_SENT,
    E_SENT_COUNT,
    E_SENT_LAST,
    E_SIM,
    E_SUPERSEDED,
    NONE,
    NUMBER_MAX,
    TABLE_WIDTH,
    TIMES,
    EnforcementTable,
    signed_key,
    step_of,
)
from phusong.verifier.quota.state import QuotaState
from phusong.verifier.quota.verification import Seen, observe

STEERING = (Action.ACTION_CUT, Action.ACTION_THROTTLE, Action.ACTION_RESTORE)
STOPPING = (Action.ACTION_CUT, Action.ACTION_THROTTLE)
# A row has 250 bytes, and 50,000 pupils who use up their day make 200,000 of them: 400 MB in all. Older ones are in the
# journal: a question as of their day finds them.
DAYS_KEPT = 8


class EnforcementState:
    """State over decisions, sendings, acknowledgements and the usage readings after them."""

    def __init__(self, operators: Names) -> None:
        """Start empty. operators: shared with the rest of the state."""
        self.table = EnforcementTable()
        self.counts = EnforcementCounts()
        self.time_max_ms = 0  # the latest thing noted
        self._forgotten_before: int | None = None
        self._operators = operators
        self._steering: dict[tuple[int, int], int] = {}  # SIM and day → the newest row that steers
        # Whose readings prove or refute an acknowledged cut: SIMs, and for each the row of the cut, NONE for no more.
        self._watched_sims = KeyTable(1)
        self._watched_rows = np.empty(0, np.int64)

    @property
    def first_day(self) -> int | None:
        """The first day of which decisions may be kept; None where nothing was forgotten."""
        return self._forgotten_before

    def note_decision(self, decision: Decision, received_time_ms: int) -> None:
        """Take in a decision found in the journal."""
        self.time_max_ms = max(self.time_max_ms, received_time_ms)
        day, sim, action, _ = parse_decision_key(decision.decision_key)
        if len(self.table.rows) and day > self.table.rows[-1, E_DAY]:
            self._forget_before(day - DAYS_KEPT + 1)
        row = self.table.add(self._row_of(decision))
        if row == NONE:
            return
        self.counts.note_decision(action, decision)
        if action in STEERING:
            steered = (signed_key(sim), day)
            before = self._steering.get(steered)
            if before is not None:
                self.table.rows[before, E_SUPERSEDED] = decision.decided_time_ms
                self._unwatch(before)
            self._steering[steered] = row

    def note_sent(self, message: DecisionsSent, received_time_ms: int) -> None:
        """Take in what left for an enforcement point."""
        self.time_max_ms = max(self.time_max_ms, received_time_ms)
        at = self._rows_at(message.operator, message.positions)
        rows = self.table.rows
        first = at[rows[at, E_SENT] == NONE]
        rows[first, E_SENT] = message.sent_time_ms
        rows[at, E_SENT_LAST] = message.sent_time_ms
        rows[at, E_SENT_COUNT] = np.maximum(rows[at, E_SENT_COUNT], message.attempt)
        self.counts.note_sent(rows[first], len(at) if message.attempt > 1 else 0)
        # Where the note comes late.
        self.counts.note_acknowledged(rows[first[rows[first, E_ACKNOWLEDGED] != NONE]])

    def note_acknowledged(self, operator: str, keys: Iterable[str], received_time_ms: int) -> None:
        """Take in what an enforcement point says it did. Keys that name nothing of the operator are ignored."""
        self.time_max_ms = max(self.time_max_ms, received_time_ms)
        found = [key for key in map(read_decision_key, keys) if key is not None]
        found = [key for key in found if 0 <= key[3] <= NUMBER_MAX]
        if not found or operator not in self._operators:
            return
        number = self._operators.row_of(operator)
        at = self.table.at_steps(
            np.full(len(found), number, np.int64),
            np.array([signed_key(sim) for _, sim, _, _ in found], np.int64),
            np.array([step_of(day, action, n) for day, _, action, n in found], np.int64),
        )
        rows = self.table.rows
        at = np.unique(at[at != NONE])
        at = at[rows[at, E_ACKNOWLEDGED] == NONE]
        rows[at, E_ACKNOWLEDGED] = received_time_ms
        self.counts.note_acknowledged(rows[at])
        is_stop = np.isin(rows[at, E_ACTION], STOPPING) & (rows[at, E_SUPERSEDED] == NONE)
        self._watch(at[is_stop])
        self._note_early_cuts(rows[at[rows[at, E_ACTION] == Action.ACTION_RESTORE]])

    def observe(self, subscriber_key: Int64Column, time_ms: Int64Column, quota: QuotaState) -> None:
        """Look at the usage readings of a frame, after `quota` has taken them in."""
        if not self._watched_sims.count or not len(subscriber_key):
            return
        place = self._watched_sims.find(subscriber_key)
        row = np.where(place == EMPTY, NONE, self._watched_rows[place])
        days = (time_ms + ICT_OFFSET_MS) // DAY_MS
        hit = (row != NONE) & (self.table.rows[row, E_DAY] == days)
        if not hit.any():
            return
        at, inverse = np.unique(row[hit], return_inverse=True)
        oldest = np.full(len(at), np.iinfo(np.int64).max)
        newest = np.full(len(at), NONE, np.int64)
        np.minimum.at(oldest, inverse, time_ms[hit])
        np.maximum.at(newest, inverse, time_ms[hit])
        rows = self.table.rows[at]
        failed_before = rows[:, E_FAILED].copy()
        used, split = quota.used_bytes(rows[:, E_SIM], rows[:, E_DAY])
        proven = observe(rows, Seen(used, split, oldest, newest))
        self.table.rows[at] = rows
        self.counts.note_verified(rows[proven])
        self.counts.failed += int(
            np.count_nonzero((failed_before == NONE) & (rows[:, E_FAILED] != NONE))
        )

    def operator_name(self, number: int) -> str:
        """Return the name behind a number of the table."""
        return self._operators.texts[number]

    def export(self) -> dict[str, NDArray[Any]]:
        """Return the state by name."""
        moment = np.array([self.time_max_ms, self._forgotten_before or NONE], np.int64)
        return {"rows": self.table.rows.copy(), "moment": moment} | self.counts.export()

    def restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Become what was exported."""
        self.table = EnforcementTable(arrays["rows"])
        self.time_max_ms, forgotten_before = arrays["moment"].tolist()
        self._forgotten_before = None if forgotten_before == NONE else forgotten_before
        self.counts.restore(arrays)
        self._place()

    def _row_of(self, decision: Decision) -> list[int]:
        day, sim, action, number = parse_decision_key(decision.decision_key)
        row = [
            self._operators.row_of(decision.operator),
            decision.position,
            signed_key(sim),
            day,
            action,
            number,
            decision.threshold_percent,
            decision.used_bytes,
            decision.quota_bytes,
            decision.throttle_bits_per_s,
            decision.crossed_time_ms,
            decision.arrived_time_ms or NONE,
            decision.decided_time_ms,
        ]
        row += [0] * (TABLE_WIDTH - len(row))
        for column in TIMES:
            if column > E_DECIDED:
                row[column] = NONE
        return row

    def _rows_at(self, operator: str, positions: Iterable[int]) -> Int64Column:
        if operator not in self._operators:
            return np.empty(0, np.int64)
        return self.table.at_positions(
            self._operators.row_of(operator), np.array(list(positions), np.int64)
        )

    def _note_early_cuts(self, restores: Int64Column) -> None:
        """Count what acknowledged restores took back: who was cut until then had been cut too early."""
        for action in STOPPING:
            step = restores[:, E_DAY] << DAY_SHIFT | action << ACTION_SHIFT | restores[:, E_NUMBER]
            at = self.table.at_steps(
                restores[:, E_OPERATOR].copy(), restores[:, E_SIM].copy(), step
            )
            self.counts.note_early_cuts(self.table.rows[at[at != NONE]], restores[at != NONE])

    def _watch(self, at: Int64Column) -> None:
        """Look at the readings of the SIMs of these rows; of two days of one SIM, at those of the later."""
        at = at[np.argsort(self.table.rows[at, E_DAY], kind="stable")]
        place = self._watched_sims.rows_of(self.table.rows[at, E_SIM].copy())
        grown = self._watched_sims.count - len(self._watched_rows)
        if grown > 0:
            room = np.full(max(grown, len(self._watched_rows)), NONE, np.int64)
            self._watched_rows = np.append(self._watched_rows, room)
        self._watched_rows[place] = at

    def _unwatch(self, row: int) -> None:
        place = int(self._watched_sims.find(self.table.rows[row : row + 1, E_SIM].copy())[0])
        if place != EMPTY and self._watched_rows[place] == row:
            self._watched_rows[place] = NONE

    def _place(self) -> None:
        rows = self.table.rows
        steering = np.flatnonzero(np.isin(rows[:, E_ACTION], STEERING)).tolist()
        self._steering = {(int(rows[row, E_SIM]), int(rows[row, E_DAY])): row for row in steering}
        self._watched_sims, self._watched_rows = KeyTable(1), np.empty(0, np.int64)
        is_watched = np.isin(rows[:, E_ACTION], STOPPING) & (rows[:, E_ACKNOWLEDGED] != NONE)
        self._watch(np.flatnonzero(is_watched & (rows[:, E_SUPERSEDED] == NONE)))

    def _forget_before(self, day: int) -> None:
        rows = self.table.rows
        if len(rows) and int(rows[:, E_DAY].min()) < day:
            self._forgotten_before = day
            self.table = EnforcementTable(rows[rows[:, E_DAY] >= day])
            self._place()
