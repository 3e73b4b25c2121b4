"""Decisions on their way to one subscriber: at most so many unacknowledged, the rest waits on the board."""

from collections.abc import Callable

from phusong.collector.mqtt.codec import PublishPacket, QoS
from phusong.collector.operator_decisions import OperatorDecisions
from phusong.collector.topics import decisions_topic

# However much a client says it can hold.
OUTBOUND_IN_FLIGHT_MAX = 64
PACKET_ID_MAX = 0xFFFF


class DecisionTooLarge(Exception):
    """The subscriber takes no packets as large as a decision."""


class InFlight:
    """Packet identifiers of one connection that are not acknowledged yet."""

    def __init__(self) -> None:
        """Start with none."""
        self._packet_ids: set[int] = set()
        self._last = 0

    def __len__(self) -> int:
        """How many there are."""
        return len(self._packet_ids)

    def add(self) -> int:
        """Take and return one that is free."""
        while True:
            self._last = self._last % PACKET_ID_MAX + 1
            if self._last not in self._packet_ids:
                self._packet_ids.add(self._last)
                return self._last

    def acknowledge(self, packet_id: int) -> bool:
        """Free one; tell whether it was in flight."""
        if packet_id not in self._packet_ids:
            return False
        self._packet_ids.discard(packet_id)
        return True


class DecisionFeed:
    """Sends what comes after a position, in order, and again what is due again."""

    def __init__(
        self,
        board: OperatorDecisions,
        *,
        after_position: int,
        qos: QoS,
        in_flight_max: int,
        packet_max_bytes: int | None,
        write: Callable[[bytes], None],
        in_flight: InFlight,
        wake: Callable[[], None],
    ) -> None:
        """`pump` starts it; the board calls `wake` when there is more."""
        self.is_paused = False
        self.reader = board.read(after_position, wake)
        self._qos = qos
        self._in_flight_max = min(in_flight_max, OUTBOUND_IN_FLIGHT_MAX)
        self._packet_max_bytes = packet_max_bytes
        self._write = write
        self._topic = decisions_topic(board.operator)
        self._in_flight = in_flight

    def pump(self) -> None:
        """Send what may be sent. Raises DecisionsForgotten, DecisionTooLarge."""
        while not self.is_paused and len(self._in_flight) < self._in_flight_max:
            payload = self.reader.show()
            if payload is None:
                return
            packet_id = self._in_flight.add() if self._qos == QoS.AT_LEAST_ONCE else None
            packet = PublishPacket(self._topic, payload, qos=self._qos, packet_id=packet_id)
            encoded = packet.write()
            if self._packet_max_bytes is not None and len(encoded) > self._packet_max_bytes:
                raise DecisionTooLarge(f"a decision takes {len(encoded)} bytes")
            self._write(encoded)
            self.reader.take()
