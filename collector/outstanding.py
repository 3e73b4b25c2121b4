"""Decisions of one operator that nobody has acknowledged: which are to be sent now, and which again later.

Pure state over what the journal holds and a time that is handed in: no clock, no task. A decision is outstanding from the
moment it is in the journal until it is acknowledged, taken back by a later one, its day is over, or it was sent as
often as RESEND_AFTER_MS says.
"""

import datetime as dt
import heapq
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from phusong.kernels.days import DAY_MS, ICT_OFFSET_MS
from phusong.v1.enforcement_pb2 import Action, Decision, DecisionsSent

# After the n-th sending the next one is due so much later. An enforcement point that restarts is back within a
# minute; one that is away for hours is not knocked at without end. After the last, two hours after the first, a
# decision goes only to who asks for what comes after a position.
RESEND_AFTER_MS = (5_000, 15_000, 60_000, 300_000, 900_000, 1_800_000, 3_600_000)
SENDING_COUNT_MAX = len(RESEND_AFTER_MS) + 1
# Which way a SIM's traffic is steered: the newest of these is what holds, and older ones must not be sent after it.
STEERING = frozenset((Action.ACTION_CUT, Action.ACTION_THROTTLE, Action.ACTION_RESTORE))
UNIX_DAY = dt.date(1970, 1, 1)


class Sending(NamedTuple):
    """A decision left for at least one enforcement point."""

    attempt: int
    sent_time_ms: int
    position: int


class _Open(NamedTuple):
    key: str
    day: int
    steered: tuple[int, int] | None  # day and SIM of what steers traffic
    sent_count: int = 0
    sent_time_ms: int = 0


class Outstanding:
    """What is not acknowledged, by position."""

    def __init__(self) -> None:
        """Start with nothing."""
        # To be sent to whoever listens, now: never sent, or due again.
        self.waiting: dict[int, None] = {}
        self._open: dict[int, _Open] = {}
        self._position_of: dict[str, int] = {}
        self._steering: dict[tuple[int, int], int] = {}
        self._due: list[
            tuple[int, int]
        ] = []  # a heap of (time, position); entries may be out of date
        self._newest_day = -1

    def __len__(self) -> int:
        """How many there are."""
        return len(self._open)

    def __contains__(self, position: int) -> bool:
        """Tell whether a decision is to be sent still."""
        return position in self._open

    def add(self, decision: Decision) -> None:
        """Take in a decision; what it takes back is no longer sent."""
        day = (dt.date.fromisoformat(decision.day) - UNIX_DAY).days
        if day > self._newest_day:
            self._newest_day = day
            self._forget_before(day - 1)
            # Nobody takes what is due of a copy that only follows the journal: it may not grow for ever.
            self._due = [entry for entry in self._due if entry[1] in self._open]
            heapq.heapify(self._due)
        steered = None
        if decision.action in STEERING:
            steered = (day, decision.subscriber_key)
            before = self._steering.get(steered)
            if before is not None:
                self._close(before)
            self._steering[steered] = decision.position
        self._open[decision.position] = _Open(decision.decision_key, day, steered)
        self._position_of[decision.decision_key] = decision.position
        self.waiting[decision.position] = None

    def acknowledge(self, key: str) -> None:
        """Send a decision no more."""
        position = self._position_of.get(key)
        if position is not None:
            self._close(position)

    def note_taken(self, position: int, now_ms: int) -> Sending | None:
        """Note that a decision left; return what is to be journalled, None when it had left already."""
        if position not in self.waiting:
            return None
        sending = Sending(self._open[position].sent_count + 1, now_ms, position)
        self.note_sent(sending)
        return sending

    def note_sent(self, sending: Sending) -> None:
        """Note a sending, made now or found in the journal."""
        found = self._open.get(sending.position)
        if found is None:
            return
        self.waiting.pop(sending.position, None)
        self._open[sending.position] = found._replace(
            sent_count=sending.attempt, sent_time_ms=sending.sent_time_ms
        )
        if sending.attempt <= len(RESEND_AFTER_MS):
            due_ms = sending.sent_time_ms + RESEND_AFTER_MS[sending.attempt - 1]
            heapq.heappush(self._due, (due_ms, sending.position))

    def take_due(self, now_ms: int) -> list[int]:
        """Return the positions that have become due again; they wait for a reader from now on."""
        self._forget_before((now_ms + ICT_OFFSET_MS) // DAY_MS)
        due = []
        while self._due and self._due[0][0] <= now_ms:
            due_ms, position = heapq.heappop(self._due)
            found = self._open.get(position)
            is_current = found is not None and due_ms == _due_ms(found)
            if is_current and position not in self.waiting:
                self.waiting[position] = None
                due.append(position)
        return due

    def copy(self) -> "Outstanding":
        """Return the same once more, for another thread."""
        other = Outstanding()
        other.waiting, other._open = self.waiting.copy(), self._open.copy()
        other._position_of, other._steering = self._position_of.copy(), self._steering.copy()
        other._due, other._newest_day = self._due.copy(), self._newest_day
        return other

    def sendings(self) -> list[Sending]:
        """Return the last sending of everything that was sent."""
        return [
            Sending(found.sent_count, found.sent_time_ms, position)
            for position, found in self._open.items()
            if found.sent_count
        ]

    def _close(self, position: int) -> None:
        found = self._open.pop(position, None)
        if found is None:
            return
        self.waiting.pop(position, None)
        self._position_of.pop(found.key, None)
        # What steers stays known until its day is over: it may have been acknowledged, and an older one come again.

    def _forget_before(self, day: int) -> None:
        """Send nothing more of days that are over: it would do harm or nothing."""
        if self._open and next(iter(self._open.values())).day < day:
            for position in [p for p, found in self._open.items() if found.day < day]:
                self._close(position)
        if self._steering and next(iter(self._steering))[0] < day:
            self._steering = {of: p for of, p in self._steering.items() if of[0] >= day}


def _due_ms(found: _Open) -> int | None:
    """Return when a decision that was sent is due again, None after the last time."""
    if found.sent_count > len(RESEND_AFTER_MS):
        return None
    return found.sent_time_ms + RESEND_AFTER_MS[found.sent_count - 1]


def messages_of(operator: str, sendings: Iterable[Sending]) -> Iterator[DecisionsSent]:
    """Yield sendings as they are journalled, one message for what left at one time."""
    together: dict[tuple[int, int], list[int]] = defaultdict(list)
    for sending in sendings:
        together[sending.attempt, sending.sent_time_ms].append(sending.position)
    for (attempt, sent_time_ms), positions in together.items():
        yield DecisionsSent(
            operator=operator, attempt=attempt, sent_time_ms=sent_time_ms, positions=positions
        )


def sendings_of(message: DecisionsSent) -> Iterator[Sending]:
    """Yield what a journalled message says."""
    for position in message.positions:
        yield Sending(message.attempt, message.sent_time_ms, position)
