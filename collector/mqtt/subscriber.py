"""The subscribing half of a connection: its own operator's decisions, and nothing else."""

from collections.abc import Callable

from phusong.collector.decisions import DecisionBoard, DecisionsForgotten
from phusong.collector.mqtt.answers import refusal_of_filter
from phusong.collector.mqtt.codec import (
    ConnectPacket,
    DisconnectReasonCode,
    PubAckPacket,
    QoS,
    SubAckPacket,
    SubAckReasonCode,
    SubscribePacket,
    UnsubAckPacket,
    UnsubAckReasonCode,
    UnsubscribePacket,
)
from phusong.collector.mqtt.feed import DecisionFeed, DecisionTooLarge, InFlight
from phusong.collector.mqtt.refused import Refused
from phusong.collector.topics import decisions_topic, operator_of_decisions

# A user property of SUBSCRIBE: the position of the last decision acted on. Without it, decisions taken from
# now on are sent.
AFTER_POSITION = "after_position"
POSITION_DIGIT_COUNT_MAX = 18
NOT_YOURS = (
    "subscribe to phusong/v1/<operator>/decisions of one operator: that of your credential, or without one that which"
    " you named as user name or by a topic"
)


class Subscriber:
    """At most one subscription, because there is one topic a client may subscribe to."""

    def __init__(
        self, board: DecisionBoard, connect: ConnectPacket, write: Callable[[bytes], None]
    ) -> None:
        """Start without a subscription."""
        self._board = board
        self._connect = connect
        self._write = write
        self._operator = ""
        self._feed: DecisionFeed | None = None
        # Outlives a subscription: what an earlier one sent still counts against the client's receive maximum.
        self._in_flight = InFlight()
        self._on_failure: Callable[[Refused], None] = lambda _: None

    def subscribe(
        self, packet: SubscribePacket, operator: str, on_failure: Callable[[Refused], None]
    ) -> None:
        """Answer a SUBSCRIBE of a client of `operator`; `on_failure` hears later why its feed had to end.

        A client that has named no operator yet ("") names it here, by the first decisions it asks for.
        """
        if packet.subscription_id is not None:
            code = DisconnectReasonCode.SUBSCRIPTION_IDS_NOT_SUPPORTED
            raise Refused(code, "subscription identifiers are not available, as CONNACK said")
        self._on_failure = on_failure
        operator = operator or self._operator or _operator_named(packet)
        codes: list[SubAckReasonCode] = []
        qos: QoS | None = None
        for topic_filter in packet.topic_filters:
            refusal = refusal_of_filter(topic_filter.pattern, operator)
            if refusal is not None:
                codes.append(refusal)
            elif topic_filter.max_qos == QoS.AT_MOST_ONCE:
                qos = QoS.AT_MOST_ONCE
                codes.append(SubAckReasonCode.GRANTED_QOS_AT_MOST_ONCE)
            else:
                qos = QoS.AT_LEAST_ONCE
                codes.append(SubAckReasonCode.GRANTED_QOS_AT_LEAST_ONCE)
        is_refused = SubAckReasonCode.NOT_AUTHORIZED in codes
        reason = NOT_YOURS if is_refused and self._connect.request_problem_info else None
        answer = SubAckPacket(packet.packet_id, codes, reason_str=reason).write()
        limit = self._connect.max_packet_size
        if limit is not None and len(answer) > limit:
            answer = SubAckPacket(packet.packet_id, codes).write()
        self._write(answer)
        if qos is not None:
            self._start(operator, qos, packet.user_properties)

    def unsubscribe(self, packet: UnsubscribePacket) -> None:
        """Answer an UNSUBSCRIBE."""
        codes = []
        for pattern in packet.patterns:
            is_ours = self._feed is not None and pattern == decisions_topic(self._operator)
            codes.append(
                UnsubAckReasonCode.SUCCESS
                if is_ours
                else UnsubAckReasonCode.NO_SUBSCRIPTION_EXISTED
            )
            if is_ours:
                self.close()
        self._write(UnsubAckPacket(packet.packet_id, codes).write())

    def acknowledge(self, packet: PubAckPacket) -> None:
        """Take the PUBACK of a decision. One that answers nothing is a late one, and harmless."""
        if self._in_flight.acknowledge(packet.packet_id):
            self._pump()

    def pause(self, *, is_paused: bool) -> None:
        """Hold decisions back while the socket takes nothing more."""
        if self._feed is not None:
            self._feed.is_paused = is_paused
            self._pump()

    def close(self) -> None:
        """End the subscription."""
        if self._feed is not None:
            self._board.leave(self._operator, self._feed.reader)
            self._feed = None

    def _start(self, operator: str, qos: QoS, properties: list[tuple[str, str]]) -> None:
        self.close()  # a second SUBSCRIBE replaces the first
        board = self._board.of(operator)
        position = board.last_position
        for name, value in properties:
            if name == AFTER_POSITION:
                position = _position(value)
        self._operator = operator
        self._feed = DecisionFeed(
            board,
            after_position=position,
            qos=qos,
            in_flight_max=self._connect.receive_max,
            packet_max_bytes=self._connect.max_packet_size,
            write=self._write,
            in_flight=self._in_flight,
            wake=self._pump,
        )
        self._pump()

    def _pump(self) -> None:
        if self._feed is None:
            return
        try:
            self._feed.pump()
        except DecisionsForgotten as error:
            self._end(DisconnectReasonCode.QUOTA_EXCEEDED, str(error))
        except DecisionTooLarge as error:
            self._end(DisconnectReasonCode.PACKET_TOO_LARGE, str(error))

    def _end(self, code: DisconnectReasonCode, reason: str) -> None:
        self.close()
        self._on_failure(Refused(code, reason))


def _position(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) <= POSITION_DIGIT_COUNT_MAX:
        return int(text)
    raise Refused(
        DisconnectReasonCode.PROTOCOL_ERROR, f"{AFTER_POSITION} is no position: {text[:40]!r}"
    )


def _operator_named(packet: SubscribePacket) -> str:
    named = (operator_of_decisions(wanted.pattern) for wanted in packet.topic_filters)
    return next((operator for operator in named if operator), "")
