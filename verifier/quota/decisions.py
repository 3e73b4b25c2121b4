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
from phusong.verifier.quota.day_text import UNIX_DAY, day_text
from phusong.verifier.quota.settings import THRESHOLDS_PERCENT

KEY_PARTS = 4
KEY_BITS = 64
# Of a day, a key of 64 bits, the longest action and a number of 24 bits.
KEY_LENGTH_MAX = 64

# What leaks between two readings is the rate times their distance (DOMAIN §3, Leakage). So readings should come as often as a
# SIM at full speed could use up what is left: 100 Mbit/s is what a pupil's phone may get on a good day.
RATE_MAX_BYTES_PER_S = 12_500_000
# No core network reports more often, and a million SIMs that did would make 100,000 readings a second.
REPORT_INTERVAL_MIN_MS = 10_000
REPORT_INTERVAL_MAX_MS = 600_000
MS_PER_S = 1000


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
    throttle_bits_per_s: int = 0


def decision_key(ict_day: int, subscriber_key: int, action: int, number: int) -> str:
    """Return the name of a decision: the same whenever, wherever and however often it is taken.

    `number` is the threshold of a notice, and which cut or restore of the day it is. No part can hold a "/".
    """
    return f"{day_text(ict_day)}/{subscriber_key}/{Action.Name(action)}/{number}"


def parse_decision_key(key: str) -> tuple[int, int, int, int]:
    """Return day, subscriber key, action and number of a decision key of ours."""
    found = read_decision_key(key)
    assert found is not None, f"{key!r} is not a decision key of ours"
    return found


def read_decision_key(text: str) -> tuple[int, int, int, int] | None:
    """Return day, subscriber key, action and number of what somebody says is a decision key, None where it is none."""
    parts = text.split("/")
    if len(text) > KEY_LENGTH_MAX or len(parts) != KEY_PARTS:
        return None
    try:
        day = (dt.date.fromisoformat(parts[0]) - UNIX_DAY).days
        found = (day, int(parts[1]), Action.Value(parts[2]), int(parts[3]))
    except ValueError:
        return None
    is_possible = day >= 0 and 0 <= found[1] < 2**KEY_BITS and 0 <= found[3] <= ORDINAL_MASK
    # There is one way to write a key.
    return found if is_possible and decision_key(*found) == text else None


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
    shift = RESTORE_SHIFT if action == Action.ACTION_RESTORE else CUT_SHIFT  # a throttle is a cut
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


def report_interval_ms(left_bytes: int) -> int:
    """Return how soon the next reading of a SIM should be taken, that has so many bytes left of its day."""
    whole_ms = max(left_bytes, 0) * MS_PER_S // RATE_MAX_BYTES_PER_S
    return min(max(whole_ms, REPORT_INTERVAL_MIN_MS), REPORT_INTERVAL_MAX_MS)


def leak_bound_bytes(interval_ms: int) -> int:
    """Return the most that a SIM can use between two readings so far apart: what fail-open costs, and never more."""
    return interval_ms * RATE_MAX_BYTES_PER_S // MS_PER_S


def decision_message(
    record: DecisionRecord, decided_time_ms: int, arrived_time_ms: int = 0
) -> Decision:
    """Return a decision as it is journalled and sent; its position is given by the collector.

    arrived_time_ms: of the reading that led to it, 0 where that is not known any more.
    """
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
        throttle_bits_per_s=record.throttle_bits_per_s,
        arrived_time_ms=arrived_time_ms,
        report_interval_ms=report_interval_ms(record.quota_bytes - record.used_bytes),
    )
