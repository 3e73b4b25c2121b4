"""The publishing half of a connection: PUBLISH into the intake, PUBACK in the order of arrival after the commit."""

import asyncio
from collections.abc import Callable
from functools import partial

import numpy as np

from phusong.collector.intake import Intake
from phusong.collector.journal.writer import JournalFailed
from phusong.collector.mqtt.answers import pubacks
from phusong.collector.mqtt.codec import (
    ConnectPacket,
    DisconnectReasonCode,
    Malformed,
    PublishPacket,
    QoS,
    assert_topic_name,
)
from phusong.collector.mqtt.greeting import RECEIVE_MAX
from phusong.collector.mqtt.refused import Refused
from phusong.collector.parcel import Outcome, Parcel
from phusong.collector.routes import RouteTable, TooManyRoutes
from phusong.collector.topics import route_of_topic
from phusong.collector.traces import TRACEPARENT, BatchTrace
from phusong.kernels.columns import ByteColumn, Int64Column
from phusong.kernels.frame import PayloadKind, Transport
from phusong.kernels.publishes import (
    ENVELOPE_HEAD_MAX_BYTES,
    Publishes,
    find_publishes,
    new_publishes,
    write_envelopes,
)

# A chunk of 256 KiB holds fewer messages with a payload worth sending; more are taken in turns.
RUN_COUNT_MAX = 8192


class Topics:
    """The routes of topics met, for all connections of an endpoint, and room to find messages in."""

    def __init__(self, table: RouteTable) -> None:
        """Start with none met."""
        # The loop reads one chunk at a time, so one is enough for all connections.
        self.found = new_publishes(RUN_COUNT_MAX)
        self._numbers: dict[str, dict[bytes, int]] = {}
        self._table = table

    def numbers(self, principal: str) -> dict[bytes, int]:
        """Return the route numbers of the topics that a principal published on so far."""
        return self._numbers.setdefault(principal, {})

    def number(self, topic: bytes, principal: str) -> int:
        """Return the route number of a topic that a principal publishes on. Raises Malformed, Refused."""
        number = self.numbers(principal).get(topic)
        if number is None:
            assert_topic_name(topic)
            route = route_of_topic(topic.decode(), Transport.MQTT, principal)
            try:
                number = self._table.number(route)
            except TooManyRoutes as error:
                raise Refused(DisconnectReasonCode.QUOTA_EXCEEDED, str(error)) from error
            if self._table.may_remember(topic, route, number):
                self.numbers(principal)[topic] = number
        return number

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
        principal: str,
        write: Callable[[bytes], None],
    ) -> None:
        """Start with nothing in flight."""
        self.unacknowledged_count = 0
        self.payload_count = 0  # taken since the session asked last
        self.operator = ""  # of the first topic of ours the client published on
        self._intake = intake
        self._topics = topics
        self._principal = principal
        self._number_of = topics.numbers(principal)
        self._with_reason = connect.request_problem_info
        self._packet_max_bytes = connect.max_packet_size
        self._write = write
        self._loop = asyncio.get_running_loop()
        self._acks: list[bytes] = []

    def read(self, data: bytes, buffer: ByteColumn, position: int) -> int:
        """Take the plain messages that stand one after another at a position; return where they end.

        One parcel for all of them, nothing per message but the kernels. `buffer` holds the bytes of `data`.
        Raises Refused, Malformed.
        """
        while True:
            count, end = find_publishes(buffer, position, self._topics.found)
            position = int(end)
            if count == 0:
                return position
            route, fault = self._route_of(data, count)
            found = Publishes(*(column[: len(route)] for column in self._topics.found))
            envelopes = np.empty(
                int(found.payload_length.sum()) + ENVELOPE_HEAD_MAX_BYTES * len(route), np.uint8
            )
            offset = np.empty(len(route), np.int64)
            size = write_envelopes(
                buffer, route, found.payload_offset, found.payload_length, envelopes, offset
            )
            packet_id = found.packet_id.copy()
            parcel = Parcel(
                route=route,
                offset=offset,
                length=found.payload_length.copy(),
                envelopes=envelopes[:size].tobytes(),
                complete=partial(self._complete, packet_id),
            )
            if len(route):
                self._offer(parcel, packet_id)
            if fault is not None:
                raise fault

    def take(self, packet: PublishPacket) -> None:
        """Take a message that is not plain. Raises Refused, Malformed."""
        if packet.qos == QoS.EXACTLY_ONCE:
            raise Refused(DisconnectReasonCode.QOS_NOT_SUPPORTED, "QoS 2; CONNACK said at most 1")
        if packet.retain:
            raise Refused(DisconnectReasonCode.RETAIN_NOT_SUPPORTED, "nothing is retained here")
        if packet.topic_alias is not None or not packet.topic:
            code = DisconnectReasonCode.TOPIC_ALIAS_INVALID
            raise Refused(code, "topic aliases are not available, as CONNACK said")
        if packet.duplicate and packet.qos == QoS.AT_MOST_ONCE:
            raise Malformed("a QoS 0 message cannot be sent again")
        packet_id = np.array([packet.packet_id or 0], np.int64)
        number = self._number(packet.topic.encode())
        texts = [value for key, value in packet.user_properties or () if key == TRACEPARENT]
        trace = self._intake.traces.begin("mqtt", texts) if texts else None
        complete = partial(self._complete, packet_id, trace=trace)
        self._offer(Parcel.of_one(number, packet.payload, complete), packet_id)

    def flush(self) -> None:
        """Write the acknowledgements that wait."""
        if self._acks:
            self._write(b"".join(self._acks))
            self._acks.clear()

    def _route_of(self, data: bytes, count: int) -> tuple[Int64Column, Malformed | Refused | None]:
        """Return the routes of the messages found, up to one with a topic that ends the connection, and why it does.

        What came before a fault is taken whether or not it came in the same chunk.
        """
        found = self._topics.found
        topic_run = found.topic_run[:count]
        firsts = np.flatnonzero(np.diff(topic_run, prepend=-1))
        places = zip(
            found.topic_offset[firsts].tolist(), found.topic_length[firsts].tolist(), strict=True
        )
        numbers: list[int] = []
        fault: Malformed | Refused | None = None
        for offset, length in places:
            try:
                numbers.append(self._number(data[offset : offset + length]))
            except (Malformed, Refused) as error:
                fault = error
                break
        return np.array(numbers, np.int64)[topic_run[topic_run < len(numbers)]], fault

    def _number(self, topic: bytes) -> int:
        return self._number_of.get(topic) or self._topics.number(topic, self._principal)

    def _offer(self, parcel: Parcel, packet_id: Int64Column) -> None:
        if not self.operator:
            self.operator = self._topics.operator_of(int(parcel.route[0]))
        try:
            self._intake.offer(parcel)
        except JournalFailed as error:
            raise Refused(DisconnectReasonCode.UNSPECIFIED_ERROR, str(error)) from error
        self.payload_count += len(packet_id)
        self.unacknowledged_count += int(np.count_nonzero(packet_id))
        if self.unacknowledged_count > RECEIVE_MAX:
            raise Refused(
                DisconnectReasonCode.RECEIVE_MAX_EXCEEDED,
                f"{self.unacknowledged_count} unacknowledged; CONNACK said {RECEIVE_MAX}",
            )

    def _complete(
        self, packet_id: Int64Column, outcome: Outcome, *, trace: BatchTrace | None = None
    ) -> None:
        self.unacknowledged_count -= int(np.count_nonzero(packet_id))
        self._intake.note(trace, outcome)
        if isinstance(outcome, Exception):
            return  # nothing is on disk: no acknowledgement, and the doors are closing
        acks = pubacks(
            packet_id,
            outcome,
            with_reason=self._with_reason,
            packet_max_bytes=self._packet_max_bytes,
        )
        if not acks:
            return  # QoS 0 only
        if not self._acks:
            # All parcels of a commit complete in this turn of the loop; their acknowledgements leave in one write.
            self._loop.call_soon(self.flush)
        self._acks.append(acks)
