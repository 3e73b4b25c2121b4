"""Any bytes as an MQTT 5 connection, cut anywhere: what reaches the journal is what the codec of the whole protocol reads.

The first byte of an input says where the rest is cut. The connection, intake, commit and journal are the real ones; the
socket is a list, because a socket does not let anybody choose where its chunks end.
"""

import asyncio
import random

import mqtt5
from batches import TOPIC, usage_payload
from fuzz.opened import Opened
from mqtt5 import (
    ConnectPacket,
    DisconnectPacket,
    PingReqPacket,
    PubAckPacket,
    PublishPacket,
    QoS,
    SubscribePacket,
    TopicFilter,
    UnsubscribePacket,
    Will,
)

from phusong.collector.mqtt.connection import Connection
from phusong.collector.mqtt.greeting import REFUSED_OLD
from phusong.collector.topics import route_of_topic
from phusong.kernels.frame import PayloadKind, Transport
from reference.mqtt_session import session_of

CONNECT = ConnectPacket("fuzz", clean_start=True).write()
PACKETS = [
    CONNECT,
    ConnectPacket("", will=Will("w", payload=b"x"), username="viettel").write(),
    ConnectPacket("a" * 30, keep_alive=9, receive_max=2, max_packet_size=200).write(),
    PublishPacket(TOPIC, usage_payload(1)).write(),
    PublishPacket(TOPIC, usage_payload(2), qos=QoS.AT_LEAST_ONCE, packet_id=1).write(),
    PublishPacket(TOPIC, b"", qos=QoS.AT_LEAST_ONCE, packet_id=65535, duplicate=True).write(),
    PublishPacket(TOPIC + "/json", b"{}", content_type="application/json").write(),
    PublishPacket("phú/sóng", b"\xff" * 200, qos=QoS.AT_LEAST_ONCE, packet_id=9).write(),
    PublishPacket("a", b"x", user_properties=[("é", "b")], message_expiry_interval=7).write(),
    PublishPacket("a", b"x", qos=QoS.EXACTLY_ONCE, packet_id=3).write(),
    PublishPacket("a", b"x", retain=True).write(),
    PublishPacket("", b"x", topic_alias=3).write(),
    SubscribePacket(7, [TopicFilter("phusong/v1/viettel/decisions"), TopicFilter("#")]).write(),
    UnsubscribePacket(8, ["phusong/v1/viettel/decisions", "x"]).write(),
    PubAckPacket(1).write(),
    PingReqPacket().write(),
    DisconnectPacket().write(),
    b"\x30\xff\xff\xff\x7f\x00\x01a",
]


class Wire(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self, protocol, loop) -> None:
        super().__init__({"peername": ("127.0.0.1", 1)})
        self.written = b""
        self._protocol = protocol
        self._loop = loop
        self._is_closing = False

    def write(self, data) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return self._is_closing

    def close(self) -> None:
        if not self._is_closing:
            self._is_closing = True
            self._loop.call_soon(self._protocol.connection_lost, None)

    abort = close

    def pause_reading(self) -> None:
        pass

    resume_reading = pause_reading


opened = Opened()


def seeds() -> list[bytes]:
    """Return a connection with every packet, and longer ones."""
    return [bytes([i]) + CONNECT + packet for i, packet in enumerate(PACKETS)] + [
        b"\x05" + CONNECT + b"".join(PACKETS[3:9]) + PACKETS[12] + PACKETS[15] + PACKETS[16],
        b"\x06" + CONNECT + PACKETS[4] * 20 + PACKETS[5] * 3,
    ]


def mutated(data: bytes, max_size: int, seed: int) -> bytes:
    """Change packets as packets half of the time: whole ones put in, left out, repeated, or changed and given their length."""
    import atheris  # noqa: PLC0415 - where an input is only run, nothing is mutated

    random_ = random.Random(seed)
    if random_.random() < 0.5 or not data:
        return bytes(atheris.Mutate(data, max_size))
    packets = packets_of(data[1:])
    place = random_.randrange(len(packets) + 1)
    change = random_.randrange(4)
    if change == 0 or place == len(packets):
        packets.insert(place, random_.choice(PACKETS))
    elif change == 1:
        del packets[place]
    elif change == 2:
        packets.insert(random_.randrange(len(packets) + 1), packets[place])
    else:
        content = atheris.Mutate(content_of(packets[place]), 2000)
        packets[place] = packets[place][:1] + varint(len(content)) + content
    return (data[:1] + b"".join(packets))[:max_size]


def packets_of(stream):
    packets = []
    while len(stream) > 1:
        length, head = length_of(stream)
        packets.append(stream[: head + length])
        stream = stream[head + length :]
    return [*packets, stream] if stream else packets


def content_of(packet):
    return packet[length_of(packet)[1] :]


def length_of(packet):
    length = head = 0
    for head, byte in enumerate(packet[1:5], start=1):
        length |= (byte & 0x7F) << 7 * (head - 1)
        if byte < 0x80:
            break
    return length, head + 1


def varint(value):
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])


def one(data: bytes) -> None:
    """Connect, send in pieces, and compare the journal and the acknowledgements with what the codec reads."""
    if not data:
        return
    stream = data[1:]
    written, is_over = opened.run(talk(stream, random.Random(data[0])))
    expected = session_of(stream)
    came = [
        (route._replace(principal=""), payload)
        for route, payload in opened.arrived()
        if route.kind != PayloadKind.OVERSIZED
    ]
    assert len(came) == len(expected.messages), "the journal holds more or less"
    for (route, payload), message in zip(came, expected.messages, strict=True):
        assert payload == message.payload
        named = route_of_topic(message.topic, Transport.MQTT)
        is_nameless = named.kind == PayloadKind.UNREADABLE and not route.operator + route.source
        # Of names that are none of ours only so many are kept.
        assert route == named or (is_nameless and route.kind == named.kind), (route, named)
    assert is_over == expected.is_over, f"over: {is_over}, expected {expected.is_over}"
    packet_ids = [message.packet_id for message in expected.messages if message.packet_id]
    answers = packets_read(written)
    acknowledged = [a.packet_id for a in answers if isinstance(a, PubAckPacket)]
    assert acknowledged == packet_ids[: len(acknowledged)], "acknowledged out of order"
    assert is_over or acknowledged == packet_ids, "not acknowledged"


async def talk(stream, random_):
    """Return what is written to a client that sends a stream, and whether its connection was ended."""
    loop = asyncio.get_running_loop()
    connection = Connection(opened.doors._mqtt, on_lost=lambda: None)
    wire = Wire(connection, loop)
    connection.connection_made(wire)
    while stream and not wire.is_closing():
        size = random_.choice((1, 2, 3, 10, 100, len(stream)))
        connection.data_received(stream[:size])
        stream = stream[size:]
        if random_.random() < 0.2:
            await asyncio.sleep(0)
    await opened.settled()
    is_over = wire.is_closing()
    wire.close()
    await asyncio.sleep(0)
    assert opened.doors.connection_count == 0, "a connection is not forgotten"
    return wire.written, is_over


def packets_read(written):
    packets = []
    if written == REFUSED_OLD:  # to a client of another protocol
        return packets
    while written:
        packet, size = mqtt5.read(memoryview(written))
        packets.append(packet)
        written = written[size:]
    return packets
