"""What one MQTT 5 connection without credentials publishes, read packet by packet with the codec of the whole protocol."""

from typing import NamedTuple

from phusong.collector.mqtt import codec
from phusong.collector.mqtt.codec import Malformed, packet_bytes
from phusong.collector.mqtt.greeting import PACKET_MAX_BYTES, read_connect
from phusong.collector.mqtt.rules import read_allowed

CONNECT_MAX_BYTES = 65_536


class Message(NamedTuple):
    topic: str
    payload: bytes
    packet_id: int  # 0 for QoS 0


class Session(NamedTuple):
    """`is_over`: the client left or broke a rule. `oversized`: the start of a message too long to be taken."""

    messages: list[Message]
    is_over: bool
    oversized: bytes | None = None


def session_of(stream):
    messages = []
    try:
        size = connect_bytes(stream)
        while size is not None:
            stream = stream[size:]
            taken = read_allowed(memoryview(stream)) if stream else None
            if taken is None:
                return rest_of(stream, messages)
            packet, size = taken
            if not is_allowed(packet):
                return Session(messages, is_over=True)
            if isinstance(packet, codec.PublishPacket):
                messages.append(Message(packet.topic, packet.payload, packet.packet_id or 0))
    except Malformed:
        return Session(messages, is_over=True)
    return Session(messages, is_over=not is_waiting(stream))


def connect_bytes(stream):
    """Return how long the first packet is when it is a CONNECT that is let in, else None."""
    if not stream or stream[0] != codec.CONNECT_BYTE:
        return None
    size = packet_bytes(memoryview(stream))
    if size is None or size > len(stream):
        return None
    connect = read_connect(memoryview(stream)[:size])
    if not isinstance(connect, codec.ConnectPacket):
        return None
    return None if connect.password else size  # there is no register, so no token is right


def is_waiting(stream):
    """Tell whether more of a first packet may come."""
    if not stream:
        return True
    if stream[0] != codec.CONNECT_BYTE:
        return False
    size = packet_bytes(memoryview(stream))
    return size is None or len(stream) < size <= CONNECT_MAX_BYTES


def rest_of(stream, messages):
    """Return how a session goes on whose next packet is not all there."""
    size = packet_bytes(memoryview(stream)) if stream else None
    if size is not None and size > PACKET_MAX_BYTES:
        kept = bytes(stream[:4096]) if stream[0] >> 4 == 3 else None
        return Session(messages, is_over=True, oversized=kept)
    return Session(messages, is_over=False)


def is_allowed(packet):
    match packet:
        case codec.PublishPacket():
            return (
                packet.qos != codec.QoS.EXACTLY_ONCE
                and not packet.retain
                and packet.topic_alias is None
                and packet.topic != ""
                and not set("+#\0") & set(packet.topic)
                and not (packet.duplicate and packet.qos == codec.QoS.AT_MOST_ONCE)
            )
        case codec.SubscribePacket():
            positions = [v for name, v in packet.user_properties if name == "after_position"]
            return packet.subscription_id is None and not positions
        case codec.PingReqPacket() | codec.PubAckPacket() | codec.UnsubscribePacket():
            return True
    return False
