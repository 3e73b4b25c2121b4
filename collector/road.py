"""The road of a command into the journal: the intake itself, or the service that has it open."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

from phusong.collector.doors import open_intake
from phusong.collector.journal.writer import JournalFailed, JournalLocked
from phusong.collector.local_door import IN_FLIGHT_MAX, framed, read_message, socket_path
from phusong.collector.space import RESERVE_BYTES
from phusong.kernels.frame import Route
from phusong.v1.ingest_pb2 import Receipt
from phusong.v1.journal_pb2 import Route as RouteMessage
from phusong.v1.local_pb2 import LocalAnswer, LocalPayload

log = logging.getLogger(__name__)


class Road(Protocol):
    """What a command sends by."""

    async def submit(self, route: Route, payload: bytes) -> Receipt:
        """Return the receipt of one payload after its commit."""

    def receipts(self, payloads: Iterable[tuple[Route, bytes]]) -> AsyncIterator[Receipt]:
        """Send payloads with many in flight; yield their receipts in order."""


@asynccontextmanager
async def open_road(
    data: Path, clock_ms: Callable[[], int], reserve_bytes: int = RESERVE_BYTES
) -> AsyncIterator[Road]:
    """Open the journal in `data`, or the door of the service that runs on it, which has its own reserve.

    Raises JournalLocked when something else holds the journal, JournalDamaged, OSError.
    """
    async with AsyncExitStack() as stack:
        road: Road
        try:
            road = (
                await stack.enter_async_context(open_intake(data, clock_ms, reserve_bytes))
            ).intake
        except JournalLocked as locked:
            try:
                with socket_path(data) as path:
                    reader, writer = await asyncio.open_unix_connection(path)
            except OSError:
                raise locked from None
            stack.callback(writer.close)
            road = LocalRoad(reader, writer)
            stack.callback(road.reading.cancel)
        yield road


class LocalRoad:
    """Payloads to a running service, receipts back."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Use an open connection to the local door."""
        self._reader = reader
        self._writer = writer
        # At most as many as are in flight; None is the end.
        self._receipts: asyncio.Queue[Receipt | None] = asyncio.Queue()
        # Beside sending: why the service takes nothing comes while a payload cannot be sent.
        self.reading = asyncio.create_task(self._read(), name="receipts")

    async def submit(self, route: Route, payload: bytes) -> Receipt:
        """Return the receipt of one payload. Raises JournalFailed when the service ends before it is on disk."""
        await self._send(route, payload)
        return await self._receipt()

    async def receipts(self, payloads: Iterable[tuple[Route, bytes]]) -> AsyncIterator[Receipt]:
        """Send payloads with many in flight; yield their receipts in order. Raises JournalFailed."""
        in_flight = 0
        for route, payload in payloads:
            await self._send(route, payload)
            in_flight += 1
            if in_flight == IN_FLIGHT_MAX // 2:
                yield await self._receipt()
                in_flight -= 1
        for _ in range(in_flight):
            yield await self._receipt()

    async def _send(self, route: Route, payload: bytes) -> None:
        fields: dict[str, Any] = route._asdict()
        message = LocalPayload(route=RouteMessage(**fields), payload=payload)
        self._writer.write(framed(message.SerializeToString()))
        await self._writer.drain()

    async def _receipt(self) -> Receipt:
        receipt = await self._receipts.get()
        if receipt is None:
            raise JournalFailed("the service ended before the payload was on disk")
        return receipt

    async def _read(self) -> None:
        try:
            while True:
                answer = LocalAnswer.FromString(await read_message(self._reader))
                if answer.HasField("receipt"):
                    self._receipts.put_nowait(answer.receipt)
                else:
                    log.warning(
                        "the service waits: %s", answer.waiting, extra={"event": "service_waits"}
                    )
        except (asyncio.IncompleteReadError, ConnectionError):
            self._receipts.put_nowait(None)
