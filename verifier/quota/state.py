"""Everything the verifier knows of quotas: the meter, who is entitled, and what has been decided."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from phusong.kernels.columns import BoolColumn, Int64Column, UsageReadings
from phusong.kernels.meter_state import Meter
from phusong.kernels.meter_tables import (
    CHANGE_WIDTH,
    D_CROSSED_TIME,
    D_DAY,
    D_INDETERMINATE,
    D_MARKS,
    D_METERED,
    D_SIM,
    H_LEVEL,
    H_SIM_DAY,
    H_TIME,
    M_OPERATOR,
    NONE,
)
from phusong.v1.enforcement_pb2 import Action
from phusong.verifier.names import Names
from phusong.verifier.quota.decisions import (
    KEY_BITS,
    DecisionRecord,
    decision_key,
    has_decided_all,
    implied_steps,
    join_marks,
    mark_step,
    parse_decision_key,
)
from phusong.verifier.quota.report import QuotaDay
from phusong.verifier.quota.reporting import report_day, state_counts
from phusong.verifier.quota.settings import THRESHOLDS_PERCENT, QuotaSettings
from phusong.verifier.registry.sims import SimRegister

Change = tuple[int, int]  # level reached, time of the reading


class Taken(NamedTuple):
    """Decisions handed out for one SIM's day, and the changes of level that led to them."""

    marks: int = 0
    changes: tuple[Change, ...] = ()


class QuotaState:
    """State over usage readings; two states of different SIMs can be merged."""

    def __init__(
        self,
        sims: SimRegister | None,
        settings: QuotaSettings | None = None,
        operators: Names | None = None,
    ) -> None:
        """Start empty. Without a register every SIM is taken for entitled.

        operators: the texts behind the `operator` numbers of `add`, for decisions about unregistered SIMs.
        """
        self.sims = sims
        self.settings = settings or QuotaSettings()
        self.operators = operators
        self.meter = Meter(np.array(self.settings.threshold_bytes, np.int64))
        # By row of the SIM's day: what has been taken and is not yet seen in the journal.
        self._taken: dict[int, Taken] = {}

    def add(  # noqa: PLR0917  a column set grouped once more would name nothing
        self,
        readings: UsageReadings,
        time_ms: Int64Column,
        time_flag: Int64Column,
        received_time_ms: Int64Column,
        source: Int64Column,
        operator: Int64Column,
        is_repeated: BoolColumn,
        reason: Int64Column,
    ) -> None:
        """Count the rows whose reason is 0; write COUNTER_WENT_BACK or CLOCK_FAR where only state can tell.

        Every row is accounted for under its source and the Vietnam day of `time_ms`.
        """
        self.meter.add(
            readings, time_ms, time_flag, received_time_ms, source, operator, is_repeated, reason
        )

    def add_rejected(self, source: int, ict_day: int, count: int) -> None:
        """Account for payloads of a source that could not be read."""
        self.meter.add_rejected(source, ict_day, count)

    def day(self, ict_day: int) -> QuotaDay:
        """Return the report of a day."""
        return report_day(self.meter, self.sims, self.settings, ict_day)

    def state_counts(self, ict_day: int) -> dict[str, int]:
        """Return how many SIMs of a day are in each state; cheap at any number of SIMs."""
        return state_counts(self.meter, self.sims, self.settings, ict_day)

    def take_decisions(self, first_day: int | None = None) -> list[DecisionRecord]:
        """Return what the state implies and nobody decided or took before, in the order of the readings.

        first_day: days before it are past deciding and forgotten.
        """
        changes = self.meter.take_changes()
        if not len(changes):
            return []
        if first_day is not None:
            changes = changes[self.meter.sim_days[changes[:, H_SIM_DAY], D_DAY] >= first_day]
        found: dict[int, list[Change]] = {}
        for row, time_ms, level in changes[:, [H_SIM_DAY, H_TIME, H_LEVEL]].tolist():
            found.setdefault(row, []).append((level, time_ms))
        return [record for row in found for record in self._decide(row, found[row])]

    def note_decided(self, key: str) -> None:
        """Mark a decision found in the journal as decided."""
        ict_day, sim, action, number = parse_decision_key(key)
        signed = sim - 2**KEY_BITS if sim >= 2 ** (KEY_BITS - 1) else sim
        row = self.meter.sim_day_row(signed, ict_day)
        day = self.meter.sim_days[row]
        day[D_MARKS] = mark_step(int(day[D_MARKS]), action, number)
        if has_decided_all(int(day[D_MARKS]), self._taken.get(row, Taken()).marks):
            self._taken.pop(row, None)

    def merge(self, other: "QuotaState") -> None:
        """Take in the state of other SIMs. Decisions taken and not yet noted are implied anew."""
        for state in (self, other):
            state.meter.note_changes(state.open_changes())
            state.forget_taken()
        self.meter.merge(other.meter)

    def export(self) -> dict[str, NDArray[Any]]:
        """Return the state by name. What was taken and not noted is implied again after a restart."""
        arrays = self.meter.export()
        arrays["changed"] = np.concatenate([arrays["changed"], self.open_changes()])
        return dict(arrays)

    def restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Become what was exported under the same settings."""
        self.meter.restore(arrays)
        self.forget_taken()

    def forget_taken(self) -> None:
        """Forget which decisions were taken; those not noted are implied again by their changes."""
        self._taken.clear()

    def open_changes(self) -> Int64Column:
        """Return, as rows of `Tables.changed`, the SIM-days with decisions taken and not noted."""
        open_rows = [
            (row, time_ms, level)
            for row, taken in self._taken.items()
            if not has_decided_all(int(self.meter.sim_days[row, D_MARKS]), taken.marks)
            for level, time_ms in taken.changes
        ]
        return np.array(open_rows, np.int64).reshape(-1, CHANGE_WIDTH)

    def _decide(self, row: int, changes: list[Change]) -> list[DecisionRecord]:
        day = self.meter.sim_days[row]
        key = self.meter.sim_keys.keys[day[D_SIM]]
        if self.sims is not None and not self.sims.is_entitled(key, int(day[D_DAY]))[0]:
            return []
        before = self._taken.get(row, Taken())
        taken = Taken(join_marks(int(day[D_MARKS]), before.marks), (*before.changes, *changes))
        records = []
        for action, percent, number in implied_steps(taken.marks):
            records.append(self._record(row, action, (percent, number), taken.changes))
            taken = taken._replace(marks=mark_step(taken.marks, action, number))
        if not has_decided_all(int(day[D_MARKS]), taken.marks):
            self._taken[row] = taken
        return records

    def _record(
        self, row: int, action: int, step: tuple[int, int], changes: tuple[Change, ...]
    ) -> DecisionRecord:
        percent, number = step
        day = self.meter.sim_days[row]
        sim = int(self.meter.sim_keys.keys[day[D_SIM], 0]) % 2**KEY_BITS
        level = THRESHOLDS_PERCENT.index(percent) + 1
        reached = [time_ms for now, time_ms in changes if now >= level]
        # The change may have been forgotten while its day was past deciding; the cut's time is kept with the day.
        is_known = action == Action.ACTION_NOTIFY and reached
        crossed_ms = reached[0] if is_known else int(day[D_CROSSED_TIME])
        return DecisionRecord(
            operator=self._operator_of(int(day[D_SIM])),
            subscriber_key=sim,
            action=action,
            threshold_percent=percent,
            ict_day=int(day[D_DAY]),
            used_bytes=int(day[D_METERED] - day[D_INDETERMINATE]),
            quota_bytes=self.settings.quota_bytes,
            # A restore leaves no crossing; its time is that of the reading that corrected.
            crossed_time_ms=changes[-1][1] if crossed_ms == NONE else crossed_ms,
            decision_key=decision_key(int(day[D_DAY]), sim, action, number),
        )

    def _operator_of(self, sim: int) -> str:
        registered = (
            self.sims.operator_of(int(self.meter.sim_keys.keys[sim, 0])) if self.sims else ""
        )
        number = int(self.meter.tables.sims[sim, M_OPERATOR])
        if registered or self.operators is None or number == NONE:
            return registered
        return self.operators.texts[number]
