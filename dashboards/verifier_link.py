"""The parent's side of the verifier process: start it, hear it, start it again when it dies, stop it."""

import asyncio
import logging
import multiprocessing
import pickle
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Self

from phusong.verifier.process import LOG, STOP, FollowOptions, VerifierFailure, follow
from phusong.verifier.status import NewDecisions, VerifierStatus

log = logging.getLogger(__name__)

Hear = Callable[[NewDecisions], Awaitable[None]]

# A verifier that cannot start at all must not spin.
RESTART_PAUSE_S = 1.0
# Deaths without a report in between after which starting again is hoping: somebody must look.
SILENT_DEATH_COUNT_MAX = 3
# A damaged journal is looked at again as often as this: a copy may have been put back.
DAMAGED_PAUSE_S = 60.0
# A report comes twice a second; after this the verifier is stuck, stopped or swapping.
REPORT_AGE_MAX_S = 10.0
# Writing the snapshot of millions of SIMs takes seconds; without it only the next start is slower.
STOP_TIMEOUT_S = 20.0


class VerifierFailed(Exception):
    """The verifier cannot go on, and says why; starting it again would not help."""


class VerifierLink:
    """Runs the verifier in its own process for as long as the context lasts."""

    def __init__(
        self, options: FollowOptions, hear: Hear, open_log: Callable[[], None] | None = None
    ) -> None:
        """`hear` is awaited with decisions, before anything later is read; `open_log` is called first in each process."""
        self._options = options
        self._open_log = open_log
        self._hear = hear
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None
        self._is_stopping = False
        self._stopping = asyncio.Event()
        self._silent_death_count = 0
        self._heard_at_s = 0.0
        self._damage = ""
        self.first_word = asyncio.Event()  # set by the first report, or by what prevents it
        self.start_count = 0
        self.status: VerifierStatus | None = None
        # By the last report of any of its processes.
        self.applied_sequence = 0
        self.judged: VerifierStatus | None = None

    async def __aenter__(self) -> Self:
        """Start the process."""
        self._task = asyncio.create_task(self._run(), name="verifier link")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Ask the process to stop, and wait for it."""
        self._is_stopping = True
        self._stopping.set()
        if self._pipe is not None:
            with suppress(OSError):  # it is gone already
                self._pipe.send_bytes(STOP)
        try:
            await asyncio.wait_for(asyncio.shield(self._task), STOP_TIMEOUT_S)
        except TimeoutError:
            log.warning(
                "the verifier did not stop within %d s and is killed",
                STOP_TIMEOUT_S,
                extra={"event": "verifier_killed"},
            )
            assert self._process is not None
            self._process.kill()
            await asyncio.wait([self._task])
        except VerifierFailed:
            pass  # who waits for `failed` has heard of it

    async def failed(self) -> None:
        """Wait for ever, or raise why the verifier cannot go on."""
        await asyncio.shield(self._task)

    def change_log(self, open_log: Callable[[], None]) -> None:
        """Let the process log by other settings, now and whenever it is started again."""
        self._open_log = open_log
        if self._pipe is not None:
            with suppress(OSError):  # the next one begins with them
                self._pipe.send_bytes(LOG + pickle.dumps(open_log))

    def not_ready(self) -> str | None:
        """Say why no verdict can be had now, None when it can."""
        if self._damage:
            return f"no verdict goes further than the journal is whole: {self._damage}"
        if self._task.done():
            return f"the verifier ended for good: {self._task.exception()}"
        if self._process is None or not self._process.is_alive():
            return "the verifier is starting again"
        if self.status is None:
            return "the verifier is reading the journal"
        age_s = time.monotonic() - self._heard_at_s
        if age_s > REPORT_AGE_MAX_S:
            return f"the verifier has said nothing for {age_s:.0f} s"
        return None

    async def _run(self) -> None:
        while not self._is_stopping:
            try:
                await self._follow_once()
            except OSError as error:  # no descriptor or no memory for another process: it may pass
                log.warning(
                    "the verifier cannot be started: %s",
                    error,
                    extra={"event": "verifier_unstartable", "reason": str(error)},
                )
            if self._is_stopping:
                break
            if self._damage:
                await self._pause(DAMAGED_PAUSE_S)
            else:
                self._note_death()
                await self._pause(RESTART_PAUSE_S)

    async def _pause(self, pause_s: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await self._stopping.wait()

    def _note_death(self) -> None:
        code = None if self._process is None else self._process.exitcode
        log.warning(
            "the verifier ended (exit code %s) and is started again",
            code,
            extra={"event": "verifier_ended", "exit_code": code},
        )
        self._silent_death_count = self._silent_death_count + 1 if self.status is None else 0
        if self._silent_death_count >= SILENT_DEATH_COUNT_MAX:
            raise VerifierFailed(
                f"the verifier died {SILENT_DEATH_COUNT_MAX} times before its first report; its last words are above"
            )

    async def _follow_once(self) -> None:
        self.status = None
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=follow,
            args=(self._options, theirs, self._open_log),
            name="phusong verifier",
            daemon=True,
        )
        try:
            self._process.start()
            theirs.close()
            self.start_count += 1
            if self._is_stopping:
                self._pipe.send_bytes(STOP)
            while True:
                # In a thread: a report is read whole however slowly it comes, and the doors go on.
                await self._take(await asyncio.to_thread(self._pipe.recv))
        except EOFError:
            pass  # the process ended: of its own accord, killed, or told to
        finally:
            theirs.close()
            self._pipe.close()
            if self._process.pid is not None:
                await asyncio.to_thread(self._process.join)

    async def _take(self, report: VerifierStatus | NewDecisions | VerifierFailure) -> None:
        if isinstance(report, NewDecisions):
            self._heard_at_s = time.monotonic()
            await self._hear(report)
            return
        self.first_word.set()
        if isinstance(report, VerifierFailure):
            log.error(
                "%s. Telemetry is taken all the same; `phusong journal stat` says more",
                report.reason,
                extra={"event": "journal_unreadable", "reason": report.reason},
            )
            self._damage = report.reason
            return
        self._damage = ""
        self._heard_at_s = time.monotonic()
        self.status = report
        self.applied_sequence = report.applied_sequence
        if report.judgement is not None:
            self.judged = report
