"""What a client says once it is connected: packets in, acknowledgements and decisions out. No socket, no clock."""

from collections.abc import Callable

import numpy as np

from phusong.collector.admission.doorkeeper import Guest
from phusong.collector.decisions import DecisionBoard
from phusong.collector.intake import Intake
from phusong.collector.mqtt import codec
from phusong.collector.mqtt.codec import (
    ConnectPacket,
    DisconnectPacket,
    DisconnectReasonCode,
)
from phusong.collector.mqtt.publisher import Publisher, Topics
from phusong.collector.mqtt.refused import Refused
from phusong.collector.mqtt.rules import read_allowed
from phusong.collector.mqtt.subscriber import Subscriber

PING_ANSWER = codec.PingRespPacket().write()


class Session:
    """A client from its CONNACK on. Nothing of it outlives the connection."""

    def __init__(
        self,
        intake: Intake,
        board: DecisionBoard,
        topics: Topics,
        connect: ConnectPacket,
        guest: Guest,
        *,
        write: Callable[[bytes], None],
        on_failure: Callable[[Refused], None],
    ) -> None:
        """`on_failure` hears why the client cannot be served any longer, outside of `read`."""
        self.connect = connect
        self.has_disconnected = False
        self._write = write
        self._on_failure = on_failure
        self._guest = guest
        self._publisher = Publisher(intake, topics, connect, guest.principal, write)
        self._subscriber = Subscriber(board, connect, write)

    @property
    def unacknowledged_count(self) -> int:
        """How many messages wait for their commit."""
        return self._publisher.unacknowledged_count

    def read(self, data: bytes, position: int) -> int:
        """Take every whole packet of `data` from a position on; return where the next one starts.

        Raises Refused, Malformed.
        """
        view = memoryview(data)
        # Kernels take writable arrays only.
        buffer = np.frombuffer(bytearray(data), np.uint8)
        while position < len(data) and not self.has_disconnected:
            position = self._publisher.read(data, buffer, position)
            taken = read_allowed(view[position:]) if position < len(data) else None
            if taken is None:
                break
            packet, size = taken
            position += size
            if isinstance(packet, codec.PublishPacket):
                self._publisher.take(packet)
            else:
                self._take(packet)
        return position

    def taken_payload_count(self) -> int:
        """Return how many messages were taken since this was asked last."""
        count, self._publisher.payload_count = self._publisher.payload_count, 0
        return count

    def flush(self) -> None:
        """Write the acknowledgements that wait."""
        self._publisher.flush()

    def goodbye(self, code: DisconnectReasonCode, reason: str) -> bytes:
        """Return a DISCONNECT, in words where the client takes packets that long."""
        packet = DisconnectPacket(reason_code=code, reason_str=reason).write()
        limit = self.connect.max_packet_size
        return (
            packet
            if limit is None or len(packet) <= limit
            else DisconnectPacket(reason_code=code).write()
        )

    def pause(self, *, is_paused: bool) -> None:
        """Hold decisions back while the socket takes nothing more."""
        self._subscriber.pause(is_paused=is_paused)

    def close(self) -> None:
        """End what it subscribed to; what it handed over is committed all the same."""
        self._subscriber.close()

    def _take(self, packet: codec.Packet) -> None:
        """Take any packet but PUBLISH."""
        match packet:
            case codec.PingReqPacket():
                self._write(PING_ANSWER)
            case codec.PubAckPacket():
                self._subscriber.acknowledge(packet)
            case codec.SubscribePacket():
                self._subscriber.subscribe(packet, self._operator(), self._on_failure)
            case codec.UnsubscribePacket():
                self._subscriber.unsubscribe(packet)
            case codec.DisconnectPacket():
                self.has_disconnected = True
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
        """Return whose decisions a client may read: those of its credential's operator.

        Without a credential, those it named itself for: its user name, else that of the first topic it published on,
        "" when it has named none.
        """
        return self._guest.operator or self.connect.username or self._publisher.operator
