"""MQTT 5 packets to bytes and back, by the `mqtt5` codec, with its surprises caught here.

The codec raises IndexError where bytes are missing and ValueError where they are wrong. Where a text is not UTF-8 its
Rust code panics, aloud; so texts are looked at before (`texts.py`). All three come from the peer, so all are answers here.
"""

from mqtt5 import (
    AuthPacket,
    ConnAckPacket,
    ConnAckReasonCode,
    ConnectPacket,
    DisconnectPacket,
    DisconnectReasonCode,
    Packet,
    PingReqPacket,
    PingRespPacket,
    PubAckPacket,
    PubAckReasonCode,
    PublishPacket,
    QoS,
    SubAckPacket,
    SubAckReasonCode,
    SubscribePacket,
    UnsubAckPacket,
    UnsubAckReasonCode,
    UnsubscribePacket,
    read,
)

from phusong.collector.mqtt.texts import (
    Malformed,
    ProtocolBroken,
    assert_texts,
    assert_topic_name,
)

__all__ = [
    "AuthPacket",
    "ConnAckPacket",
    "ConnAckReasonCode",
    "ConnectPacket",
    "DisconnectPacket",
    "DisconnectReasonCode",
    "Malformed",
    "Packet",
    "PingReqPacket",
    "PingRespPacket",
    "ProtocolBroken",
    "PubAckPacket",
    "PubAckReasonCode",
    "PublishPacket",
    "QoS",
    "SubAckPacket",
    "SubAckReasonCode",
    "SubscribePacket",
    "UnsubAckPacket",
    "UnsubAckReasonCode",
    "UnsubscribePacket",
    "assert_topic_name",
    "packet_bytes",
    "protocol_level",
    "read_packet",
]

CONNECT_BYTE = 0x10
# The codec has one exception for all; where MQTT 5 speaks of a protocol error and not of a malformed packet, it begins so.
PROTOCOL_ERRORS = (
    "Duplicate value for unique property",
    "Invalid boolean",
    "Invalid RetainHandling",
    "Maximum packet size must",
    "Receive maximum must",
    "Subscription ID must",
    "Topic alias must be set",
)

# A remaining length has at most four bytes of seven bits.
LENGTH_BYTES_MAX = 4


def packet_bytes(view: memoryview) -> int | None:
    """Return how long the packet at the start is, None when its length is not all there. Raises Malformed."""
    length = 0
    for i in range(LENGTH_BYTES_MAX):
        if len(view) < i + 2:
            return None
        byte = view[i + 1]
        length |= (byte & 0x7F) << 7 * i
        if byte < 0x80:
            return length + i + 2
    raise Malformed("the length of a packet has more than four bytes")


def read_packet(view: memoryview) -> tuple[Packet, int] | None:
    """Return the packet at the start and its length, None when it is not all there. Raises Malformed."""
    size = packet_bytes(view)
    if size is None or size > len(view):
        return None
    assert_texts(view[:size])
    try:
        return read(view)
    except IndexError as error:
        raise Malformed("a packet ends inside a field") from error
    except ValueError as error:
        is_broken = str(error).startswith(PROTOCOL_ERRORS)
        raise (ProtocolBroken if is_broken else Malformed)(str(error)) from error


def protocol_level(view: memoryview) -> int | None:
    """Return the protocol level of a complete CONNECT of any version, None when it is no CONNECT at all."""
    start = 1
    while start < len(view) and view[start] >= 0x80:
        start += 1
    start += 1
    name_bytes = int.from_bytes(view[start : start + 2], "big")
    name = bytes(view[start + 2 : start + 2 + name_bytes])
    level_at = start + 2 + name_bytes
    if view[0] != CONNECT_BYTE or name not in (b"MQTT", b"MQIsdp") or level_at >= len(view):
        return None
    return view[level_at]
