"""Rules of MQTT 5 that the codec does not keep, of packets it has read. Pure.

The numbers are those of the specification's normative statements. What the bytes alone show (reserved bits, texts) is in
`texts.py`, what depends on the session in `publisher.py` and `subscriber.py`.
"""

from phusong.collector.mqtt.codec import (
    ConnectPacket,
    Packet,
    ProtocolBroken,
    PublishPacket,
    SubscribePacket,
    UnsubscribePacket,
    read_packet,
)
from phusong.collector.mqtt.texts import has_wildcard

SHARED = "$share/"
PAYLOAD_FORMAT_MAX = 1


def read_allowed(view: memoryview) -> tuple[Packet, int] | None:
    """Return what `read_packet` does. Raises Malformed, ProtocolBroken when a client may not send what can be read."""
    taken = read_packet(view)
    if taken is None:
        return None
    match packet := taken[0]:
        case ConnectPacket():
            _connect(packet)
        case PublishPacket():
            _publish(packet)
        case SubscribePacket():
            _subscribe(packet)
        case UnsubscribePacket():
            _unsubscribe(packet)
    return taken


def _connect(packet: ConnectPacket) -> None:
    if packet.authentication_data is not None and packet.authentication_method is None:
        raise ProtocolBroken("authentication data without a method (3.1.2.11.10)")


def _publish(packet: PublishPacket) -> None:
    if packet.packet_id == 0:
        raise ProtocolBroken("packet identifier 0 (MQTT-2.2.1-3)")
    if packet.payload_format_indicator > PAYLOAD_FORMAT_MAX:
        raise ProtocolBroken("a payload format that is neither 0 nor 1 (3.3.2.3.2)")
    if packet.subscription_ids:
        raise ProtocolBroken("a subscription identifier from a client (MQTT-3.3.4-6)")
    if packet.response_topic is not None and has_wildcard(packet.response_topic):
        raise ProtocolBroken("a response topic with wildcards (MQTT-3.3.2-14)")


def _subscribe(packet: SubscribePacket) -> None:
    _assert_asked(packet.packet_id, [wanted.pattern for wanted in packet.topic_filters])
    if any(
        wanted.no_local and wanted.pattern.startswith(SHARED) for wanted in packet.topic_filters
    ):
        raise ProtocolBroken("no local on a shared subscription (MQTT-3.8.3-4)")


def _unsubscribe(packet: UnsubscribePacket) -> None:
    _assert_asked(packet.packet_id, packet.patterns)


def _assert_asked(packet_id: int, patterns: list[str]) -> None:
    if packet_id == 0:
        raise ProtocolBroken("packet identifier 0 (MQTT-2.2.1-3)")
    if not patterns:
        raise ProtocolBroken("no topic filter (MQTT-3.8.3-2, MQTT-3.10.3-2)")
    if "" in patterns:
        raise ProtocolBroken("a topic filter without a character (MQTT-4.7.3-1)")
