"""While the journal is written: its head signed every minute and at the end, and its finished segments sealed."""

import asyncio
import logging
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from phusong.collector.journal.notary import SIGN_EVERY_S, Notary
from phusong.collector.journal.patrol import Patrol
from phusong.collector.journal.segment import JournalDamaged
from phusong.collector.journal.survey import Damage
from phusong.collector.journal.writer import JournalWriter

log = logging.getLogger(__name__)

# Five attempts. A receipt promises the next signed head, so a service that cannot sign is not ready; a copy that was in the
# way for a minute is no reason to wake anybody.
LATE_S = 5 * SIGN_EVERY_S


class Signing:
    """What is known of signing, sealing and sealed segments; written on the loop, read by anyone."""

    def __init__(self) -> None:
        """Start with everything signed and whole."""
        self.failure_count = 0
        self.damaged: list[Damage] = []
        self._reason = ""
        self._sound_s = dict.fromkeys(("signed", "sealed"), time.monotonic())

    @property
    def signed_age_s(self) -> float:
        """How long ago the head of the journal was signed, or was found to be signed already."""
        return time.monotonic() - self._sound_s["signed"]

    def not_ready(self) -> str | None:
        """Say what has failed for too long, None when nothing has."""
        for what, sound_s in self._sound_s.items():
            age_s = time.monotonic() - sound_s
            if age_s > LATE_S:
                return f"the journal has not been {what} for {age_s:.0f} s: {self._reason}"
        if self.damaged:
            return f"{len(self.damaged)} damaged in the journal, which takes new data all the same: {self.damaged[0]}"
        return None

    def note_damage(self, damaged: list[Damage]) -> None:
        """Say what is newly damaged or whole again."""
        for damage in damaged:
            if damage not in self.damaged:
                log.error(
                    "the journal is damaged: %s",
                    damage,
                    extra={"event": "journal_damaged", "reason": str(damage)},
                )
        if self.damaged and not damaged:
            log.warning("the journal is whole again", extra={"event": "journal_whole"})
        self.damaged = damaged

    async def tried(self, what: str, step: Callable[[], bool]) -> bool:
        """Return what a step returns, on a thread; False when it fails, which is counted and said."""
        try:
            has_done = await asyncio.to_thread(step)
        except (JournalDamaged, OSError, sqlite3.Error) as error:
            self.failure_count += 1
            self._reason = str(error)
            log.error(  # noqa: TRY400 - the reason says all
                "the journal is not %s: %s; trying again in a minute",
                *(what, error),
                extra={"event": "signing_failed", "step": what, "reason": str(error)},
            )
            return False
        self._sound_s[what] = time.monotonic()
        return has_done


@asynccontextmanager
async def signing(
    data: Path, writer: JournalWriter, clock_ms: Callable[[], int]
) -> AsyncIterator[Signing]:
    """Sign and seal beside the intake; leave when the last commit is done.

    Raises JournalDamaged at the start, where the journal is not what was signed or the key is not usable, and OSError.
    Later failures are logged and tried again: a disk without room for a copy must not stop the intake.
    """
    notary = await asyncio.to_thread(Notary, data, writer.folder, writer.journal, clock_ms)
    known = Signing()
    await known.tried("signed", notary.sign_head)  # what a crash left unsigned, before new frames
    stop = asyncio.Event()
    patrol = Patrol(writer.folder, notary.public)
    task = asyncio.create_task(_work(known, notary, patrol, stop), name="phusong-notary")
    try:
        yield known
    finally:
        stop.set()
        await task
        if not writer.is_failed:  # else nobody knows what is on disk
            await known.tried("signed", notary.sign_head)


async def _work(known: Signing, notary: Notary, patrol: Patrol, stop: asyncio.Event) -> None:
    while not stop.is_set():
        try:
            known.note_damage(await asyncio.to_thread(patrol.look))
        except OSError as error:
            log.warning(
                "the sealed segments could not be looked at: %s",
                error,
                extra={"event": "patrol_failed", "reason": str(error)},
            )
        while not stop.is_set() and await known.tried("sealed", notary.seal_next):
            # After an import there may be many, a minute each: what came meanwhile is signed all the same.
            await known.tried("signed", notary.sign_head)
        try:
            await asyncio.wait_for(stop.wait(), SIGN_EVERY_S)
        except TimeoutError:
            await known.tried("signed", notary.sign_head)
