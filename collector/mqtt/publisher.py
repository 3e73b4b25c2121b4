"""The publishing half of a connection: PUBLISH into the intake, PUBACK in the order of arrival after the commit."""

import asyncio
from collections.abc import Callable
from functools import partial

from phusong.collector.intake import Intake
from phusong.collector.journal.writer import JournalFailed
from phusong.collector.mqtt.answers import pubacks
from phusong.collector.mqtt.codec import (
    PUBLISH_KIND,
    PUBLISH_QOS_0,
    PUBLISH_QOS_1,
    PUBLISH_QOS_1_AGAIN,
    ConnectPacket,
    DisconnectReasonCode,
    PublishPacket,
    QoS,
    read_packet,
)
from phusong.collector.mqtt.greeting import RECEIVE_MAX
from phusong.collector.mqtt.refused import Refused
from phusong.collector.parcel import Outcome, Parcel
from phusong.collector.routes import Heads, RouteTable, TooManyRoutes
from phusong.collector.topics import route_of_topic
from phusong.kernels.frame import PayloadKind, Transport


class Topics:
    """The routes of topics met, for all connections of an endpoint."""

    def __init__(self, table: RouteTable) -> None:
        """Start with none met."""
        self.heads_of: dict[str, Heads] = {}
        self._table = table

    def learn(self, topic: str) -> Heads:
        """Return the heads of a topic met for the first time."""
        if not topic:
            code = DisconnectReasonCode.TOPIC_ALIAS_INVALID
            raise Refused(code, "topic aliases are not available, as CONNACK said")
        try:
            number = self._table.number(route_of_topic(topic, Transport.MQTT))
        except TooManyRoutes as error:
            raise Refused(DisconnectReasonCode.QUOTA_EXCEEDED, str(error)) from error
        heads = self.heads_of[topic] = self._table.heads(number)
        return heads

    def operator_of(self, number: int) -> str:
        """Return the operator of a route, "" when its topic is none of ours."""
        route = self._table.routes[number - 1]
        return "" if route.kind == PayloadKind.UNREADABLE else route.operator


class Publisher:
    """Takes the messages of one client."""

    def __init__(
        self,
        intake: Intake,
        topics: Topics,
        connect: ConnectPacket,
        write: Callable[[bytes], None],
    ) -> None:
        """Start with nothing in flight."""
        self.unacknowledged_count = 0
        self.operator = ""  # of the first topic of ours the client published on
        self._intake = intake
        self._topics = topics
        self._with_reason = connect.request_problem_info
        self._packet_max_bytes = connect.max_packet_size
        self._write = write
        self._loop = asyncio.get_running_loop()
        self._acks: list[bytes] = []

    def read(self, data: bytes, view: memoryview, position: int) -> int:
        """Take the whole PUBLISH packets that stand one after another at a position; return where they end.

        The hot path: about a microsecond a message, and one parcel for all of them. Raises Refused, Malformed; what
        stood before the offence is taken.
        """
        end = len(data)
        heads_of, learn = self._topics.heads_of, self._topics.learn
        packet_ids: list[int] = []
        route: list[int] = []
        pieces: list[bytes] = []
        byte_count = 0
        try:
            while position < end and (first := data[position]) >> 4 == PUBLISH_KIND:
                taken = read_packet(view[position:])
                if taken is None:
                    break
                packet, size = taken
                assert isinstance(packet, PublishPacket), "its first byte says so"
                if first not in (PUBLISH_QOS_1, PUBLISH_QOS_1_AGAIN, PUBLISH_QOS_0):
                    _refuse(packet)
                if packet.topic_alias is not None:
                    learn("")
                heads = heads_of.get(packet.topic) or learn(packet.topic)
                payload = packet.payload
                packet_ids.append(packet.packet_id or 0)
                route.append(heads.number)
                pieces += (heads.head(len(payload)), payload)
                byte_count += size
                position += size
        finally:
            if route:
                self._offer(packet_ids, route, pieces, byte_count)
        if self.unacknowledged_count > RECEIVE_MAX:
            code = DisconnectReasonCode.RECEIVE_MAX_EXCEEDED
            raise Refused(
                code, f"{self.unacknowledged_count} unacknowledged; CONNACK said {RECEIVE_MAX}"
            )
        return position

    def flush(self) -> None:
        """Write the acknowledgements that wait."""
        if self._acks:
            self._write(b"".join(self._acks))
            self._acks.clear()

    def _offer(
        self, packet_ids: list[int], route: list[int], pieces: list[bytes], byte_count: int
    ) -> None:
        if not self.operator:
            self.operator = self._topics.operator_of(route[0])
        complete = partial(self._complete, packet_ids)
        try:
            self._intake.offer(Parcel(route, pieces, byte_count, complete))
        except JournalFailed as error:
            raise Refused(DisconnectReasonCode.UNSPECIFIED_ERROR, str(error)) from error
        self.unacknowledged_count += len(packet_ids) - packet_ids.count(0)

    def _complete(self, packet_ids: list[int], outcome: Outcome) -> None:
        self.unacknowledged_count -= len(packet_ids) - packet_ids.count(0)
        if isinstance(outcome, Exception):
            return  # nothing is on disk: no acknowledgement, and the doors are closing
        acks = pubacks(
            packet_ids,
            outcome,
            with_reason=self._with_reason,
            packet_max_bytes=self._packet_max_bytes,
        )
        if acks and not self._acks:
            # All parcels of a commit complete in this turn of the loop; their acknowledgements leave in one write.
            self._loop.call_soon(self.flush)
        self._acks.append(acks)


def _refuse(packet: PublishPacket) -> None:
    """Say which promise of CONNACK a PUBLISH breaks."""
    if packet.qos is QoS.EXACTLY_ONCE:
        raise Refused(DisconnectReasonCode.QOS_NOT_SUPPORTED, "QoS 2; CONNACK said at most 1")
    if packet.retain:
        raise Refused(DisconnectReasonCode.RETAIN_NOT_SUPPORTED, "nothing is retained here")
    raise Refused(DisconnectReasonCode.MALFORMED_PACKET, "a QoS 0 message cannot be sent again")
