"""MQTT 5 packets to bytes and back, by the `mqtt5` codec, with its surprises caught here.

The codec raises IndexError where bytes are missing and ValueError where they are wrong, and panics (a BaseException from
Rust) where a text is not UTF-8. All three come from the peer, so all three are answers here.
"""

import numpy as np
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
    "encode_pubacks",
    "packet_bytes",
    "protocol_level",
    "read",
    "read_packet",
]

CONNECT_BYTE = 0x10
# First bytes of a PUBLISH with QoS 1 that is not retained: as new, and as sent again.
PUBLISH_QOS_1 = 0x32
PUBLISH_QOS_1_AGAIN = 0x3A
PUBLISH_QOS_0 = 0x30
PUBLISH_KIND = 0x3

# A remaining length has at most four bytes of seven bits.
LENGTH_BYTES_MAX = 4

PUBACK = np.dtype([("head", ">u2"), ("packet_id", ">u2")])
PUBACK_HEAD = 0x4002


class Malformed(Exception):
    """The bytes are no MQTT 5 packet."""


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
    try:
        return read(view)
    except IndexError as error:
        size = packet_bytes(view)
        if size is not None and size <= len(view):
            raise Malformed("a packet ends inside a field") from error
        return None
    except ValueError as error:
        raise Malformed(str(error)) from error
    except BaseException as error:
        if type(error).__name__ == "PanicException":
            raise Malformed("a text is not UTF-8") from None
        raise


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


def encode_pubacks(packet_ids: list[int]) -> bytes:
    """Return one PUBACK with success for every packet id that is not 0, in order."""
    ids = np.array(packet_ids, np.uint16)
    acks = np.empty(np.count_nonzero(ids), PUBACK)
    acks["head"] = PUBACK_HEAD
    acks["packet_id"] = ids[ids != 0]
    return acks.tobytes()
