"""The running service: doors and journal here, the verifier in its own process, HTTP beside them."""

import asyncio
import json
import logging
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from phusong.collector.admission.limits import DEFAULT_LIMITS, Limits
from phusong.collector.admission.listener import listening_sockets
from phusong.collector.admission.tls import Tls, TlsOptions
from phusong.collector.admission.tls_files import Flaw
from phusong.collector.broker.options import BrokerOptions
from phusong.collector.doors import DoorOptions, Doors
from phusong.collector.space import RESERVE_BYTES
from phusong.collector.traces import Tracer
from phusong.dashboards.exposition import Exposition, Facts
from phusong.dashboards.exposition_intake import JournalFacts
from phusong.dashboards.http import http_app
from phusong.dashboards.http_door import http_door
from phusong.dashboards.verifier_lag import VerifierLag
from phusong.dashboards.verifier_link import VerifierLink
from phusong.v1.enforcement_pb2 import Decision
from phusong.verifier.process import FollowOptions
from phusong.verifier.process_use import process_use
from phusong.verifier.quota.settings import QuotaSettings
from phusong.verifier.snapshot import snapshot_age_s
from phusong.verifier.status import NewDecisions

log = logging.getLogger(__name__)

READY_FILE = "serve.json"
# Decisions are on disk in milliseconds; after this something is in their way that somebody should know of.
STUCK_AFTER_S = 10.0


@dataclass(frozen=True, slots=True)
class ServiceOptions:
    """What a service is started with."""

    data: Path
    host: str
    mqtt_port: int
    grpc_port: int
    http_port: int
    settings: QuotaSettings
    clock: Callable[[], int]
    clock_offset_ms: int
    broker: BrokerOptions | None = None
    open_loopback: bool = False
    disk_reserve_bytes: int = RESERVE_BYTES
    limits: Limits = DEFAULT_LIMITS
    tls: Tls | None = None
    has_site_metrics: bool = False
    # Called first in every process of ours: what it logs has the form of all.
    open_log: Callable[[], None] | None = None
    tracer: Tracer | None = None


@dataclass(frozen=True, slots=True)
class Address:
    """Where the service is; the ready line, and DATA/serve.json."""

    mqtt_port: int
    grpc_port: int
    http_port: int
    host: str
    pid: int


class Service:
    """Everything wired by hand, in one place."""

    def __init__(self, options: ServiceOptions) -> None:
        """Wire; `running` starts."""
        self._options = options
        self._doors: Doors | None = None
        self.link = VerifierLink(
            FollowOptions(
                options.data, options.settings, options.clock_offset_ms, options.has_site_metrics
            ),
            self._hear,
            options.open_log,
        )
        self._broker = options.broker

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Address]:
        """Run until the context ends; what was accepted is on disk then."""
        options = self._options
        async with AsyncExitStack() as stack:
            if options.tracer is not None:
                stack.push_async_callback(asyncio.to_thread, options.tracer.close)
            # Before anything starts, so that a taken port ends the command at once.
            listening = listening_sockets("http", options.host, options.http_port)
            for opened in listening:
                stack.callback(opened.close)
            self._doors = await stack.enter_async_context(
                Doors(
                    DoorOptions(
                        options.data,
                        options.host,
                        options.mqtt_port,
                        options.grpc_port,
                        options.broker,
                        options.open_loopback,
                        limits=options.limits,
                        reserve_bytes=options.disk_reserve_bytes,
                        tls=options.tls,
                        tracer=options.tracer,
                        quota_bytes=options.settings.quota_bytes,
                    ),
                    options.clock,
                )
            )
            await stack.enter_async_context(self.link)
            app = http_app(
                Exposition(self), self.not_ready, has_site_metrics=options.has_site_metrics
            )
            await stack.enter_async_context(
                http_door(app, listening, self._doors.doorkeeper, options.tls)
            )
            await self._first_report()
            address = Address(
                self._doors.mqtt_port,
                self._doors.grpc_port,
                listening[0].getsockname()[1],
                options.host,
                os.getpid(),
            )
            ready_file = options.data / READY_FILE
            ready_file.write_text(json.dumps(asdict(address)) + "\n")
            stack.callback(ready_file.unlink, missing_ok=True)
            yield address

    def facts(self) -> Facts:
        """Return what a scrape shows."""
        assert self._doors is not None
        doors, options = self._doors, self._options
        segments = (options.data / "journal").glob("segment-*")
        return Facts(
            software_version=version("phusong"),
            connection_count=doors.connection_count,
            intake=doors.counts,
            doors=doors.doorkeeper.counts,
            ready={part: trouble is None for part, trouble in self._troubles().items()},
            journal=JournalFacts(
                doors.sequence,
                doors.segment,
                sum(map(_size_bytes, segments)),
                doors.space,
                doors.signing.signed_age_s,
                doors.signing.failure_count,
                len(doors.signing.damaged),
            ),
            verifier_start_count=self.link.start_count,
            verifier_lag=self.verifier_lag(),
            status=self.link.status,
            judged=self.link.judged,
            broker=doors.broker_counts,
            snapshot_age_s=snapshot_age_s(options.data, options.clock() - options.clock_offset_ms),
            use=process_use(),
        )

    @property
    def http_scheme(self) -> str:
        """How the HTTP door is spoken to."""
        return "http" if self._options.tls is None else "https"

    def reload_tls(self, options: TlsOptions | None) -> tuple[Flaw, ...]:
        """Read the files of TLS, by these options, again; return what people should know.

        Raises TlsUnusable: then nothing changed.
        """
        tls = self._options.tls
        if tls is None or options is None:
            return ()
        tls.reload(options)
        return tls.warnings

    async def read_broker(self, broker: BrokerOptions | None) -> None:
        """Read this broker from now on; where it is the same, only if the files of its TLS may be new."""
        assert self._doors is not None
        if broker != self._broker or (broker is not None and broker.tls_ca_file is not None):
            await self._doors.read_broker(broker)
            self._broker = broker

    def change(self, limits: Limits | None, reserve_bytes: int, *, open_loopback: bool) -> None:
        """Go by other limits from now on; None leaves those of the doors."""
        assert self._doors is not None
        self._doors.change(limits, reserve_bytes, open_loopback=open_loopback)

    @property
    def stuck_s(self) -> float:
        """For how long the thread that commits has been at one step, 0 while it waits; infinite when it is gone."""
        return 0.0 if self._doors is None else self._doors.stuck_s

    @property
    def is_loopback_open(self) -> bool:
        """Whether clients of this machine need no credential."""
        assert self._doors is not None
        return self._doors.doorkeeper.is_loopback_open

    @property
    def can_anybody_send(self) -> bool:
        """Whether a client could come in by MQTT or gRPC as things stand."""
        assert self._doors is not None
        return self.is_loopback_open or self._doors.doorkeeper.has_credentials

    def not_ready(self) -> str | None:
        """Say why telemetry is not taken or not judged, None when it is."""
        return next(filter(None, self._troubles().values()), None)

    def _troubles(self) -> dict[str, str | None]:
        """Return what is wrong with each part, None where nothing is."""
        assert self._doors is not None
        verifier_trouble = self.link.not_ready() or self.verifier_lag().not_ready()
        return {**self._doors.troubles(), "verifier": verifier_trouble}

    def verifier_lag(self) -> VerifierLag:
        """Return how far the verifier is behind the journal."""
        assert self._doors is not None
        frame_count = max(0, self._doors.sequence - self.link.applied_sequence)
        if not frame_count:
            return VerifierLag(0, 0.0)
        waits_since_ms = self._doors.committed_time_ms(self.link.applied_sequence + 1)
        return VerifierLag(frame_count, max(0, self._options.clock() - waits_since_ms) / 1000)

    async def failed(self) -> None:
        """Wait for ever, or raise what stopped the intake: nothing more can be taken then."""
        assert self._doors is not None
        await self._doors.failed()

    async def _first_report(self) -> None:
        """Wait for the verifier's first word. Raises VerifierFailed when there can be none."""
        heard = asyncio.create_task(self.link.first_word.wait())
        failed = asyncio.create_task(self.link.failed())
        try:
            await asyncio.wait({heard, failed}, return_when=asyncio.FIRST_COMPLETED)
            if failed.done():
                failed.result()
        finally:
            heard.cancel()
            failed.cancel()

    async def _hear(self, report: NewDecisions) -> None:
        assert self._doors is not None
        board = self._doors.board
        # Until there is room, nothing more is heard of the verifier.
        watch = asyncio.get_running_loop().call_later(STUCK_AFTER_S, self._say_stuck)
        try:
            await board.room()
        finally:
            watch.cancel()
        # Not until they are delivered: the next ones need not wait for the commit of these.
        board.offer([Decision.FromString(decision) for decision in report.decisions])

    def _say_stuck(self) -> None:
        log.error(
            "decisions have not been journalled for %d s: nothing reaches an enforcement point (%s)",
            *(STUCK_AFTER_S, self.not_ready() or "no reason is known"),
            extra={"event": "decisions_stuck", "reason": self.not_ready()},
        )


def _size_bytes(path: Path) -> int:
    """Return how large a file is, 0 where it has just gone: SQLite's beside a segment, or one that was sealed."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
