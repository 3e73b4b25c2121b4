"""One pool of a SIM's day, handed out in slices to its sessions before they use it. Integers, and no clock but the one given.

    quota = used + reserved + left          always; `left` may be negative, because what was used counts

A step of a session reports what it used since its last one, gives back the rest of its slice, and asks for the next. A
slice belongs to the day on which it was granted and expires with it, so what is used of it counts on that day. Use beyond a
slice, or after it expired, counts all the same: the network has carried it.
"""

from collections.abc import Iterable
from typing import NamedTuple

from phusong.kernels.days import DAY_MS, ICT_OFFSET_MS
from phusong.kernels.reject import Reject

# What lies unused for so long goes back to the pool: longer than any gateway's own timer, so that it asks before.
SLICE_VALID_MS = 3_600_000
# Where the pool gives less than was asked: another session of the SIM may be waiting for what this one does not use.
SLICE_VALID_SHORT_MS = 300_000
# Of a SIM at a time: a phone has a handful, and every step looks at all of them. Those that hold nothing are remembered as long
# as there is room, so that their last step may come again.
SESSION_COUNT_MAX = 64
# Days that use may still be reported for after they are over.
DAYS_KEPT = 2


class Step(NamedTuple):
    """One request of one session."""

    subscriber_key: int
    session: str  # with its source, so that two sources may name theirs alike
    number: int
    used_bytes: int
    wanted_bytes: int
    is_release: bool
    time_ms: int


class Answer(NamedTuple):
    """What a session may use until its next step, and what the pool of the day has left after it."""

    granted_bytes: int
    left_bytes: int
    expires_time_ms: int
    ict_day: int


class Slice(NamedTuple):
    """The last step of a session: what it holds, until when, from the pool of which day, and what it was answered."""

    number: int
    ict_day: int
    open_bytes: int
    expires_time_ms: int
    answer: Answer


class Pool(NamedTuple):
    """A SIM's day. over_bytes: what was used beyond slices, part of `used_bytes`."""

    used_bytes: int = 0
    reserved_bytes: int = 0
    over_bytes: int = 0
    is_cut: bool = False  # the meter found the day used up: nothing more is handed out

    def left_bytes(self, quota_bytes: int) -> int:
        """Return what can still be handed out; negative when more was used than there was."""
        return quota_bytes - self.used_bytes - self.reserved_bytes


def slice_bytes(wanted_bytes: int, left_bytes: int, session_count: int) -> int:
    """Return what one of `session_count` sessions gets of what is left: what it wants, near the limit its share."""
    if left_bytes <= 0:
        return 0
    share_bytes = -(-left_bytes // session_count)
    return min(
        wanted_bytes, left_bytes if wanted_bytes * session_count <= left_bytes else share_bytes
    )


class ReservationBook:
    """All pools and sessions; every step in the order of the journal."""

    def __init__(self) -> None:
        """Start with nothing handed out."""
        self.pools: dict[tuple[int, int], Pool] = {}  # by SIM and day
        self.slices: dict[int, dict[str, Slice]] = {}  # by SIM and session
        self._newest_day = -1

    def take(self, step: Step, quota_bytes: int) -> Answer | Reject:
        """Take one step; the same number again is answered again and counts once.

        Refused: RESERVATION_STALE, a number older than the last; RESERVATION_TOO_MANY, a SIM with too many sessions.
        """
        sessions = self.slices.get(step.subscriber_key, {})
        last = sessions.get(step.session)
        if last is not None and step.number == last.number:
            return last.answer
        if last is not None and step.number < last.number:
            return Reject.RESERVATION_STALE
        if last is None and len(sessions) >= SESSION_COUNT_MAX:
            self.expire(step.subscriber_key, step.time_ms)
            if all(held.open_bytes for held in sessions.values()):
                return Reject.RESERVATION_TOO_MANY
        self._report(step)
        answer = self._granted(step, quota_bytes)
        self._hold(step, answer)
        return answer

    def note(self, step: Step, answer: Answer) -> None:
        """Take a step that was answered before: what the journal says was granted holds, whatever would be granted now."""
        self._report(step)
        self._hold(step, answer)

    def last_number(self, step: Step) -> int | None:
        """Return the number of the last step of a step's session, None of one never heard of."""
        held = self.slices.get(step.subscriber_key, {}).get(step.session)
        return None if held is None else held.number

    def expire(self, subscriber_key: int, now_ms: int) -> None:
        """Give back to the pools what lies unused for too long."""
        for name, held in self.slices.get(subscriber_key, {}).items():
            if held.open_bytes and held.expires_time_ms <= now_ms:
                self._change(subscriber_key, held.ict_day, reserved_bytes=-held.open_bytes)
                self.slices[subscriber_key][name] = held._replace(open_bytes=0)

    def cut(self, subscriber_key: int, ict_day: int, *, is_cut: bool) -> None:
        """Hand out nothing more of a day that the meter found used up, or again after a restore."""
        # Where nobody reserves there is no step that would forget. A day later than a step does, because a cut may be of
        # the day to come where a device's clock is ahead.
        self._begin(ict_day - 1)
        pool = self.pools.get((subscriber_key, ict_day), Pool())
        self.pools[subscriber_key, ict_day] = pool._replace(is_cut=is_cut)

    def load(
        self,
        pools: Iterable[tuple[int, int, Pool]],
        slices: Iterable[tuple[int, str, Slice]],
    ) -> None:
        """Become what was written down before."""
        for subscriber_key, ict_day, pool in pools:
            self.pools[subscriber_key, ict_day] = pool
            self._newest_day = max(self._newest_day, ict_day)
        for subscriber_key, session, held in slices:
            self.slices.setdefault(subscriber_key, {})[session] = held
            self._newest_day = max(self._newest_day, held.ict_day)

    def copy(self) -> "ReservationBook":
        """Return the same once more."""
        other = ReservationBook()
        other.pools = self.pools.copy()
        other.slices = {sim: sessions.copy() for sim, sessions in self.slices.items()}
        other._newest_day = self._newest_day
        return other

    def _report(self, step: Step) -> None:
        """Count what was used of a slice, on the slice's own day, and give back the rest of it."""
        day = (step.time_ms + ICT_OFFSET_MS) // DAY_MS
        self._begin(day)
        self.expire(step.subscriber_key, step.time_ms)
        held = self.slices.get(step.subscriber_key, {}).get(step.session)
        is_of_slice = held is not None and held.answer.granted_bytes > 0
        open_bytes = 0 if held is None else held.open_bytes
        self._change(
            step.subscriber_key,
            held.ict_day if held is not None and is_of_slice else day,
            used_bytes=step.used_bytes,
            reserved_bytes=-open_bytes,
            over_bytes=max(0, step.used_bytes - open_bytes),
        )
        if held is not None:
            self.slices[step.subscriber_key][step.session] = held._replace(open_bytes=0)

    def _granted(self, step: Step, quota_bytes: int) -> Answer:
        day = (step.time_ms + ICT_OFFSET_MS) // DAY_MS
        pool = self.pools.get((step.subscriber_key, day), Pool())
        left_bytes = pool.left_bytes(quota_bytes)
        if step.is_release or step.wanted_bytes <= 0 or pool.is_cut:
            return Answer(0, left_bytes, 0, day)
        sessions = self.slices.get(step.subscriber_key, {})
        others = sum(held.open_bytes > 0 for held in sessions.values())
        granted_bytes = slice_bytes(step.wanted_bytes, left_bytes, others + 1)
        if not granted_bytes:
            return Answer(0, left_bytes, 0, day)
        valid_ms = SLICE_VALID_MS if granted_bytes == step.wanted_bytes else SLICE_VALID_SHORT_MS
        midnight_ms = (day + 1) * DAY_MS - ICT_OFFSET_MS
        expires_ms = min(step.time_ms + valid_ms, midnight_ms)
        return Answer(granted_bytes, left_bytes - granted_bytes, expires_ms, day)

    def _hold(self, step: Step, answer: Answer) -> None:
        """Keep what a session was given."""
        self._change(step.subscriber_key, answer.ict_day, reserved_bytes=answer.granted_bytes)
        held = Slice(
            step.number, answer.ict_day, answer.granted_bytes, answer.expires_time_ms, answer
        )
        sessions = self.slices.setdefault(step.subscriber_key, {})
        sessions.pop(step.session, None)  # in the order of their last steps
        if len(sessions) >= SESSION_COUNT_MAX:
            over = next((name for name, one in sessions.items() if not one.open_bytes), None)
            if over is not None:
                del sessions[over]
        sessions[step.session] = held

    def _change(
        self,
        subscriber_key: int,
        ict_day: int,
        *,
        used_bytes: int = 0,
        reserved_bytes: int = 0,
        over_bytes: int = 0,
    ) -> None:
        pool = self.pools.get((subscriber_key, ict_day), Pool())
        self.pools[subscriber_key, ict_day] = pool._replace(
            used_bytes=pool.used_bytes + used_bytes,
            reserved_bytes=pool.reserved_bytes + reserved_bytes,
            over_bytes=pool.over_bytes + over_bytes,
        )

    def _begin(self, day: int) -> None:
        """Forget what is long over when a new day begins."""
        if day <= self._newest_day:
            return
        self._newest_day = day
        first = day - DAYS_KEPT + 1
        self.pools = {at: pool for at, pool in self.pools.items() if at[1] >= first}
        kept = {
            sim: {name: held for name, held in sessions.items() if held.ict_day >= first}
            for sim, sessions in self.slices.items()
        }
        self.slices = {sim: sessions for sim, sessions in kept.items() if sessions}
