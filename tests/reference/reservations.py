"""One pool of a SIM's day, worked out anew at every step from the list of all that was said before it."""

from typing import NamedTuple

DAY_MS = 86_400_000
ICT_MS = 7 * 3_600_000
HOUR_MS = 3_600_000


class Said(NamedTuple):
    """A step and what it was answered."""

    sim: int
    session: str
    number: int
    used: int
    wanted: int
    is_release: bool
    time_ms: int
    granted: int
    expires_ms: int


def day_of(time_ms):
    return (time_ms + ICT_MS) // DAY_MS


class Ledger:
    """Remembers what was said, and nothing else."""

    def __init__(self):
        self.said = []

    def take(self, step, quota):
        """Return granted, left and expiry; None where the step is refused."""
        earlier = [
            s for s in self.said if (s.sim, s.session) == (step.subscriber_key, step.session)
        ]
        if earlier and step.number < earlier[-1].number:
            return None
        if earlier and step.number == earlier[-1].number:
            return "as before"
        now_ms = step.time_ms
        this = Said(*step, 0, 0)
        history = [*self.said, this]
        left = quota - self.used(history, step.subscriber_key, day_of(now_ms))
        others = self.held(history, step.subscriber_key, day_of(now_ms), now_ms)
        left -= sum(others)
        granted = 0
        if left > 0 and not step.is_release and step.wanted_bytes > 0:
            sessions = len(others) + 1
            if step.wanted_bytes * sessions <= left:
                granted = step.wanted_bytes
            else:
                granted = min(step.wanted_bytes, (left + sessions - 1) // sessions)
        valid = HOUR_MS if granted == step.wanted_bytes else HOUR_MS // 12
        midnight_ms = (day_of(now_ms) + 1) * DAY_MS - ICT_MS
        expires = min(now_ms + valid, midnight_ms) if granted else 0
        self.said.append(this._replace(granted=granted, expires_ms=expires))
        return granted, left - granted, expires

    @staticmethod
    def used(history, sim, day):
        """Return what was used on a day: each report counts where its slice was granted, else where it was said."""
        total, last = 0, {}
        for said in history:
            if said.sim != sim:
                continue
            before = last.get(said.session)
            at = (
                day_of(before.time_ms)
                if before is not None and before.granted
                else day_of(said.time_ms)
            )
            total += said.used if at == day else 0
            last[said.session] = said
        return total

    @staticmethod
    def held(history, sim, day, now_ms):
        """Return the slices that are out, of a day."""
        last = {}
        for said in history:
            if said.sim == sim:
                last[said.session] = said
        return [
            s.granted
            for s in last.values()
            if s.granted and s.expires_ms > now_ms and day_of(s.time_ms) == day
        ]
