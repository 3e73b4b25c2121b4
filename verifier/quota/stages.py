"""Where each decision stands, and since when: pending → sent → acknowledged → verified, or what went wrong on the way."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from phusong.kernels.columns import BoolColumn, Int64Column
from phusong.kernels.days import DAY_MS, ICT_OFFSET_MS
from phusong.v1.enforcement_pb2 import Action
from phusong.verifier.quota.day_text import day_text
from phusong.verifier.quota.decisions import KEY_BITS, decision_key
from phusong.verifier.quota.enforcement import STOPPING, EnforcementState
from phusong.verifier.quota.enforcement_table import (
    E_ACKNOWLEDGED,
    E_ACTION,
    E_ARRIVED,
    E_CROSSED,
    E_DAY,
    E_DECIDED,
    E_FAILED,
    E_LEAKED,
    E_NUMBER,
    E_OPERATOR,
    E_PERCENT,
    E_POSITION,
    E_QUOTA,
    E_RATE_BITS,
    E_SENT,
    E_SENT_COUNT,
    E_SIM,
    E_SUPERSEDED,
    E_USED,
    E_VERIFIED,
    NONE,
)

# An enforcement point that works acknowledges within seconds; by then a cut was sent three times.
ACKNOWLEDGED_WITHIN_MS = 60_000


class Stage(StrEnum):
    """How far a decision has come."""

    PENDING = "PENDING"  # nobody has heard of it
    SENT = "SENT"
    ACKNOWLEDGED = "ACKNOWLEDGED"
    VERIFIED = "VERIFIED"  # later readings show it: of cuts and throttles only
    ENFORCEMENT_FAILED = "ENFORCEMENT_FAILED"  # acknowledged, and use was seen to go on
    SUPERSEDED = "SUPERSEDED"  # a later decision took its place before it was acknowledged


STAGES = list(Stage)


@dataclass(frozen=True, slots=True)
class DecisionLine:
    """One decision. `sim` is the subscriber key, unsigned and decimal; times are Unix ms, None for not (yet).

    `since_ms` is when it came to its stage. `overshoot_bytes` were used beyond the quota when it was decided,
    `leaked_bytes` after it was acknowledged and readings had shown where use stood.
    """

    operator: str
    position: int
    decision_key: str
    sim: str
    day: str
    action: str
    threshold_percent: int
    state: Stage
    since_ms: int
    is_overdue: bool
    used_bytes: int
    quota_bytes: int
    overshoot_bytes: int
    leaked_bytes: int
    throttle_bits_per_s: int
    sent_count: int
    crossed_time_ms: int
    arrived_time_ms: int | None
    decided_time_ms: int
    sent_time_ms: int | None
    acknowledged_time_ms: int | None
    verified_time_ms: int | None
    failed_time_ms: int | None


def decision_record(line: DecisionLine) -> dict[str, Any]:
    """Return a line as a plain dict, in the order of the documented fields."""
    return asdict(line)


def stages_of(rows: Int64Column) -> tuple[Int64Column, Int64Column]:
    """Return the place in STAGES of every row of the table, and since when it is there."""
    stage = np.zeros(len(rows), np.int64)
    since = rows[:, E_DECIDED].copy()
    is_taken_back = (rows[:, E_SUPERSEDED] != NONE) & (rows[:, E_ACKNOWLEDGED] == NONE)
    is_failed = (rows[:, E_FAILED] != NONE) & (rows[:, E_VERIFIED] == NONE)
    for reached, column, is_there in (
        (Stage.SENT, E_SENT, rows[:, E_SENT] != NONE),
        (Stage.ACKNOWLEDGED, E_ACKNOWLEDGED, rows[:, E_ACKNOWLEDGED] != NONE),
        (Stage.VERIFIED, E_VERIFIED, rows[:, E_VERIFIED] != NONE),
        (Stage.ENFORCEMENT_FAILED, E_FAILED, is_failed),
        (Stage.SUPERSEDED, E_SUPERSEDED, is_taken_back),
    ):
        stage[is_there] = STAGES.index(reached)
        since[is_there] = rows[is_there, column]
    return stage, since


def overdue(rows: Int64Column, now_ms: int) -> BoolColumn:
    """Tell which cuts and throttles should have taken effect by now and have not, by what is known.

    Not acknowledged in time, or acknowledged and seen to be ignored. One that is acknowledged and of which no later
    reading came is not proven, and not overdue: a session that was ended says nothing more.
    """
    stage, _ = stages_of(rows)
    is_stopping = np.isin(rows[:, E_ACTION], STOPPING)
    # What is not acknowledged when its day ends stays overdue for ever.
    waited_ms = now_ms - rows[:, E_DECIDED]
    is_waiting = stage <= STAGES.index(Stage.SENT)
    is_late = is_waiting & (waited_ms > ACKNOWLEDGED_WITHIN_MS)
    found: BoolColumn = is_stopping & (is_late | (stage == STAGES.index(Stage.ENFORCEMENT_FAILED)))
    return found


def decision_lines(
    state: EnforcementState,
    now_ms: int,
    *,
    since_ms: int = 0,
    operator: str | None = None,
    wanted: Stage | None = None,
) -> Iterator[DecisionLine]:
    """Yield decisions in the order of the journal; those decided from `since_ms` on."""
    rows = state.table.rows
    stage, since = stages_of(rows)
    is_overdue = overdue(rows, now_ms)
    chosen = rows[:, E_DECIDED] >= since_ms
    if wanted is not None:
        chosen &= stage == STAGES.index(wanted)
    for at in np.flatnonzero(chosen).tolist():
        row = rows[at].tolist()
        name = state.operator_name(row[E_OPERATOR])
        if operator is None or name == operator:
            yield _line(
                row, name, STAGES[stage[at]], int(since[at]), is_overdue=bool(is_overdue[at])
            )


def _line(
    row: list[int], operator: str, stage: Stage, since_ms: int, *, is_overdue: bool
) -> DecisionLine:
    sim = row[E_SIM] % 2**KEY_BITS
    is_stopping = row[E_ACTION] in STOPPING
    return DecisionLine(
        operator=operator,
        position=row[E_POSITION],
        decision_key=decision_key(row[E_DAY], sim, row[E_ACTION], row[E_NUMBER]),
        sim=str(sim),
        day=day_text(row[E_DAY]),
        action=Action.Name(row[E_ACTION]).removeprefix("ACTION_"),
        threshold_percent=row[E_PERCENT],
        state=stage,
        since_ms=since_ms,
        is_overdue=is_overdue,
        used_bytes=row[E_USED],
        quota_bytes=row[E_QUOTA],
        overshoot_bytes=max(0, row[E_USED] - row[E_QUOTA]) if is_stopping else 0,
        leaked_bytes=row[E_LEAKED],
        throttle_bits_per_s=row[E_RATE_BITS],
        sent_count=row[E_SENT_COUNT],
        crossed_time_ms=row[E_CROSSED],
        arrived_time_ms=_known(row[E_ARRIVED]),
        decided_time_ms=row[E_DECIDED],
        sent_time_ms=_known(row[E_SENT]),
        acknowledged_time_ms=_known(row[E_ACKNOWLEDGED]),
        verified_time_ms=_known(row[E_VERIFIED]),
        failed_time_ms=_known(row[E_FAILED]),
    )


def _known(time_ms: int) -> int | None:
    return None if time_ms == NONE else time_ms


@dataclass(frozen=True, slots=True)
class EnforcementFigures:
    """Sums for a monitoring system. `unverified`: cuts and throttles of a day acknowledged and not proven."""

    by_action: dict[str, int]
    stages: dict[tuple[str, str], int]  # (action, stage) → decisions of the day
    overdue_count: int
    unverified_count: int
    resent_count: int
    failed_count: int
    early_cut_count: int
    denied_ms: int
    overshoot_bytes: int
    leaked_bytes: int  # of the day
    buckets: list[list[int]]  # per stage of `enforcement_counts.STAGES`, not cumulative
    sum_ms: list[int]


def enforcement_figures(state: EnforcementState, now_ms: int) -> EnforcementFigures:
    """Return how the decisions of the present day stand, and the sums over all there ever were."""
    counts = state.counts
    today = (now_ms + ICT_OFFSET_MS) // DAY_MS
    rows = state.table.rows[state.table.rows[:, E_DAY] == today]
    stage, _ = stages_of(rows)
    codes, numbers = np.unique(rows[:, E_ACTION] * len(STAGES) + stage, return_counts=True)
    is_stopping = np.isin(rows[:, E_ACTION], STOPPING)
    names = {int(value): _action_name(value) for value in Action.values() if value}
    return EnforcementFigures(
        by_action={name: int(counts.by_action[value]) for value, name in names.items()},
        stages={
            (names[code // len(STAGES)], STAGES[code % len(STAGES)].value.lower()): count
            for code, count in zip(codes.tolist(), numbers.tolist(), strict=True)
        },
        overdue_count=int(np.count_nonzero(overdue(rows, now_ms))),
        unverified_count=int(
            np.count_nonzero(is_stopping & (stage == STAGES.index(Stage.ACKNOWLEDGED)))
        ),
        resent_count=counts.resent,
        failed_count=counts.failed,
        early_cut_count=counts.early_cuts,
        denied_ms=counts.denied_ms,
        overshoot_bytes=counts.overshoot_bytes,
        leaked_bytes=int(rows[:, E_LEAKED].sum()),
        buckets=counts.buckets.tolist(),
        sum_ms=counts.sum_ms.tolist(),
    )


def _action_name(action: int) -> str:
    return str(Action.Name(action)).removeprefix("ACTION_").lower()
