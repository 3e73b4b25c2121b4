"""What each side's readings say by themselves, replayed from the journal for one dispute."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from phusong.dashboards.commands.exits import fail
from phusong.verifier.closing import closed_history
from phusong.verifier.coverage.records import SiteVerdict
from phusong.verifier.disputes.records import Dispute, DisputedVerdict, Step
from phusong.verifier.disputes.sides import Evidence, Judged, judge_sides
from phusong.verifier.journal import JournalReader
from phusong.verifier.placing import Horizon
from phusong.verifier.state import State

# Until when readings count where only their number is asked.
END_OF_TIME_MS = 4_102_444_800_000


def sides_document(data: Path, state: State, dispute: Dispute, horizon: Horizon) -> dict[str, Any]:
    """Return the verdict on everything, on the filer's readings and on the rebutter's; None where there is none."""
    steps = [step for step in (dispute.filing, dispute.rebuttal) if step is not None]
    as_of_ms = horizon.as_of_ms
    assert as_of_ms is not None, "a report has a date"
    judged = _judge(data, state, steps, horizon, as_of_ms)
    whole = _row(judged.whole, dispute.verdict)
    sides = [_row(rows, dispute.verdict) for rows in judged.sides]
    return {
        "whole": None if whole is None else asdict(whole),
        "filer": None if sides[0] is None else asdict(sides[0]),
        "respondent": None if len(sides) == 1 or sides[1] is None else asdict(sides[1]),
    }


def readings_of_side(data: Path, state: State, step: Step, verdict: DisputedVerdict) -> int:
    """Return how many readings that a step names count for a verdict."""
    judged = _judge(data, state, [step], Horizon(), END_OF_TIME_MS)
    row = _row(judged.sides[0], verdict)
    return 0 if row is None else row.counts.raw


def _judge(data: Path, state: State, steps: list[Step], horizon: Horizon, as_of_ms: int) -> Judged:
    closed = closed_history(data)
    if closed is not None:
        fail(f"{closed.gone('each side is judged from its readings')}.")
    evidence = tuple(Evidence(step.evidence, step.sequence) for step in steps)
    frames = JournalReader(data / "journal").frames(state.position.sequence)
    return judge_sides(frames, state.registries.history, horizon, evidence, as_of_ms)


def _row(rows: list[SiteVerdict], verdict: DisputedVerdict) -> SiteVerdict | None:
    names = (verdict.site_code, verdict.operator, verdict.technology)
    return next(
        (row for row in rows if (row.site_code, row.operator, row.technology) == names), None
    )
