"""The road of a command into the journal: the intake itself, or the service that has it open."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

from phusong.collector.doors import open_intake
from phusong.collector.journal.writer import JournalFailed, JournalLocked
from phusong.collector.local_door import IN_FLIGHT_MAX, framed, read_message, socket_path
from phusong.kernels.frame import Route
from phusong.v1.ingest_pb2 import Receipt
from phusong.v1.journal_pb2 import Route as RouteMessage
from phusong.v1.local_pb2 import LocalPayload


class Road(Protocol):
    """What a command sends by."""

    async def submit(self, route: Route, payload: bytes) -> Receipt:
        """Return the receipt of one payload after its commit."""

    def receipts(self, payloads: Iterable[tuple[Route, bytes]]) -> AsyncIterator[Receipt]:
        """Send payloads with many in flight; yield their receipts in order."""


@asynccontextmanager
async def open_road(data: Path, clock_ms: Callable[[], int]) -> AsyncIterator[Road]:
    """Open the journal in `data`, or the door of the service that runs on it.

    Raises JournalLocked when something else holds the journal, JournalDamaged, OSError.
    """
    async with AsyncExitStack() as stack:
        road: Road
        try:
            road = (await stack.enter_async_context(open_intake(data, clock_ms))).intake
        except JournalLocked as locked:
            try:
                with socket_path(data) as path:
                    reader, writer = await asyncio.open_unix_connection(path)
            except OSError:
                raise locked from None
            stack.callback(writer.close)
            road = LocalRoad(reader, writer)
        yield road


class LocalRoad:
    """Payloads to a running service, receipts back."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Use an open connection to the local door."""
        self._reader = reader
        self._writer = writer

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
        try:
            receipt = Receipt()
            receipt.ParseFromString(await read_message(self._reader))
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise JournalFailed("the service ended before the payload was on disk") from error
        return receipt
