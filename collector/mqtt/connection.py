"""One MQTT 5 client: its bytes in, its acknowledgements and decisions out.

What a client does wrong ends its own connection with a reason and nothing else.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol, cast

from phusong.collector.admission.doorkeeper import REVOKED, Doorkeeper, Guest
from phusong.collector.admission.listener import Crowd
from phusong.collector.decisions import DecisionBoard
from phusong.collector.intake import Intake
from phusong.collector.mqtt import codec
from phusong.collector.mqtt.arrival import DOOR, arrive, peer_of
from phusong.collector.mqtt.codec import (
    ConnectPacket,
    DisconnectReasonCode,
    Malformed,
    ProtocolBroken,
    packet_bytes,
)
from phusong.collector.mqtt.greeting import PACKET_MAX_BYTES, Refusal, accept
from phusong.collector.mqtt.patience import Patience
from phusong.collector.mqtt.publisher import Topics
from phusong.collector.mqtt.reading_gate import Hold, ReadingGate
from phusong.collector.mqtt.refused import Refused
from phusong.collector.mqtt.session import Session
from phusong.collector.mqtt.tail import Tail
from phusong.kernels.frame import PayloadKind, Route, Transport

log = logging.getLogger(__name__)

# How long a client may take to read the goodbye.
GOODBYE_TIMEOUT_S = 5.0
# Before a client has named itself it gets no more of our memory than its names and a will need.
CONNECT_MAX_BYTES = 65_536
# Of a message that is too long to be taken: its topic and where its payload begins.
OVERSIZED_KEPT_BYTES = 4096
PUBLISH_TYPE = 3
NO_CONNECT = "no CONNECT in time"
DISCONNECTED = "disconnected"
# All clients of a door that closes, at once: the log has a line for the whole of it.
QUIET_ENDS = (DisconnectReasonCode.SERVER_SHUTTING_DOWN,)


class Endpoint(Protocol):
    """What a connection needs of the endpoint it came to."""

    intake: Intake
    board: DecisionBoard
    topics: Topics
    doorkeeper: Doorkeeper

    def enter(self, connection: "Connection") -> None:
        """Register a connection; once it has a client id, end the session of another with the same id."""

    def leave(self, connection: "Connection") -> None:
        """Forget a connection."""

    def assigned_client_id(self) -> str:
        """Return a client id nobody has."""


class Connection(asyncio.Protocol):
    """A client from its first byte to its last."""

    def __init__(
        self, endpoint: Endpoint, on_lost: Callable[[], None], crowd: Crowd | None = None
    ) -> None:
        """Wait for bytes. `crowd` says why the client cannot stay; it is told when it has introduced itself."""
        self.client_id = ""
        self.guest = Guest()
        self._endpoint = endpoint
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._session: Session | None = None
        self._gate: ReadingGate | None = None
        self._tail = Tail()
        self._on_lost = on_lost
        self._crowd = crowd
        self._patience: Patience | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._rate_timer: asyncio.TimerHandle | None = None
        self._is_closing = False

    @property
    def unacknowledged_count(self) -> int:
        """How many messages wait for their commit."""
        return 0 if self._session is None else self._session.unacknowledged_count

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the clock for the first packet."""
        # uvloop's transports are no subclasses of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        self._gate = ReadingGate(self._transport)
        timeout_s = self._endpoint.doorkeeper.limits.hello_timeout_s
        self._timer = self._loop.call_later(timeout_s, self._close, NO_CONNECT)
        self._endpoint.enter(self)

    def connection_lost(self, _: Exception | None) -> None:
        """Forget the client; what it handed over is committed all the same."""
        self._is_closing = True
        self._transport = None
        self._tail.clear()
        self._endpoint.intake.forget(self._go_on)
        for timer in (self._timer, self._rate_timer):
            if timer is not None:
                timer.cancel()
        if self._session is not None:
            self._session.close()
            self._endpoint.doorkeeper.leave(self.guest, self._leave_revoked)
        self._endpoint.leave(self)
        self._on_lost()

    def data_received(self, data: bytes) -> None:
        """Take bytes as they come, cut anywhere."""
        if self._is_closing:
            return
        whole = self._tail.joined(data)
        if whole is None:
            self._note_heard(len(data), is_packet_new=False)
            return
        self._read(whole, len(data))

    def _read(self, whole: bytes, heard_bytes: int) -> None:
        """Read from the first byte of a packet on; once there is a client, only while the intake is not full."""
        try:
            position = 0 if self._session is not None else self._read_first(whole)
            if self._session is not None and not self._endpoint.intake.is_full:
                position = self._session.read(whole, position)
                if self._session.has_disconnected:
                    self._close(DISCONNECTED)
            self._keep_tail(whole, position)
            self._note_heard(heard_bytes, is_packet_new=position > 0)
            self._after_reading()
        except Refused as refused:
            self.end(refused.code, refused.reason)
        except ProtocolBroken as error:
            self.end(DisconnectReasonCode.PROTOCOL_ERROR, str(error))
        except Malformed as error:
            self.end(DisconnectReasonCode.MALFORMED_PACKET, str(error))

    def pause_writing(self) -> None:
        """The client does not read: read nothing more from it either."""
        self._hold(Hold.ANSWERS_UNREAD)
        if self._patience is not None:
            self._patience.mark_unread(self._loop.time())
        if self._session is not None:
            self._session.pause(is_paused=True)

    def resume_writing(self) -> None:
        """The client reads again."""
        self._release(Hold.ANSWERS_UNREAD)
        if self._patience is not None:
            self._patience.mark_unread(None)
        if self._session is not None:
            self._session.pause(is_paused=False)

    def end(self, code: DisconnectReasonCode, reason: str) -> None:
        """Say goodbye with a reason and close, after what is already written."""
        if self._is_closing or self._transport is None:
            return
        self._is_closing = True
        self._say_ended(
            logging.DEBUG if code in QUIET_ENDS else logging.INFO, code.name.lower(), reason
        )
        if self._session is not None:
            self._session.flush()
            self._transport.write(self._session.goodbye(code, reason))
        self._close_soon()

    def abort(self) -> None:
        """Close at once, whatever is still to be written."""
        self._is_closing = True
        if self._transport is not None:
            self._transport.abort()

    def hold_for_good(self) -> None:
        """Read nothing more; the endpoint closes."""
        self._hold(Hold.CLOSING)

    def _read_first(self, data: bytes) -> int:
        view = memoryview(data)
        if data[0] != codec.CONNECT_BYTE:
            self._close("the first packet is no CONNECT")
            return len(data)
        size = packet_bytes(view)
        if size is None or size > len(data):
            if size is not None and size > CONNECT_MAX_BYTES:
                self._close(f"a CONNECT of {size} bytes")
                return len(data)
            return 0
        assert self._transport is not None
        arrival = arrive(
            view[:size],
            peer_of(self._transport),
            self._endpoint.doorkeeper,
            self._leave_revoked,
            self._crowd,
        )
        if isinstance(arrival, Refusal):
            self._write(arrival.answer)
            self._close(arrival.reason)
            return len(data)
        self._enter(arrival.connect, arrival.guest)
        return size

    def _enter(self, connect: ConnectPacket, guest: Guest) -> None:
        self.guest = guest
        self.client_id = connect.client_id or self._endpoint.assigned_client_id()
        limits = self._endpoint.doorkeeper.limits
        keep_alive_s = min(connect.keep_alive or limits.keep_alive_max_s, limits.keep_alive_max_s)
        self._write(accept(connect, self.client_id, keep_alive_s))
        self._patience = Patience(keep_alive_s, limits.packet_timeout_s, self._loop.time())
        self._session = Session(
            self._endpoint.intake,
            self._endpoint.board,
            self._endpoint.topics,
            connect,
            guest,
            write=self._write,
            on_failure=lambda refused: self.end(refused.code, refused.reason),
        )
        self._endpoint.enter(self)
        assert self._timer is not None
        self._timer.cancel()
        self._look(self._patience)

    def _leave_revoked(self) -> None:
        self._endpoint.doorkeeper.deny(DOOR, "revoked", self.guest.address)
        self.end(DisconnectReasonCode.NOT_AUTHORIZED, REVOKED)

    def _keep_tail(self, data: bytes, position: int) -> None:
        """Keep the start of a packet, or refuse it by its length before the rest is taken in."""
        if self._is_closing or position == len(data):
            return
        start = memoryview(data)[position:]
        wanted_bytes = self._tail.keep(start)
        if wanted_bytes > PACKET_MAX_BYTES:
            self._keep_start(bytes(start[:OVERSIZED_KEPT_BYTES]))
            raise Refused(
                DisconnectReasonCode.PACKET_TOO_LARGE,
                f"a packet of {wanted_bytes} bytes; CONNACK said {PACKET_MAX_BYTES}",
            )

    def _keep_start(self, start: bytes) -> None:
        """Journal how a message began that is too long to be taken, so that somebody can find who sent it.

        Not while the intake is full: who connects again and again could pile up what waits for room on the disk.
        """
        if self._session is None or start[0] >> 4 != PUBLISH_TYPE or self._endpoint.intake.is_full:
            return
        route = Route("", "", self.guest.principal, Transport.MQTT, PayloadKind.OVERSIZED)
        kept = self._endpoint.intake.send(route, start)
        # Nobody waits for it; if the journal failed, the service hears of it by the intake.
        kept.add_done_callback(lambda done: done.cancelled() or done.exception())

    def _after_reading(self) -> None:
        """Stop reading while the intake is full."""
        intake = self._endpoint.intake
        if intake.is_full and not self._holds(Hold.INTAKE_FULL):
            self._hold(Hold.INTAKE_FULL)
            intake.call_when_roomy(self._go_on)

    def _go_on(self) -> None:
        """Read again, first what came and was not looked at."""
        self._release(Hold.INTAKE_FULL)
        whole = self._tail.joined(b"") if self._tail and not self._is_closing else None
        if whole is not None:
            self._read(whole, 0)

    def _note_heard(self, byte_count: int, *, is_packet_new: bool) -> None:
        """Book what came, and stop reading while the client's source is ahead of its rate."""
        if self._session is None or self._patience is None:
            return
        self._patience.hear(
            self._loop.time(), is_inside_packet=bool(self._tail), is_packet_new=is_packet_new
        )
        wait_s = self._endpoint.doorkeeper.spend(
            DOOR, self.guest, byte_count, self._session.taken_payload_count()
        )
        if wait_s and not self._is_closing:
            self._hold(Hold.AHEAD_OF_RATE)
            if self._rate_timer is not None:
                self._rate_timer.cancel()
            self._rate_timer = self._loop.call_later(wait_s, self._release, Hold.AHEAD_OF_RATE)

    def _holds(self, why: Hold) -> bool:
        return self._gate is not None and self._gate.holds(why)

    def _hold(self, why: Hold) -> None:
        if self._gate is not None:
            self._gate.hold(why)
        if self._patience is not None and why is not Hold.ANSWERS_UNREAD:
            self._patience.hold(self._loop.time(), is_held=True)

    def _release(self, why: Hold) -> None:
        if self._gate is None:
            return
        self._gate.release(why)
        if self._patience is not None:
            self._patience.hold(self._loop.time(), is_held=self._gate.is_held)

    def _look(self, patience: Patience) -> None:
        """End the connection of a client that takes too long for something, or look again later."""
        intake = self._endpoint.intake
        if intake.is_short_of_space and patience.has_been_held(self._loop.time()):
            # What it sent is not acknowledged: it may come again, or go elsewhere.
            self.end(DisconnectReasonCode.SERVER_BUSY, str(intake.space))
            return
        overdue = patience.overdue(self._loop.time())
        if overdue is None:
            self._timer = self._loop.call_later(patience.look_again_s, self._look, patience)
            return
        self.end(overdue.code, overdue.reason)
        if overdue.is_deaf:
            self.abort()

    def _write(self, packet: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(packet)

    def _close(self, reason: str) -> None:
        """Close without a DISCONNECT, after what is already written."""
        if self._transport is not None and not self._is_closing:
            self._is_closing = True
            level = logging.DEBUG if reason == DISCONNECTED else logging.INFO
            self._say_ended(level, "closed", reason)
            if reason == NO_CONNECT:
                self._endpoint.doorkeeper.deny(
                    DOOR, "hello_timeout", peer_of(self._transport).address
                )
            self._close_soon()

    def _say_ended(self, level: int, code: str, reason: str) -> None:
        log.log(
            level,
            "mqtt client %r: %s: %s",
            *(self.client_id, code, reason),
            extra={
                "event": "client_ended",
                "client_id": self.client_id,
                "principal": self.guest.principal or None,
                "code": code,
                "reason": reason,
            },
        )

    def _close_soon(self) -> None:
        """Close after what is already written, or without that when the client does not read it."""
        assert self._transport is not None
        self._transport.close()
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(GOODBYE_TIMEOUT_S, self._transport.abort)
