"""The door for commands on the same machine: a Unix socket inside the data folder.

Imports and registries come this way while a service runs, with the route they name themselves: whoever may enter the
folder could write the journal as well. The wire is in local.proto.
"""

import asyncio
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from phusong.collector.intake import Intake
from phusong.collector.journal.writer import JournalFailed
from phusong.kernels.frame import Route, Transport
from phusong.v1.ingest_pb2 import Receipt
from phusong.v1.local_pb2 import LocalAnswer, LocalPayload

SOCKET_NAME = "intake.sock"
LENGTH_BYTES = 4
# A registry travels whole: a million entitlements are about 60 MB.
MESSAGE_MAX_BYTES = 512 << 20
# Payloads of one command that wait for their commit.
IN_FLIGHT_MAX = 256
# A command that was suspended does not read its receipts; the service ends all the same.
GOODBYE_TIMEOUT_S = 10.0


class LocalDoor:
    """Listens while its context is entered."""

    def __init__(self, intake: Intake, data: Path) -> None:
        """`data` is the folder whose journal the intake writes."""
        self._intake = intake
        self._data = data
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        """Listen. A socket left by a crash is replaced: the lock of the journal says that nobody else listens."""
        self._remove()
        with socket_path(self._data) as path:
            self._server = await asyncio.start_unix_server(self._serve, path)
            os.chmod(path, 0o600)  # noqa: PTH101 - the path exists only while the folder is open
        return self

    async def __aexit__(self, *_: object) -> None:
        """Take nothing more and answer what was taken."""
        self._server.close()
        self._remove()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _remove(self) -> None:
        (self._data / SOCKET_NAME).unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        waiting: asyncio.Queue[asyncio.Future[Receipt] | None] = asyncio.Queue(IN_FLIGHT_MAX)
        answering = asyncio.create_task(_answer(waiting, writer))
        # Else a command that is gone could leave this waiting for room among its receipts.
        answering.add_done_callback(lambda _: task.cancel())
        try:
            while True:
                message = LocalPayload.FromString(await read_message(reader))
                route = route_of(message)
                if route.transport != Transport.SERVICE:
                    await self._room(writer)
                await waiting.put(self._intake.send(route, message.payload))
        except (asyncio.IncompleteReadError, ConnectionError, JournalFailed):
            pass  # the command is done or gone, or hears of the failure by the closed socket
        finally:
            with contextlib.suppress(asyncio.CancelledError, TimeoutError):
                if not answering.done():
                    async with asyncio.timeout(GOODBYE_TIMEOUT_S):
                        await waiting.put(None)
                        await answering
            answering.cancel()
            writer.close()
            self._tasks.discard(task)

    async def _room(self, writer: asyncio.StreamWriter) -> None:
        """Return when telemetry is taken; say so when that may last."""
        if self._intake.is_short_of_space:
            answer = LocalAnswer(waiting=str(self._intake.space))
            writer.write(framed(answer.SerializeToString()))
        await self._intake.room()


async def _answer(
    waiting: "asyncio.Queue[asyncio.Future[Receipt] | None]", writer: asyncio.StreamWriter
) -> None:
    """Write receipts in order, each after its commit."""
    with contextlib.suppress(ConnectionError, JournalFailed):
        while receipt := await waiting.get():
            writer.write(framed(LocalAnswer(receipt=await receipt).SerializeToString()))
            await writer.drain()


def route_of(message: LocalPayload) -> Route:
    """Return the route a command names."""
    route = message.route
    return Route(route.operator, route.source, route.principal, route.transport, route.kind)


def framed(message: bytes) -> bytes:
    """Return a message behind its length."""
    return len(message).to_bytes(LENGTH_BYTES) + message


async def read_message(reader: asyncio.StreamReader) -> bytes:
    """Return the next message. Raises IncompleteReadError at the end, ConnectionError for one that is too long."""
    length = int.from_bytes(await reader.readexactly(LENGTH_BYTES))
    if length > MESSAGE_MAX_BYTES:
        raise ConnectionError(f"a message of {length} bytes; at most {MESSAGE_MAX_BYTES} are taken")
    return await reader.readexactly(length)


@contextlib.contextmanager
def socket_path(data: Path) -> Iterator[str]:
    """Yield a path to the socket that is short whatever the folder: a socket's name has at most 107 bytes."""
    folder = os.open(data, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{SOCKET_NAME}"
    finally:
        os.close(folder)
