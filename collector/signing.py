"""While the journal is written: its head signed every minute and at the end, and its finished segments sealed."""

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from phusong.collector.journal.notary import SIGN_EVERY_S, Notary
from phusong.collector.journal.segment import JournalDamaged
from phusong.collector.journal.writer import JournalWriter

log = logging.getLogger(__name__)


@asynccontextmanager
async def signing(
    data: Path, writer: JournalWriter, clock_ms: Callable[[], int]
) -> AsyncIterator[None]:
    """Sign and seal beside the intake; leave when the last commit is done.

    Raises JournalDamaged at the start, where the journal is not what was signed or the key is not usable, and OSError.
    Later failures are logged and tried again: a disk without room for a copy must not stop the intake.
    """
    notary = await asyncio.to_thread(Notary, data, writer.folder, writer.journal, clock_ms)
    await _tried(notary.sign_head)  # what a crash left unsigned, before anything new comes
    stop = asyncio.Event()
    task = asyncio.create_task(_work(notary, stop), name="phusong-notary")
    try:
        yield
    finally:
        stop.set()
        await task
        if not writer.is_failed:  # else nobody knows what is on disk
            await _tried(notary.sign_head)


async def _work(notary: Notary, stop: asyncio.Event) -> None:
    while not stop.is_set():
        while not stop.is_set() and await _tried(notary.seal_next):
            pass
        try:
            await asyncio.wait_for(stop.wait(), SIGN_EVERY_S)
        except TimeoutError:
            await _tried(notary.sign_head)


async def _tried(step: Callable[[], bool]) -> bool:
    try:
        return await asyncio.to_thread(step)
    except (JournalDamaged, OSError, sqlite3.Error) as error:
        log.error("the journal is not signed or sealed: %s; trying again in a minute", error)  # noqa: TRY400 - the reason says all
        return False
