"""The parent's side of the verifier process: start it, hear it, start it again when it dies, stop it."""

import asyncio
import multiprocessing
from collections.abc import Awaitable, Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Self

from phusong.verifier.process import STOP, FollowOptions, follow
from phusong.verifier.status import VerifierStatus

Hear = Callable[[VerifierStatus], Awaitable[None]]

# A verifier that cannot start at all must not spin.
RESTART_PAUSE_S = 1.0
# Writing the snapshot of millions of SIMs takes seconds; without it only the next start is slower.
STOP_TIMEOUT_S = 20.0


class VerifierLink:
    """Runs the verifier in its own process for as long as the context lasts."""

    def __init__(self, options: FollowOptions, hear: Hear) -> None:
        """`hear` is awaited with each report."""
        self._options = options
        self._hear = hear
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None
        self._task: asyncio.Task[None] | None = None
        self._is_stopping = False
        self.start_count = 0
        self.status: VerifierStatus | None = None
        self.judged: VerifierStatus | None = None

    async def __aenter__(self) -> Self:
        """Start the process."""
        self._task = asyncio.create_task(self._run(), name="verifier link")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Ask the process to stop, and wait for it."""
        self._is_stopping = True
        if self._pipe is not None:
            with suppress(OSError):  # it is gone already
                self._pipe.send_bytes(STOP)
        assert self._task is not None
        try:
            await asyncio.wait_for(self._task, STOP_TIMEOUT_S)
        except TimeoutError:
            assert self._process is not None
            self._process.kill()

    def not_ready(self) -> str | None:
        """Say why no verdict can be had now, None when it can."""
        if self._process is None or not self._process.is_alive():
            return "the verifier is starting again"
        if self.status is None:
            return "the verifier is reading the journal"
        return None

    async def _run(self) -> None:
        while not self._is_stopping:
            await self._follow_once()
            if not self._is_stopping:
                await asyncio.sleep(RESTART_PAUSE_S)

    async def _follow_once(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=follow, args=(self._options, theirs), name="phusong verifier", daemon=True
        )
        self._process.start()
        theirs.close()
        self.start_count += 1
        readable = asyncio.Event()
        loop = asyncio.get_running_loop()
        descriptor = self._pipe.fileno()
        loop.add_reader(descriptor, readable.set)
        try:
            while True:
                await readable.wait()
                readable.clear()
                while self._pipe.poll():
                    await self._take(self._pipe.recv())
        except (EOFError, OSError):
            pass  # the process ended: of its own accord, killed, or told to
        finally:
            loop.remove_reader(descriptor)
            self._pipe.close()
            await asyncio.to_thread(self._process.join)

    async def _take(self, status: VerifierStatus) -> None:
        self.status = status
        if status.judgement is not None:
            self.judged = status
        await self._hear(status)
