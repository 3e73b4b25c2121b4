"""The street side of a door: accepts connections, bounds their number, shakes hands for TLS. MQTT and HTTP share it."""

import asyncio
import errno
import logging
import socket
import ssl
from collections import Counter
from collections.abc import Callable
from enum import StrEnum
from typing import Self

from phusong.collector.admission.budget import Bucket
from phusong.collector.admission.limits import Limits

log = logging.getLogger(__name__)

BACKLOG_COUNT = 1024
# Out of file descriptors or memory: others have to leave first.
ACCEPT_PAUSE_S = 0.5
# Beyond the limits so many are let in to be told why they cannot stay; the rest is closed without a word.
TURNED_AWAY_COUNT_MAX = 64
# Peers whose rate is remembered; past it the oldest begins anew.
PEER_COUNT_MAX = 100_000
# How long a peer may take to say goodbye in TLS.
SHUTDOWN_TIMEOUT_S = 5.0


class Crowd(StrEnum):
    """Why a connection is one too many; the `reason` of a metric."""

    TOO_MANY = "too_many_connections"
    TOO_MANY_OF_PEER = "too_many_of_peer"
    TOO_FAST = "connection_rate"


# Makes the protocol of a connection. It must call the first argument once when the connection is lost; the second says
# why it cannot stay, None when it can.
MakeProtocol = Callable[[Callable[[], None], Crowd | None], asyncio.Protocol]


class Listener:
    """Listens while its context is entered."""

    def __init__(
        self,
        door: str,
        sockets: list[socket.socket],
        make_protocol: MakeProtocol,
        limits: Callable[[], Limits],
        *,
        tls: Callable[[], ssl.SSLContext | None],
        deny: Callable[[str, str, str], None],
    ) -> None:
        """`limits` and `tls` are asked at every connection; `deny` hears (door, reason, peer's address) of those not let in."""
        self.port: int = sockets[0].getsockname()[1]
        self._door = door
        self._sockets = sockets
        self._make_protocol = make_protocol
        self._limits = limits
        self._tls = tls
        self._deny = deny
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._count_of: Counter[str] = Counter()
        self._count = self._turned_away_count = 0
        self._rates: dict[str, Bucket] = {}

    async def __aenter__(self) -> Self:
        """Accept."""
        for listening in self._sockets:
            listening.listen(BACKLOG_COUNT)
            self._start(self._accept(listening))
        log_opened(self._door, self.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Accept nothing more and end handshakes; connections that are open stay so."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for listening in self._sockets:
            listening.close()

    def _start(self, coroutine: "asyncio._CoroutineLike[None]") -> None:
        task = self._loop.create_task(coroutine, name=f"{self._door} door")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                opened, address = await self._loop.sock_accept(listening)
            except OSError as error:
                if error.errno != errno.ECONNABORTED:
                    log.error(  # noqa: TRY400 - the reason says all
                        "%s: cannot accept connections: %s",
                        *(self._door, error.strerror),
                        extra={"event": "door_stuck", "door": self._door, "reason": error.strerror},
                    )
                    await asyncio.sleep(ACCEPT_PAUSE_S)
                continue
            crowd = self._crowd(address[0])
            if crowd is not None:
                self._deny(self._door, crowd, address[0])
                if self._turned_away_count >= TURNED_AWAY_COUNT_MAX:
                    opened.close()
                    continue
            self._start(self._open(opened, address[0], crowd))

    async def _open(self, opened: socket.socket, peer_address: str, crowd: Crowd | None) -> None:
        self._enter(peer_address, crowd, 1)
        is_left = False

        def leave() -> None:
            nonlocal is_left
            if not is_left:
                self._enter(peer_address, crowd, -1)
            is_left = True

        context = self._tls()
        timeouts = (
            {}
            if context is None
            else {
                "ssl_handshake_timeout": self._limits().hello_timeout_s,
                "ssl_shutdown_timeout": SHUTDOWN_TIMEOUT_S,
            }
        )
        try:
            await self._loop.connect_accepted_socket(
                lambda: self._make_protocol(leave, crowd), opened, ssl=context, **timeouts
            )
        except (OSError, TimeoutError) as error:
            # What a stranger did wrong in the handshake, or that it went away.
            leave()
            self._deny(self._door, _handshake_failure(error), peer_address)
        except asyncio.CancelledError:
            leave()
            opened.close()
            raise

    def _crowd(self, peer_address: str) -> Crowd | None:
        limits = self._limits()
        if self._count >= limits.connections:
            return Crowd.TOO_MANY
        if self._count_of[peer_address] >= limits.connections_per_peer:
            return Crowd.TOO_MANY_OF_PEER
        now_s = self._loop.time()
        rate = self._rates.pop(peer_address, None)
        if rate is None or rate.per_s != limits.connects_per_s_per_peer:
            rate = Bucket(limits.connects_per_s_per_peer, now_s)
        self._rates[peer_address] = rate
        if len(self._rates) > PEER_COUNT_MAX:
            del self._rates[next(iter(self._rates))]
        if rate.wait_s(now_s):
            return Crowd.TOO_FAST
        rate.spend(1, now_s)
        return None

    def _enter(self, peer_address: str, crowd: Crowd | None, step: int) -> None:
        if crowd is not None:
            self._turned_away_count += step
            return
        self._count += step
        self._count_of[peer_address] += step
        if not self._count_of[peer_address]:
            del self._count_of[peer_address]


def log_opened(door: str, port: int) -> None:
    """Say that a door takes clients from now on."""
    log.info(
        "%s is open on port %d",
        *(door, port),
        extra={"event": "door_opened", "door": door, "port": port},
    )


def _handshake_failure(error: OSError) -> str:
    """Return the word under which a failed handshake is counted."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return "tls_client_certificate"
    if isinstance(error, ssl.SSLError):
        return REASON_OF_TLS_ERROR.get(error.reason or "", "tls_handshake")
    return "tls_timeout" if isinstance(error, TimeoutError | ConnectionAbortedError) else "tls_lost"


REASON_OF_TLS_ERROR = {
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "tls_no_client_certificate",
    "HTTP_REQUEST": "tls_plaintext",
    "WRONG_VERSION_NUMBER": "tls_plaintext",
    "UNSUPPORTED_PROTOCOL": "tls_version",
    "SSLV3_ALERT_BAD_CERTIFICATE": "tls_refused_by_client",
    "TLSV1_ALERT_UNKNOWN_CA": "tls_refused_by_client",
}


def listening_sockets(door: str, host: str, port: int) -> list[socket.socket]:
    """Return sockets bound to every address of a host; port 0 is any free one, the same for all.

    Raises OSError when the port is taken or the host is none of ours.
    """
    sockets: list[socket.socket] = []
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, address in dict.fromkeys(found):
            listening = socket.socket(family, kind, protocol)
            sockets.append(listening)
            listening.setblocking(False)
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listening.bind((address[0], port, *address[2:]))
            port = listening.getsockname()[1]
    except OSError as error:
        for listening in sockets:
            listening.close()
        message = f"{door} cannot listen on {host}:{port}: {error.strerror}"
        raise OSError(error.errno, message) from error
    return sockets
