"""Decisions on their way to one subscriber: at most so many unacknowledged, the rest waits on the board."""

from collections.abc import Callable

from phusong.collector.decisions import OperatorDecisions
from phusong.collector.mqtt.codec import PublishPacket, QoS
from phusong.collector.topics import decisions_topic

# However much a client says it can hold.
OUTBOUND_IN_FLIGHT_MAX = 64
PACKET_ID_MAX = 0xFFFF


class DecisionTooLarge(Exception):
    """The subscriber takes no packets as large as a decision."""


class DecisionFeed:
    """Sends what comes after a position, in order."""

    def __init__(
        self,
        board: OperatorDecisions,
        *,
        after_position: int,
        qos: QoS,
        in_flight_max: int,
        packet_max_bytes: int | None,
        write: Callable[[bytes], None],
    ) -> None:
        """`pump` starts it; the board calls `pump` when there is more."""
        self.is_paused = False
        self._board = board
        self._position = after_position
        self._qos = qos
        self._in_flight_max = min(in_flight_max, OUTBOUND_IN_FLIGHT_MAX)
        self._packet_max_bytes = packet_max_bytes
        self._write = write
        self._topic = decisions_topic(board.operator)
        self._in_flight: set[int] = set()
        self._packet_id = 0

    def pump(self) -> None:
        """Send what may be sent. Raises DecisionsForgotten, DecisionTooLarge."""
        while not self.is_paused and len(self._in_flight) < self._in_flight_max:
            payloads = self._board.after(self._position, 1)
            if not payloads:
                return
            packet_id = self._next_packet_id() if self._qos == QoS.AT_LEAST_ONCE else None
            packet = PublishPacket(self._topic, payloads[0], qos=self._qos, packet_id=packet_id)
            encoded = packet.write()
            if self._packet_max_bytes is not None and len(encoded) > self._packet_max_bytes:
                raise DecisionTooLarge(f"a decision takes {len(encoded)} bytes")
            if packet_id is not None:
                self._in_flight.add(packet_id)
            self._position += 1
            self._write(encoded)

    def acknowledge(self, packet_id: int) -> bool:
        """Take a PUBACK; tell whether that packet was in flight."""
        if packet_id not in self._in_flight:
            return False
        self._in_flight.discard(packet_id)
        return True

    def _next_packet_id(self) -> int:
        while True:
            self._packet_id = self._packet_id % PACKET_ID_MAX + 1
            if self._packet_id not in self._in_flight:
                return self._packet_id
