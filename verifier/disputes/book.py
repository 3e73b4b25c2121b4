"""The rule of disputes: from the steps in the journal, in its order, to how each dispute stands at a time.

The order of the journal decides between steps that were taken at once: the first has its effect, the second is judged by what
the first left behind. Nothing is remembered between questions; there are few disputes, and the journal has them all.

    filed ──► OPEN ── rebut ──► REBUTTED ── concede ──► CONCEDED    for the filer
               │                   │ └───── withdraw ─► WITHDRAWN   for the respondent
               ├── concede         └─────── decide ───► UPHELD or DISMISSED
               ├── withdraw
               └── the limit passes ──► LAPSED          for whom the limits say
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from phusong.kernels.days import DAY_MS, ICT_OFFSET_MS, ict_day
from phusong.verifier.disputes.limits import Limits
from phusong.verifier.disputes.records import (
    Act,
    Dispute,
    DisputeState,
    Refusal,
    RefusedStep,
    Side,
    Step,
    dispute_name,
)

# The limits in force when a step came in.
LimitsAt = Callable[[Step], Limits]

ENDS: dict[Act, tuple[DisputeState, Side]] = {
    Act.CONCEDE: (DisputeState.CONCEDED, Side.FILER),
    Act.WITHDRAW: (DisputeState.WITHDRAWN, Side.RESPONDENT),
}
SIDE_NAMES = {"filer": Side.FILER, "respondent": Side.RESPONDENT}


@dataclass(slots=True)
class DisputeBook:
    """Every dispute by name, in the order of filing, and the steps that had no effect."""

    disputes: dict[str, Dispute] = field(default_factory=dict)
    refused: list[RefusedStep] = field(default_factory=list)
    _when_silent: dict[str, Side] = field(default_factory=dict)  # in whose favour a dispute lapses

    def take(self, step: Step, limits: Limits) -> RefusedStep | None:
        """Take in the next step of the journal; return why it has no effect, None when it has."""
        if step.act is Act.FILE:
            found = self._refusal_of_filing(step, limits)
        else:
            self._close_lapsed(step.time_ms)
            found = self._refusal_of_answer(step)
        if found is not None:
            self.refused.append(found)
        elif step.act is Act.FILE:
            self._open(step, limits)
        else:
            self.disputes[step.dispute] = _after(self.disputes[step.dispute], step)
        return found

    def finish(self, at_ms: int) -> None:
        """Close what nobody answered in time."""
        self._close_lapsed(at_ms)

    def _open(self, step: Step, limits: Limits) -> None:
        name = dispute_name(step.sequence, step.envelope)
        due_ms = end_of_day_after(step.time_ms, limits.rebuttal.limit_days)
        self.disputes[name] = Dispute(name, step, DisputeState.OPEN, (step,), due_ms, limits.id)
        self._when_silent[name] = SIDE_NAMES[limits.rebuttal.in_favour_when_silent]

    def _close_lapsed(self, at_ms: int) -> None:
        for name, dispute in self.disputes.items():
            if dispute.state is DisputeState.OPEN and at_ms > dispute.rebuttal_due_ms:
                self.disputes[name] = replace(
                    dispute,
                    state=DisputeState.LAPSED,
                    ended_ms=dispute.rebuttal_due_ms,
                    in_favour_of=self._when_silent[name],
                )

    def _refusal_of_filing(self, step: Step, limits: Limits) -> RefusedStep | None:
        assert step.verdict is not None, "decoded steps are whole"
        self._close_lapsed(step.time_ms)
        for dispute in self.disputes.values():
            if dispute.filing.content == step.content:
                return _refused(step, Refusal.REPEATED, dispute.name)
        as_of_ms = step.verdict.as_of_ms
        if as_of_ms > step.time_ms:
            return _refused(step, Refusal.VERDICT_TO_COME)
        if step.time_ms > end_of_day_after(as_of_ms, limits.filing.limit_days):
            return _refused(step, Refusal.FILED_LATE)
        for dispute in self.disputes.values():
            is_same = dispute.verdict[:3] == step.verdict[:3] and dispute.filing.name == step.name
            if is_same and dispute.state.is_open:
                return _refused(step, Refusal.FILED_ALREADY, dispute.name)
        return None

    def _refusal_of_answer(self, step: Step) -> RefusedStep | None:
        dispute = self.disputes.get(step.dispute)
        if dispute is None:
            return _refused(step, Refusal.UNKNOWN_DISPUTE)
        why = _refusal_in(dispute, step)
        return None if why is None else _refused(step, why, dispute.name)


def _refusal_in(dispute: Dispute, step: Step) -> Refusal | None:
    is_filer = step.name == dispute.filing.name
    answer = dispute.rebuttal
    is_late = dispute.state is DisputeState.LAPSED and step.act is Act.REBUT
    rules = (
        (any(step.content == taken.content for taken in dispute.steps), Refusal.REPEATED),
        (is_late, Refusal.REBUTTED_LATE),
        (not dispute.state.is_open, Refusal.CLOSED),
        (step.act is Act.WITHDRAW and not is_filer, Refusal.NOT_THE_FILER),
        (step.act is not Act.WITHDRAW and is_filer, Refusal.OWN_DISPUTE),
        (step.act is Act.REBUT and answer is not None, Refusal.REBUTTED_ALREADY),
        (step.act is Act.DECIDE and answer is None, Refusal.NOT_REBUTTED),
        (
            step.act is Act.DECIDE and answer is not None and step.name == answer.name,
            Refusal.OWN_DISPUTE,
        ),
    )
    return next((why for is_broken, why in rules if is_broken), None)


def _after(dispute: Dispute, step: Step) -> Dispute:
    steps = (*dispute.steps, step)
    if step.act is Act.REBUT:
        return replace(dispute, state=DisputeState.REBUTTED, steps=steps)
    if step.act is Act.DECIDE:
        assert step.in_favour_of is not None, "decoded steps are whole"
        is_upheld = step.in_favour_of is Side.FILER
        end = (DisputeState.UPHELD if is_upheld else DisputeState.DISMISSED, step.in_favour_of)
    else:
        end = ENDS[step.act]
    return replace(dispute, state=end[0], steps=steps, ended_ms=step.time_ms, in_favour_of=end[1])


def _refused(step: Step, refusal: Refusal, dispute: str = "") -> RefusedStep:
    return RefusedStep(step.sequence, step.envelope, refusal, step, dispute)


def read_book(steps: Iterable[Step | RefusedStep], limits_at: LimitsAt, at_ms: int) -> DisputeBook:
    """Return how all disputes stand at a time, of the steps that had come by then, in the order of the journal."""
    book = DisputeBook()
    for step in steps:
        if isinstance(step, RefusedStep):
            book.refused.append(step)
        elif step.time_ms <= at_ms:
            book.take(step, limits_at(step))
    book.finish(at_ms)
    return book


def end_of_day_after(time_ms: int, day_count: int) -> int:
    """Return the last millisecond, in Vietnam, of the day so many days after that of a time."""
    return (int(ict_day(time_ms)) + day_count + 1) * DAY_MS - ICT_OFFSET_MS - 1
