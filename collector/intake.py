"""The one road into the journal: bounded, and complete only when the bytes are on disk."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from typing import TYPE_CHECKING, Self

from phusong.collector.committer import Committer, Completions
from phusong.collector.counts import Counters, IntakeCounts
from phusong.collector.journal.writer import JournalFailed, JournalWriter, NotTaken
from phusong.collector.judge import Judge
from phusong.collector.parcel import Outcome, Parcel
from phusong.collector.receipts import receipt_of
from phusong.collector.routes import RouteTable, TooManyRoutes
from phusong.collector.space import RESERVE_BYTES, Space, SpaceWatch
from phusong.collector.traces import BatchTrace, Tracer, Traces
from phusong.kernels.frame import Route, Transport
from phusong.v1.ingest_pb2 import Receipt

if TYPE_CHECKING:  # it leads to the board, which leads here
    from phusong.collector.memory_cache import MemoryCache

# What may wait for a commit: a third of a second of a good disk. Doors that watch `is_full` stop reading then, so
# each connection may bring one more chunk; a caller of `submit` is told to come back.
QUEUE_MAX_BYTES = 64 << 20
QUEUE_PAYLOAD_COUNT_MAX = 1 << 20
# Reading goes on when half has gone, so that doors do not flutter.
QUEUE_ROOMY_SHARE = 2

# Told to who comes while the queue is full: a few commits.
RETRY_MS = 250
# Told while the disk is nearly full: somebody has to make room first.
NO_ROOM_RETRY_MS = 5000

# Of one caller of `receipts`, so that an import leaves room for the doors.
IN_FLIGHT_MAX_BYTES = 8 << 20
IN_FLIGHT_PAYLOAD_COUNT_MAX = 4096


def wall_clock_ms() -> int:
    """Return the time of arrival by this machine's clock."""
    return time.time_ns() // 1_000_000


class Overloaded(Exception):
    """Not taken: the queue or the disk is full. Send again after `retry_ms`."""

    def __init__(self, retry_ms: int, reason: str = "the intake is full") -> None:
        """Say when to come back."""
        super().__init__(f"{reason}; send again in {retry_ms} ms")
        self.retry_ms = retry_ms


class Intake:
    """Takes payloads on the event loop and answers when they are on disk. Use it with `async with`."""

    def __init__(
        self,
        writer: JournalWriter,
        judge: Judge,
        cache: "MemoryCache",
        clock_ms: Callable[[], int] = wall_clock_ms,
        reserve_bytes: int = RESERVE_BYTES,
        *,
        tracer: Tracer | None = None,
    ) -> None:
        """The writer stays the caller's to close, after the intake. Nothing new is taken into the last `reserve_bytes`."""
        self.table: RouteTable = judge.table
        self.failure: asyncio.Future[None]  # set with the exception that stopped the intake
        self._counters = Counters(self.table)
        watch = SpaceWatch(writer.folder, reserve_bytes)
        self.traces = Traces(tracer)
        self._committer = Committer(
            *(writer, judge, self._counters, clock_ms, self._tell),
            watch=watch,
            cache=cache,
            tracer=tracer,
        )
        self._is_ending = False
        self._queue_bytes = 0
        self._queue_payload_count = 0
        self._when_roomy: dict[Callable[[], None], None] = {}

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self.failure = self._loop.create_future()
        self._committer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stop_waiting()
        await asyncio.to_thread(self._committer.close)
        await asyncio.sleep(0)  # what the worker told last is complete before anyone goes on
        if self.failure.done():
            self.failure.exception()  # whoever cares has asked; do not warn
        else:
            self.failure.cancel()

    @property
    def is_full(self) -> bool:
        """Whether a door should stop reading."""
        return self.is_short_of_space or self._is_queue_full

    @property
    def _is_queue_full(self) -> bool:
        return (
            self._queue_bytes >= QUEUE_MAX_BYTES
            or self._queue_payload_count >= QUEUE_PAYLOAD_COUNT_MAX
        )

    @property
    def is_short_of_space(self) -> bool:
        """Whether nothing new is taken because the disk is nearly full."""
        return self.space.is_short and not self._is_ending

    @property
    def space(self) -> Space:
        """The room on the disk when it was last looked at."""
        return self._committer.space

    @property
    def counts(self) -> IntakeCounts:
        """The counters as they stand."""
        return self._counters.snapshot(self._queue_bytes, self._queue_payload_count)

    @property
    def stuck_s(self) -> float:
        """For how long the thread that commits has been at one step, 0 while it waits; infinite when it is gone."""
        return self._committer.stuck_s

    def keep_free(self, reserve_bytes: int) -> None:
        """Take nothing new into the last so many bytes of the disk, from the next look on."""
        self._committer.keep_free(reserve_bytes)

    def committed_time_ms(self, sequence: int) -> int:
        """Return when a frame came, to a second; for one from before the start, when the last of those came."""
        return self._committer.times.time_ms(sequence)

    def call_when_roomy(self, callback: Callable[[], None]) -> None:
        """Call back once, when half of the queue has gone and the disk has room."""
        self._when_roomy[callback] = None

    def forget(self, callback: Callable[[], None]) -> None:
        """Do not call back: a disk may be full for longer than a connection lasts."""
        self._when_roomy.pop(callback, None)

    async def room(self) -> None:
        """Return when the intake is not full."""
        while self.is_full:
            roomy = asyncio.Event()
            self.call_when_roomy(roomy.set)
            await roomy.wait()

    def stop_waiting(self) -> None:
        """Take nothing that would have to wait for room on the disk: the doors are about to close."""
        self._is_ending = True
        self._committer.stop_waiting()
        self._call_if_roomy()

    def offer(self, parcel: Parcel) -> None:
        """Take a parcel whatever waits already; look at `is_full` before. Raises JournalFailed."""
        self._assert_alive()
        self._queue_bytes += len(parcel.envelopes)
        self._queue_payload_count += len(parcel.route)
        self._committer.put(parcel)

    async def submit(self, route: Route, payload: bytes) -> Receipt:
        """Return the receipt of one payload after its commit. Raises Overloaded, JournalFailed."""
        if self.is_short_of_space and route.transport != Transport.SERVICE:
            raise Overloaded(NO_ROOM_RETRY_MS, str(self.space))
        if self._is_queue_full:
            raise Overloaded(RETRY_MS)
        try:
            return await self.send(route, payload)
        except TooManyRoutes as error:
            raise Overloaded(RETRY_MS) from error

    def send(self, route: Route, payload: bytes) -> asyncio.Future[Receipt]:
        """Take one payload whatever waits already; its receipt comes after the commit.

        Raises JournalFailed, TooManyRoutes.
        """
        number = self.table.number(route)
        receipt: asyncio.Future[Receipt] = self._loop.create_future()

        def complete(outcome: Outcome) -> None:
            if receipt.cancelled():
                return
            if isinstance(outcome, Exception):
                receipt.set_exception(outcome)
            else:
                receipt.set_result(receipt_of(outcome, outcome.first, self.table))

        is_own = route.transport == Transport.SERVICE
        self.offer(Parcel.of_one(number, payload, complete, is_own=is_own))
        return receipt

    def note(self, trace: BatchTrace | None, outcome: Outcome) -> None:
        """Note what became of a payload that no receipt is made for, where it belongs to a trace."""
        if trace is None:
            return
        if isinstance(outcome, Exception):
            self.traces.fail(trace, str(outcome))
        else:
            self.traces.end(trace, receipt_of(outcome, outcome.first, self.table))

    async def receipts(self, payloads: Iterable[tuple[Route, bytes]]) -> AsyncIterator[Receipt]:
        """Send payloads with many in flight; yield their receipts in order. Raises JournalFailed."""
        in_flight: deque[tuple[asyncio.Future[Receipt], int]] = deque()
        in_flight_bytes = 0
        for route, payload in payloads:
            await self.room()
            in_flight.append((self.send(route, payload), len(payload)))
            in_flight_bytes += len(payload)
            while (
                in_flight_bytes >= IN_FLIGHT_MAX_BYTES
                or len(in_flight) >= IN_FLIGHT_PAYLOAD_COUNT_MAX
            ):
                receipt, payload_bytes = in_flight.popleft()
                in_flight_bytes -= payload_bytes
                yield await receipt
        for receipt, _ in in_flight:
            yield await receipt

    def _assert_alive(self) -> None:
        if self.failure.done():
            raise JournalFailed("the journal takes nothing more") from self.failure.exception()

    def _tell(self, completions: Completions, failure: Exception | None) -> None:
        self._loop.call_soon_threadsafe(self._complete, completions, failure)

    def _complete(self, completions: Completions, failure: Exception | None) -> None:
        if failure is not None and not isinstance(failure, NotTaken):
            self.failure.set_exception(failure)
        for parcel, outcome in completions:
            self._queue_bytes -= len(parcel.envelopes)
            self._queue_payload_count -= len(parcel.route)
            parcel.complete(outcome)
        self._call_if_roomy()

    def _call_if_roomy(self) -> None:
        is_roomy = (
            not self.is_short_of_space
            and self._queue_bytes <= QUEUE_MAX_BYTES // QUEUE_ROOMY_SHARE
            and self._queue_payload_count <= QUEUE_PAYLOAD_COUNT_MAX // QUEUE_ROOMY_SHARE
        )
        if is_roomy and self._when_roomy:
            callbacks, self._when_roomy = self._when_roomy, {}
            for callback in callbacks:
                callback()
