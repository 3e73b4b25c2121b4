"""One MQTT 5 client: its bytes in, its acknowledgements and decisions out.

What a client does wrong ends its own connection with a reason and nothing else.
"""

import asyncio
import logging
from typing import Protocol, cast

import numpy as np

from phusong.collector.admission.doorkeeper import Denial, Doorkeeper, Shown, denial_text
from phusong.collector.decisions import DecisionBoard
from phusong.collector.intake import Intake
from phusong.collector.mqtt import codec
from phusong.collector.mqtt.codec import (
    ConnAckReasonCode,
    ConnectPacket,
    DisconnectPacket,
    DisconnectReasonCode,
    Malformed,
    packet_bytes,
    read_packet,
)
from phusong.collector.mqtt.greeting import (
    PACKET_MAX_BYTES,
    Refusal,
    accept,
    read_connect,
    refuse,
)
from phusong.collector.mqtt.publisher import Publisher, Topics
from phusong.collector.mqtt.refused import Refused
from phusong.collector.mqtt.subscriber import Subscriber
from phusong.kernels.frame import PayloadKind, Route, Transport

log = logging.getLogger(__name__)

# A connection that says nothing costs a file descriptor.
CONNECT_TIMEOUT_S = 10.0
# The rule of MQTT 5, 3.1.2.10.
KEEP_ALIVE_SHARE = 1.5
# Before a client has named itself it gets no more of our memory than its names and a will need.
CONNECT_MAX_BYTES = 65_536
# Of a message that is too long to be taken: its topic and where its payload begins.
OVERSIZED_KEPT_BYTES = 4096
PUBLISH_TYPE = 3

CODE_OF_DENIAL = {
    Denial.NO_CREDENTIAL: ConnAckReasonCode.NOT_AUTHORIZED,
    Denial.WRONG_CREDENTIAL: ConnAckReasonCode.BAD_USER_NAME_OR_PASSWORD,
}

PING_ANSWER = codec.PingRespPacket().write()


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

    def __init__(self, endpoint: Endpoint) -> None:
        """Wait for bytes."""
        self.client_id = ""
        self._endpoint = endpoint
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._connect: ConnectPacket | None = None
        self._publisher: Publisher | None = None
        self._subscriber: Subscriber | None = None
        self._tail: list[bytes] = []  # the start of a packet that is not all there
        self._tail_bytes = 0
        self._wanted_bytes = 0
        self._heard_s = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self._is_closing = False
        # Why reading is paused.
        self._is_waiting_for_room = False
        self._is_unread = False
        self._is_held_for_good = False

    @property
    def unacknowledged_count(self) -> int:
        """How many messages wait for their commit."""
        return 0 if self._publisher is None else self._publisher.unacknowledged_count

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the clock for the first packet."""
        # uvloop's transports are no subclasses of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        self._timer = self._loop.call_later(CONNECT_TIMEOUT_S, self._close, "no CONNECT in time")
        self._endpoint.enter(self)

    def connection_lost(self, _: Exception | None) -> None:
        """Forget the client; what it handed over is committed all the same."""
        self._is_closing = True
        self._transport = None
        self._tail.clear()
        if self._timer is not None:
            self._timer.cancel()
        if self._subscriber is not None:
            self._subscriber.close()
        self._endpoint.leave(self)

    def data_received(self, data: bytes) -> None:
        """Take bytes as they come, cut anywhere."""
        if self._is_closing:
            return
        self._heard_s = self._loop.time()
        if self._tail:
            self._tail.append(data)
            self._tail_bytes += len(data)
            if self._tail_bytes < self._wanted_bytes:
                return
            data = b"".join(self._tail)
            self._tail = []
        try:
            position = 0 if self._connect is not None else self._read_first(data)
            if self._connect is not None:
                position = self._read_packets(data, position)
            self._keep_tail(data, position)
            self._after_reading()
        except Refused as refused:
            self.end(refused.code, refused.reason)
        except Malformed as error:
            self.end(DisconnectReasonCode.MALFORMED_PACKET, str(error))

    def pause_writing(self) -> None:
        """The client does not read: read nothing more from it either."""
        self._is_unread = True
        self._pause_reading_as_needed()
        if self._subscriber is not None:
            self._subscriber.pause(is_paused=True)

    def resume_writing(self) -> None:
        """The client reads again."""
        self._is_unread = False
        self._pause_reading_as_needed()
        if self._subscriber is not None:
            self._subscriber.pause(is_paused=False)

    def end(self, code: DisconnectReasonCode, reason: str) -> None:
        """Say goodbye with a reason and close, after what is already written."""
        if self._is_closing or self._transport is None:
            return
        self._is_closing = True
        log.info("mqtt client %r: %s: %s", self.client_id, code.name, reason)
        if self._publisher is not None:
            self._publisher.flush()
            self._transport.write(DisconnectPacket(reason_code=code, reason_str=reason).write())
        self._transport.close()

    def abort(self) -> None:
        """Close at once, whatever is still to be written."""
        self._is_closing = True
        if self._transport is not None:
            self._transport.abort()

    def hold_for_good(self) -> None:
        """Read nothing more; the endpoint closes."""
        self._is_held_for_good = True
        self._pause_reading_as_needed()

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
        connect = read_connect(view[:size])
        if isinstance(connect, ConnectPacket):
            connect = self._refusal(connect) or connect
        if isinstance(connect, Refusal):
            self._write(connect.answer)
            self._close(connect.reason)
            return len(data)
        client_id = connect.client_id or self._endpoint.assigned_client_id()
        self._write(accept(connect, client_id))
        self._enter(connect, client_id)
        return size

    def _refusal(self, connect: ConnectPacket) -> Refusal | None:
        """Return why the doorkeeper does not let a client in, None when it does."""
        assert self._transport is not None
        peer_address: str = self._transport.get_extra_info("peername")[0]
        token = "" if connect.password is None else connect.password.decode(errors="replace")
        guest = self._endpoint.doorkeeper.admit("mqtt", Shown(peer_address, token))
        if not isinstance(guest, Denial):
            return None
        code = CODE_OF_DENIAL[guest]
        return refuse(code, denial_text("mqtt", guest), connect.max_packet_size)

    def _enter(self, connect: ConnectPacket, client_id: str) -> None:
        self._connect = connect
        self.client_id = client_id
        self._publisher = Publisher(
            self._endpoint.intake, self._endpoint.topics, connect, self._write
        )
        self._subscriber = Subscriber(self._endpoint.board, connect, self._write)
        self._endpoint.enter(self)
        assert self._timer is not None
        self._timer.cancel()
        self._timer = None
        if connect.keep_alive:
            self._check_alive()

    def _read_packets(self, data: bytes, position: int) -> int:
        """Read every whole packet of `data` from a position on; return where the next one starts."""
        assert self._publisher is not None, "only who is connected gets here"
        view = memoryview(data)
        # Kernels take writable arrays only.
        buffer = np.frombuffer(bytearray(data), np.uint8)
        while position < len(data) and not self._is_closing:
            position = self._publisher.read(data, buffer, position)
            taken = read_packet(view[position:]) if position < len(data) else None
            if taken is None:
                break
            packet, size = taken
            position += size
            if isinstance(packet, codec.PublishPacket):
                self._publisher.take(packet)
            else:
                self._take(packet)
        return position

    def _take(self, packet: codec.Packet) -> None:
        """Take any packet but PUBLISH."""
        assert self._subscriber is not None, "only who is connected gets here"
        match packet:
            case codec.PingReqPacket():
                self._write(PING_ANSWER)
            case codec.PubAckPacket():
                self._subscriber.acknowledge(packet)
            case codec.SubscribePacket():
                self._subscriber.subscribe(packet, self._operator(), self._end_refused)
            case codec.UnsubscribePacket():
                self._subscriber.unsubscribe(packet)
            case codec.DisconnectPacket():
                self._close("disconnected")
            case codec.AuthPacket():
                raise Refused(
                    DisconnectReasonCode.PROTOCOL_ERROR, "enhanced authentication was not agreed on"
                )
            case _:
                name = type(packet).__name__.removesuffix("Packet").upper()
                raise Refused(
                    DisconnectReasonCode.PROTOCOL_ERROR, f"{name} is not for a server in this state"
                )

    def _operator(self) -> str:
        """Return the operator a client without credentials named itself for, "" when it has named none.

        Its user name, else that of the first topic it published on.
        """
        assert self._connect is not None
        assert self._publisher is not None
        return self._connect.username or self._publisher.operator

    def _keep_tail(self, data: bytes, position: int) -> None:
        """Keep the start of a packet, or refuse it by its length before the rest is taken in."""
        if self._is_closing or position == len(data):
            return
        view = memoryview(data)[position:]
        wanted_bytes = packet_bytes(view)
        if wanted_bytes is not None and wanted_bytes > PACKET_MAX_BYTES:
            self._keep_start(bytes(view[:OVERSIZED_KEPT_BYTES]))
            raise Refused(
                DisconnectReasonCode.PACKET_TOO_LARGE,
                f"a packet of {wanted_bytes} bytes; CONNACK said {PACKET_MAX_BYTES}",
            )
        self._tail = [bytes(view)]
        self._tail_bytes = len(view)
        self._wanted_bytes = wanted_bytes or 0

    def _keep_start(self, start: bytes) -> None:
        """Journal how a message began that is too long to be taken, so that somebody can find who sent it."""
        if self._connect is None or start[0] >> 4 != PUBLISH_TYPE:
            return
        route = Route("", "", "", Transport.MQTT, PayloadKind.OVERSIZED)
        kept = self._endpoint.intake.send(route, start)
        # Nobody waits for it; if the journal failed, the service hears of it by the intake.
        kept.add_done_callback(lambda done: done.cancelled() or done.exception())

    def _after_reading(self) -> None:
        """Stop reading while the intake is full."""
        intake = self._endpoint.intake
        if intake.is_full and not self._is_waiting_for_room:
            self._is_waiting_for_room = True
            self._pause_reading_as_needed()
            intake.call_when_roomy(self._go_on)

    def _go_on(self) -> None:
        self._is_waiting_for_room = False
        self._pause_reading_as_needed()

    def _pause_reading_as_needed(self) -> None:
        if self._transport is None or self._is_closing:
            return
        if self._is_waiting_for_room or self._is_unread or self._is_held_for_good:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def _check_alive(self) -> None:
        """End a connection that was silent for one and a half keep-alives."""
        assert self._connect is not None
        limit_s = self._connect.keep_alive * KEEP_ALIVE_SHARE
        silent_s = self._loop.time() - self._heard_s
        if self._is_waiting_for_room:
            silent_s = 0.0  # it is us who do not listen
        if silent_s >= limit_s:
            self.end(DisconnectReasonCode.KEEP_ALIVE_TIMEOUT, f"silent for {silent_s:.1f} s")
        else:
            self._timer = self._loop.call_later(limit_s - silent_s, self._check_alive)

    def _write(self, packet: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(packet)

    def _end_refused(self, refused: Refused) -> None:
        self.end(refused.code, refused.reason)

    def _close(self, reason: str) -> None:
        """Close without a DISCONNECT, after what is already written."""
        if self._transport is not None and not self._is_closing:
            self._is_closing = True
            log.info("mqtt client %r: %s", self.client_id, reason)
            self._transport.close()
