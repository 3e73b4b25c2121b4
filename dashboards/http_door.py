"""The street side of the HTTP door: uvicorn's protocol behind our own listener, with the time-outs that uvicorn lacks.

uvicorn bounds neither how long a client takes to say what it wants nor how long it takes to read the answer.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from socket import socket
from typing import Any

import h11
import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

from phusong.collector.admission.doorkeeper import Doorkeeper
from phusong.collector.admission.limits import Limits
from phusong.collector.admission.listener import Crowd, Listener
from phusong.collector.admission.tls import Tls

DOOR = "http"
# A request is a line and some headers; nothing here takes a body.
REQUEST_TIMEOUT_S = 10.0
# A scrape over a bad line; making the answer is part of it.
RESPONSE_TIMEOUT_S = 60.0
# For the answers on their way when the service stops.
GOODBYE_TIMEOUT_S = 2
BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nretry-after: 10\r\n"
    b"content-type: text/plain\r\ncontent-length: 21\r\n\r\ntoo many connections\n"
)


class PatientProtocol(H11Protocol):
    """One HTTP connection that has to get on with it."""

    def __init__(
        self,
        doorkeeper: Doorkeeper,
        on_lost: Callable[[], None],
        crowd: Crowd | None,
        **fields: Any,
    ) -> None:
        """`crowd` says why the client cannot stay."""
        super().__init__(**fields)
        self._doorkeeper = doorkeeper
        self._on_lost = on_lost
        self._crowd = crowd
        self._timer: asyncio.TimerHandle | None = None
        self._stage = ""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """Start the clock for the request."""
        super().connection_made(transport)
        self._enter("request", REQUEST_TIMEOUT_S)
        if self._crowd is not None:
            transport.write(BUSY)
            transport.close()

    def data_received(self, data: bytes) -> None:
        """Take bytes as they come; from the first one of a request its clock runs."""
        if self._crowd is not None:
            return
        if not self._stage or self._is_read:
            self._enter("request", REQUEST_TIMEOUT_S)
        super().data_received(data)
        if self._is_asked and self._stage == "request" and not self.cycle.response_complete:
            self._enter("response", RESPONSE_TIMEOUT_S)

    def on_response_complete(self) -> None:
        """Stop the clock, unless the client still sends what nobody waits for, or has not read all of the answer."""
        super().on_response_complete()
        if self._is_read and self.conn.their_state is not h11.SEND_BODY:
            self._enter("", None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        super().connection_lost(exc)
        self._enter("", None)
        self._on_lost()

    @property
    def _is_read(self) -> bool:
        """Whether the last answer has left us whole: uvicorn is done when it is written."""
        is_answered = self.cycle is not None and self.cycle.response_complete
        return is_answered and not self.transport.get_write_buffer_size()

    @property
    def _is_asked(self) -> bool:
        return self.cycle is not None and self.conn.their_state not in (h11.IDLE, h11.SEND_BODY)

    def _enter(self, stage: str, timeout_s: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._stage = stage
        self._timer = None
        if timeout_s is not None:
            self._timer = self.loop.call_later(timeout_s, self._give_up)

    def _give_up(self) -> None:
        if self._stage == "response" and self._is_read:
            self._enter("", None)
            return
        peer_address = self.client[0] if self.client else ""
        self._doorkeeper.deny(DOOR, f"{self._stage}_timeout", peer_address)
        self.transport.abort()


class _Server(uvicorn.Server):
    """Leaves signals alone: the service ends its doors in an order of its own, and this one last but one."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _http_limits(limits: Limits) -> Limits:
    most = limits.http_connections
    return replace(limits, connections=most, connections_per_peer=most)


@asynccontextmanager
async def http_door(
    app: Starlette, sockets: list[socket], doorkeeper: Doorkeeper, tls: Tls | None
) -> AsyncIterator[None]:
    """Serve an application on bound sockets until the context ends."""
    config = uvicorn.Config(
        app,
        log_config=None,
        lifespan="off",
        access_log=False,
        ws="none",
        timeout_graceful_shutdown=GOODBYE_TIMEOUT_S,
    )
    config.load()
    server = _Server(config)
    listener = Listener(
        DOOR,
        sockets,
        lambda on_lost, crowd: PatientProtocol(
            doorkeeper,
            on_lost,
            crowd,
            config=config,
            server_state=server.server_state,
            app_state={},
        ),
        lambda: _http_limits(doorkeeper.limits),
        tls=lambda: None if tls is None else tls.context(DOOR),
        deny=doorkeeper.deny,
    )
    # No sockets of its own: the listener accepts, uvicorn only ticks and says goodbye to those connected.
    task = asyncio.create_task(server.serve(sockets=[]), name="http")
    try:
        async with listener:
            yield
    finally:
        server.should_exit = True
        await task
        for connection in tuple(server.server_state.connections):
            connection.transport.abort()  # it did not read its answer in time
