"""Everything the verifier knows of quotas: the meter, who is entitled, and what has been decided."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from phusong.kernels.columns import BoolColumn, Int64Column, UsageReadings
from phusong.kernels.meter_figures import LevelChanges, SimDays, changes_of
from phusong.kernels.meter_tables import NONE
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
from phusong.verifier.quota.figures import QuotaFigures, figures_in_runs, quota_figures
from phusong.verifier.quota.ledger import Ledger
from phusong.verifier.quota.ledger_pieces import Cause
from phusong.verifier.quota.rating import RatingMeter
from phusong.verifier.quota.report import QuotaDay
from phusong.verifier.quota.reporting import account_days, report_day, used_bytes
from phusong.verifier.quota.settings import THRESHOLDS_PERCENT, QuotaSettings
from phusong.verifier.registry.operators import OperatorRegister
from phusong.verifier.registry.sims import SimRegister

Change = tuple[int, int]  # level reached, time of the reading
SimDayKey = tuple[int, int]  # subscriber key, signed, and day


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
        self.after_quota = OperatorRegister()  # what each operator does at 100 percent
        self.settings = settings or QuotaSettings()
        self.operators = operators
        thresholds = np.array(self.settings.threshold_bytes, np.int64)
        self.meter = RatingMeter(thresholds, operators or Names())
        # By subscriber key and day: what has been taken and is not yet seen in the journal.
        self._taken: dict[SimDayKey, Taken] = {}

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

    def figures(self, ict_day: int) -> QuotaFigures:
        """Return a day in a handful of numbers."""
        return quota_figures(self.meter, self.sims, self.settings, ict_day)

    def figures_in_runs(self, ict_day: int) -> Iterator[QuotaFigures | None]:
        """Yield None after each run of SIMs, the same figures at last."""
        return figures_in_runs(self.meter, self.sims, self.settings, ict_day)

    def rate(self, content: bytes, time_ms: int) -> None:
        """Rate by a list of platforms from now on, and what was counted before again."""
        self.meter.rate(content, time_ms)

    def days(self) -> list[int]:
        """Return the days of which usage readings were received."""
        return account_days(self.meter)

    def entries(self, ict_day: int) -> Int64Column:
        """Return what every SIM used on a day, as `Meter.entries`."""
        return self.meter.entries(ict_day)

    def watch_days(self, last_day: int) -> None:
        """Note from now on what changes on days up to this one."""
        self.meter.watch_days(last_day)

    def close_days(self, ledger: Ledger, sequence: int, time_ms: int) -> None:
        """Close the days whose time has come when the frame after `sequence` arrives."""
        if ledger.due(time_ms):
            ledger.close(time_ms, sequence, self.days, self.entries)
            self.watch_days(ledger.watched)

    def note_revisions(self, ledger: Ledger, known: tuple[int, int], cause: Cause) -> None:
        """Hand a ledger what the frame changed on days gone by. known: its sequence, and when it arrived."""
        ledger.note_revisions(self.meter.take_revisions(), *known, cause)

    def used_bytes(
        self, subscriber_key: Int64Column, ict_day: Int64Column
    ) -> tuple[Int64Column, Int64Column]:
        """Return what each SIM's day counts towards its quota, and what a midnight split attributed besides."""
        return used_bytes(self.meter, subscriber_key, ict_day)

    def take_decisions(self, first_day: int | None = None) -> list[DecisionRecord]:
        """Return what the state implies and nobody decided or took before, in the order of the readings.

        first_day: days before it are past deciding and forgotten.
        """
        changes = self.meter.take_changes()
        if first_day is not None:
            changes = changes.where(changes.ict_day >= first_day)
        found: dict[SimDayKey, list[Change]] = {}
        for key, day, time_ms, level in zip(*(column.tolist() for column in changes), strict=True):
            found.setdefault((key, day), []).append((level, time_ms))
        return [record for at in found for record in self._decide(at, found[at])]

    def note_decided(self, key: str) -> None:
        """Mark a decision found in the journal as decided."""
        ict_day, sim, action, number = parse_decision_key(key)
        at = (sim - 2**KEY_BITS if sim >= 2 ** (KEY_BITS - 1) else sim, ict_day)
        marks = mark_step(self._marks_of(at), action, number)
        self.meter.mark_decided(*at, marks)
        if has_decided_all(marks, self._taken.get(at, Taken()).marks):
            self._taken.pop(at, None)

    def merge(self, other: "QuotaState") -> None:
        """Take in the state of other SIMs. Decisions taken and not yet noted are implied anew."""
        for state in (self, other):
            state.meter.note_changes(state.open_changes())
            state.forget_taken()
        self.meter.merge(other.meter)

    def export(self) -> dict[str, NDArray[Any]]:
        """Return the state by name. What was taken and not noted is implied again after a restart."""
        arrays = self.meter.export()
        arrays["changes"] = np.concatenate([arrays["changes"], self.open_changes()], axis=1)
        return dict(arrays)

    def restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Become what was exported under the same settings."""
        self.meter.restore(arrays)
        self.forget_taken()

    def forget_taken(self) -> None:
        """Forget which decisions were taken; those not noted are implied again by their changes."""
        self._taken.clear()

    def open_changes(self) -> LevelChanges:
        """Return the changes of the SIM-days with decisions taken and not noted."""
        return changes_of(
            [
                (*at, time_ms, level)
                for at, taken in self._taken.items()
                if not has_decided_all(self._marks_of(at), taken.marks)
                for level, time_ms in taken.changes
            ]
        )

    def _marks_of(self, at: SimDayKey) -> int:
        return sum(self._day_of(at).marks.tolist())

    def _day_of(self, at: SimDayKey) -> SimDays:
        key, ict_day = at
        return self.meter.days_of_sim(key, ict_day, ict_day)

    def _decide(self, at: SimDayKey, changes: list[Change]) -> list[DecisionRecord]:
        key, ict_day = at
        if self.sims is not None and not self.sims.is_entitled(np.array([key]), ict_day)[0]:
            return []
        day = self._day_of(at)
        noted = int(day.marks[0])
        before = self._taken.get(at, Taken())
        taken = Taken(join_marks(noted, before.marks), (*before.changes, *changes))
        records = []
        for action, percent, number in implied_steps(taken.marks):
            records.append(self._record(day, action, (percent, number), taken.changes))
            taken = taken._replace(marks=mark_step(taken.marks, action, number))
        if not has_decided_all(noted, taken.marks):
            self._taken[at] = taken
        return records

    def _record(
        self, day: SimDays, action: int, step: tuple[int, int], changes: tuple[Change, ...]
    ) -> DecisionRecord:
        percent, number = step
        key, ict_day = int(day.subscriber_key[0]), int(day.ict_day[0])
        level = THRESHOLDS_PERCENT.index(percent) + 1
        reached = [time_ms for now, time_ms in changes if now >= level]
        # The change may have been forgotten while its day was past deciding; the cut's time is kept with the day.
        is_known = action == Action.ACTION_NOTIFY and reached
        crossed_ms = reached[0] if is_known else int(day.crossed_time_ms[0])
        operator = self._operator_of(key, int(day.operator[0]))
        rate_bits_per_s = 0
        if action == Action.ACTION_CUT:
            action, rate_bits_per_s = self.after_quota.after_quota(operator)
        return DecisionRecord(
            operator=operator,
            subscriber_key=key % 2**KEY_BITS,
            action=action,
            threshold_percent=percent,
            ict_day=ict_day,
            used_bytes=int(day.determinate_bytes[0]),
            quota_bytes=self.settings.quota_bytes,
            # A restore leaves no crossing; its time is that of the reading that corrected.
            crossed_time_ms=changes[-1][1] if crossed_ms == NONE else crossed_ms,
            decision_key=decision_key(ict_day, key % 2**KEY_BITS, action, number),
            throttle_bits_per_s=rate_bits_per_s,
        )

    def _operator_of(self, key: int, number: int) -> str:
        registered = self.sims.operator_of(key) if self.sims else ""
        if registered or self.operators is None or number == NONE:
            return registered
        return self.operators.texts[number]
