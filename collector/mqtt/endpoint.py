"""The MQTT 5 door: an ingest endpoint that acknowledges what is on disk. It is not a broker."""

import asyncio
import itertools
import secrets
from contextlib import suppress
from typing import Self

from phusong.collector.admission.doorkeeper import Doorkeeper
from phusong.collector.admission.listener import Listener, listening_sockets
from phusong.collector.admission.tls import Tls
from phusong.collector.decisions import DecisionBoard
from phusong.collector.intake import Intake
from phusong.collector.mqtt.arrival import DOOR
from phusong.collector.mqtt.codec import DisconnectReasonCode
from phusong.collector.mqtt.connection import Connection
from phusong.collector.mqtt.publisher import Topics

# How long what was accepted may take to be committed and acknowledged when the door closes.
DRAIN_TIMEOUT_S = 10.0
DRAIN_POLL_S = 0.005
# How long a client may take to read the goodbye.
GOODBYE_TIMEOUT_S = 1.0


class MqttEndpoint:
    """Listens while its context is entered."""

    def __init__(
        self,
        intake: Intake,
        board: DecisionBoard,
        doorkeeper: Doorkeeper,
        host: str,
        port: int,
        *,
        tls: Tls | None = None,
    ) -> None:
        """Port 0 takes any free port; `port` says which afterwards."""
        self._tls = tls
        self.intake = intake
        self.board = board
        self.doorkeeper = doorkeeper
        self.topics = Topics(intake.table)
        self.host = host
        self.port = port
        self._connections: set[Connection] = set()
        # Of a principal and a client id: nobody ends a session of somebody else's by guessing its id.
        self._client_of: dict[tuple[str, str], Connection] = {}
        self._assigned = itertools.count(1)
        self._run = secrets.token_hex(4)
        self._empty = asyncio.Event()

    async def __aenter__(self) -> Self:
        """Listen. Raises OSError when the port is taken."""
        self._listener = Listener(
            DOOR,
            listening_sockets(DOOR, self.host, self.port),
            lambda on_lost, crowd: Connection(self, on_lost, crowd),
            lambda: self.doorkeeper.limits,
            tls=lambda: None if self._tls is None else self._tls.context(DOOR),
            deny=self.doorkeeper.deny,
        )
        self.port = self._listener.port
        await self._listener.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Take nothing more, acknowledge what was taken, say goodbye."""
        await self._listener.__aexit__()
        for connection in tuple(self._connections):
            connection.hold_for_good()
        await self._drained()
        for connection in tuple(self._connections):
            connection.end(DisconnectReasonCode.SERVER_SHUTTING_DOWN, "the service is stopping")
        with suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE_TIMEOUT_S):
                await self._all_left()
        for connection in tuple(self._connections):
            connection.abort()

    @property
    def connection_count(self) -> int:
        """How many clients there are."""
        return len(self._connections)

    def enter(self, connection: Connection) -> None:
        """Register a connection; once it has a client id, end the session of another with the same id."""
        self._connections.add(connection)
        if not connection.client_id:
            return
        name = (connection.guest.principal, connection.client_id)
        other = self._client_of.get(name)
        self._client_of[name] = connection
        if other is not None:
            other.end(DisconnectReasonCode.SESSION_TAKEN_OVER, "the same client id connected again")

    def leave(self, connection: Connection) -> None:
        """Forget a connection."""
        self._connections.discard(connection)
        if not self._connections:
            self._empty.set()
        name = (connection.guest.principal, connection.client_id)
        if self._client_of.get(name) is connection:
            del self._client_of[name]

    def assigned_client_id(self) -> str:
        """Return a client id nobody has."""
        return f"phusong-{self._run}-{next(self._assigned)}"

    async def _all_left(self) -> None:
        while self._connections:
            self._empty.clear()
            await self._empty.wait()

    async def _drained(self) -> None:
        deadline_s = asyncio.get_running_loop().time() + DRAIN_TIMEOUT_S
        while any(connection.unacknowledged_count for connection in self._connections):
            if asyncio.get_running_loop().time() >= deadline_s or self.intake.failure.done():
                return
            await asyncio.sleep(DRAIN_POLL_S)
