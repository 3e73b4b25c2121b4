"""What the enforcement point is to be told: notify at each threshold, cut at the quota, restore after a correction."""

import datetime as dt
from dataclasses import dataclass

from phusong.kernels.meter_tables import (
    CUT_SHIFT,
    LEVEL_MASK,
    NOTIFIED_SHIFT,
    ORDINAL_MASK,
    RESTORE_SHIFT,
)
from phusong.v1.enforcement_pb2 import Action, Decision
from phusong.verifier.quota.settings import THRESHOLDS_PERCENT

UNIX_DAY = dt.date(1970, 1, 1)
KEY_PARTS = 4
KEY_BITS = 64


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """A decision as the state implies it; when it was taken is known to the one who publishes it."""

    operator: str
    subscriber_key: int  # unsigned
    action: int
    threshold_percent: int
    ict_day: int
    used_bytes: int
    quota_bytes: int
    crossed_time_ms: int
    decision_key: str


def day_text(ict_day: int) -> str:
    """Return a day as it is written, 2021-10-01."""
    return (UNIX_DAY + dt.timedelta(days=ict_day)).isoformat()


def decision_key(ict_day: int, subscriber_key: int, action: int, number: int) -> str:
    """Return the name of a decision: the same whenever, wherever and however often it is taken.

    `number` is the threshold of a notice, and which cut or restore of the day it is. No part can hold a "/".
    """
    return f"{day_text(ict_day)}/{subscriber_key}/{Action.Name(action)}/{number}"


def parse_decision_key(key: str) -> tuple[int, int, int, int]:
    """Return day, subscriber key, action and number of a decision key."""
    parts = key.split("/")
    assert len(parts) == KEY_PARTS, f"{key!r} is not a decision key of ours"
    day = (dt.date.fromisoformat(parts[0]) - UNIX_DAY).days
    return day, int(parts[1]), Action.Value(parts[2]), int(parts[3])


def implied_steps(marks: int) -> list[tuple[int, int, int]]:
    """Return action, threshold and number of what a SIM's day calls for and has not been decided.

    marks: as column D_MARKS of `kernels.meter_tables`.
    """
    level = marks & LEVEL_MASK
    steps: list[tuple[int, int, int]] = []
    for k in range(level):
        if not marks >> NOTIFIED_SHIFT & 1 << k:
            percent = THRESHOLDS_PERCENT[k]
            steps.append((Action.ACTION_NOTIFY, percent, percent))
    cut_count, restore_count = (
        marks >> CUT_SHIFT & ORDINAL_MASK,
        marks >> RESTORE_SHIFT & ORDINAL_MASK,
    )
    is_exhausted = level == len(THRESHOLDS_PERCENT)
    if is_exhausted and cut_count == restore_count:
        steps.append((Action.ACTION_CUT, THRESHOLDS_PERCENT[-1], cut_count + 1))
    if not is_exhausted and cut_count > restore_count:
        steps.append((Action.ACTION_RESTORE, THRESHOLDS_PERCENT[-1], restore_count + 1))
    return steps


def mark_step(marks: int, action: int, number: int) -> int:
    """Return the marks of a SIM's day after a decision; the same decision twice is one."""
    if action == Action.ACTION_NOTIFY:
        return marks | 1 << NOTIFIED_SHIFT + THRESHOLDS_PERCENT.index(number)
    shift = CUT_SHIFT if action == Action.ACTION_CUT else RESTORE_SHIFT
    count = max(marks >> shift & ORDINAL_MASK, number)
    return marks & ~(ORDINAL_MASK << shift) | count << shift


def join_marks(noted: int, taken: int) -> int:
    """Return the marks of a day with the decisions of both; the level is that of `noted`."""
    joined = noted | taken & (1 << CUT_SHIFT) - (1 << NOTIFIED_SHIFT)
    for action, shift in ((Action.ACTION_CUT, CUT_SHIFT), (Action.ACTION_RESTORE, RESTORE_SHIFT)):
        joined = mark_step(joined, action, taken >> shift & ORDINAL_MASK)
    return joined


def has_decided_all(noted: int, taken: int) -> bool:
    """Tell whether every decision taken has been noted."""
    return join_marks(noted, taken) == noted


def decision_message(record: DecisionRecord, decided_time_ms: int) -> Decision:
    """Return a decision as it is journalled and sent; its position is given by the collector."""
    return Decision(
        operator=record.operator,
        decision_key=record.decision_key,
        subscriber_key=record.subscriber_key,
        action=Action.Name(record.action),
        threshold_percent=record.threshold_percent,
        day=day_text(record.ict_day),
        used_bytes=record.used_bytes,
        quota_bytes=record.quota_bytes,
        crossed_time_ms=record.crossed_time_ms,
        decided_time_ms=decided_time_ms,
    )
