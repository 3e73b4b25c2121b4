"""Everything that takes telemetry in, opened in order and closed in reverse: journal, intake, board, MQTT, gRPC, broker."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, Self

from phusong.collector.admission.doorkeeper import Doorkeeper
from phusong.collector.admission.limits import DEFAULT_LIMITS, Limits
from phusong.collector.admission.tls import Tls
from phusong.collector.broker.options import BrokerOptions
from phusong.collector.broker.road import BrokerCounts, BrokerRoad
from phusong.collector.counts import IntakeCounts
from phusong.collector.decision_sender import DecisionSender
from phusong.collector.decisions import DecisionBoard
from phusong.collector.intake import Intake, wall_clock_ms
from phusong.collector.journal.writer import JournalWriter
from phusong.collector.local_door import LocalDoor
from phusong.collector.memory import recover
from phusong.collector.memory_cache import MemoryCache
from phusong.collector.mqtt.endpoint import MqttEndpoint
from phusong.collector.reservation_desk import QUOTA_BYTES, ReservationDesk
from phusong.collector.rpc.server import GrpcServer
from phusong.collector.signing import Signing, signing
from phusong.collector.space import RESERVE_BYTES, Space
from phusong.collector.traces import Tracer
from phusong.collector.warming import warm_kernels

JOURNAL_FOLDER = "journal"
# What NTP corrects while nobody looks; `kernels.clock` allows a device as much.
CLOCK_BEHIND_MAX_MS = 5 * 60 * 1000


class ClockBehind(Exception):
    """This machine's clock is behind what the journal holds."""


class OpenIntake(NamedTuple):
    """An intake with the journal behind it."""

    writer: JournalWriter
    intake: Intake
    board: DecisionBoard
    signing: Signing


@asynccontextmanager
async def open_intake(
    data: Path,
    clock_ms: Callable[[], int] = wall_clock_ms,
    reserve_bytes: int = RESERVE_BYTES,
    tracer: Tracer | None = None,
) -> AsyncIterator[OpenIntake]:
    """Open the journal in `data` for writing, with everything it says was seen; no doors.

    Raises JournalLocked when a service runs on it, ClockBehind, JournalDamaged, FrameDamaged, OSError, sqlite3.Error.
    """
    warm_kernels()
    with JournalWriter(data / JOURNAL_FOLDER) as writer:
        _check_clock(writer, clock_ms())
        memory = recover(writer.folder)
        assert memory.sequence == writer.sequence, "nobody else writes"
        async with (
            signing(data, writer, clock_ms) as known,
            Intake(
                *(writer, memory.judge, MemoryCache(writer, memory), clock_ms),
                reserve_bytes,
                tracer=tracer,
            ) as intake,
        ):
            memory.board.attach(intake, clock_ms)
            yield OpenIntake(writer, intake, memory.board, known)


def _check_clock(writer: JournalWriter, now_ms: int) -> None:
    """Refuse to journal the present under a future: arrival never runs backwards, so days would count wrong.

    Raises ClockBehind.
    """
    if writer.received_time_ms - now_ms > CLOCK_BEHIND_MAX_MS:
        last, now = (
            datetime.fromtimestamp(moment_ms / 1000, UTC).isoformat(timespec="seconds")
            for moment_ms in (writer.received_time_ms, now_ms)
        )
        raise ClockBehind(
            f"the journal's last arrival is {last} and this clock says {now}: set the clock right, or if the"
            " journal was written under a wrong clock or as a rehearsal, begin in another folder"
        )


@dataclass(frozen=True, slots=True)
class DoorOptions:
    """Where the doors are, and which broker is read. Port 0 is any free port."""

    data: Path
    host: str = "127.0.0.1"
    mqtt_port: int = 0
    grpc_port: int = 0
    broker: BrokerOptions | None = None
    # Clients of this machine need no credential.
    open_loopback: bool = False
    limits: Limits = DEFAULT_LIMITS
    reserve_bytes: int = RESERVE_BYTES  # of the disk: nothing new is taken into it
    tls: Tls | None = None
    tracer: Tracer | None = None  # wants spans of calls and commits
    quota_bytes: int = QUOTA_BYTES  # of a day, for sources that reserve


class Doors:
    """The collector as one thing. Use it with `async with`; what was accepted is on disk when it ends."""

    def __init__(self, options: DoorOptions, clock_ms: Callable[[], int] = wall_clock_ms) -> None:
        """Keep the options; entering opens."""
        self._options = options
        self._clock_ms = clock_ms
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Open. Raises what `open_intake` raises, and OSError when a port is taken or a file of TLS unusable."""
        options = self._options
        async with AsyncExitStack() as stack:
            opened = await stack.enter_async_context(
                open_intake(options.data, self._clock_ms, options.reserve_bytes, options.tracer)
            )
            self._writer, self.intake, self.board, self.signing = opened
            await stack.enter_async_context(DecisionSender(self.board))
            self.doorkeeper = Doorkeeper(
                self.intake.table, options.limits, is_loopback_open=options.open_loopback
            )
            self._mqtt = await stack.enter_async_context(
                MqttEndpoint(
                    self.intake,
                    self.board,
                    self.doorkeeper,
                    options.host,
                    options.mqtt_port,
                    tls=options.tls,
                )
            )
            desk = ReservationDesk(self.board, self.intake, options.quota_bytes, self._clock_ms)
            self._grpc = await stack.enter_async_context(
                GrpcServer(
                    self.intake,
                    self.board,
                    self.doorkeeper,
                    options.host,
                    options.grpc_port,
                    tls=options.tls,
                    desk=desk,
                )
            )
            await stack.enter_async_context(LocalDoor(self.intake, options.data))
            self._broker: BrokerRoad | None = None
            self._left: BrokerCounts | None = None  # by the broker before this one
            self._broker_failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            stack.push_async_callback(self._leave_broker)
            await self.read_broker(options.broker)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the doors, commit what was accepted, answer it, release the journal."""
        self.intake.stop_waiting()
        await self._stack.aclose()

    async def read_broker(self, options: BrokerOptions | None) -> None:
        """Read this broker from now on instead of the one before, after what that one sent is acknowledged.

        Raises OSError when a file of TLS is unusable; then nothing changed.
        """
        road = None if options is None else BrokerRoad(self.intake, options)
        await self._leave_broker()
        if self._broker is not None:
            self._left = self._broker.counts
        self._broker = None
        if road is not None:
            if self._left is not None:
                road.count_on(self._left)
            self._broker = await road.__aenter__()
            self._broker.task.add_done_callback(self._note_broker_failure)

    async def _leave_broker(self) -> None:
        if self._broker is not None:
            await self._broker.__aexit__()

    def _note_broker_failure(self, task: asyncio.Task[None]) -> None:
        failure = None if task.cancelled() else task.exception()
        if failure is not None and not self._broker_failure.done():
            self._broker_failure.set_exception(failure)

    def change(self, limits: Limits | None, reserve_bytes: int, *, open_loopback: bool) -> None:
        """Go by other limits from now on; None leaves those of the doors."""
        self.doorkeeper.change(limits or self.doorkeeper.limits, is_loopback_open=open_loopback)
        self.intake.keep_free(reserve_bytes)

    @property
    def stuck_s(self) -> float:
        """For how long the thread that commits has been at one step, 0 while it waits; infinite when it is gone."""
        return self.intake.stuck_s

    @property
    def mqtt_port(self) -> int:
        """The port MQTT clients connect to."""
        return self._mqtt.port

    @property
    def grpc_port(self) -> int:
        """The port gRPC clients connect to."""
        return self._grpc.port

    @property
    def sequence(self) -> int:
        """The sequence of the last committed frame."""
        return self._writer.sequence

    @property
    def segment(self) -> int:
        """The number of the segment that is written."""
        return self._writer.segment

    def committed_time_ms(self, sequence: int) -> int:
        """Return when a frame came, to a second; for one from before the start, when the last of those came."""
        return self.intake.committed_time_ms(sequence)

    @property
    def counts(self) -> IntakeCounts:
        """The counters of the intake as they stand."""
        return self.intake.counts

    @property
    def space(self) -> Space:
        """The room on the disk."""
        return self.intake.space

    @property
    def connection_count(self) -> int:
        """How many MQTT clients there are."""
        return self._mqtt.connection_count

    @property
    def broker_counts(self) -> BrokerCounts | None:
        """The counters of the broker road, None when there is none."""
        return None if self._broker is None else self._broker.counts

    def not_ready(self) -> str | None:
        """Say why telemetry is not taken by one of the roads, None when it is by all."""
        return next(filter(None, self.troubles().values()), None)

    def troubles(self) -> dict[str, str | None]:
        """Return what is wrong with each part, None where nothing is; without a broker there is no such part."""
        troubles = {"intake": self._intake_trouble(), "journal": self.signing.not_ready()}
        if self._broker is not None:
            troubles["broker"] = self._broker.not_ready()
        return troubles

    def _intake_trouble(self) -> str | None:
        if self._writer.received_time_ms - self._clock_ms() > CLOCK_BEHIND_MAX_MS:
            return "the clock went back: arrivals are counted under a time that has not come yet"
        if self.intake.failure.done():
            return f"the journal takes nothing more: {self.intake.failure.exception()}"
        if self.intake.is_short_of_space:
            return str(self.intake.space)
        if self.intake.is_full:
            return "the intake is full"
        return None

    async def failed(self) -> None:
        """Wait for ever, or raise what stopped the intake: the service must end then."""
        ends = (self.intake.failure, self._broker_failure)
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if not self.intake.failure.done():
            self._broker_failure.result()  # our own bug
        # Who stops waiting must not cancel the intake's own: the intake would not end as it should.
        await asyncio.shield(self.intake.failure)
