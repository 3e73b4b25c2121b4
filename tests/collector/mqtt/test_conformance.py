"""MQTT 5.0 by its normative statements, packet by packet: what a client may not send, and what it is told.

Each row names the statement or section it is of. The second opinion is mosquitto's, on the same bytes.
"""

import asyncio
import contextlib

import pytest
from batches import TOPIC, decision, usage_payload
from brokers import Mosquitto
from mqtt5 import (
    ConnAckReasonCode,
    ConnectPacket,
    DisconnectPacket,
    PingReqPacket,
    PingRespPacket,
    PubAckPacket,
    SubAckPacket,
    SubscribePacket,
    TopicFilter,
    UnsubAckPacket,
    UnsubAckReasonCode,
    UnsubscribePacket,
)
from mqtt5 import ConnAckReasonCode as Hello
from mqtt5 import DisconnectReasonCode as Bye
from mqtt_bytes import connect, packet, publish_bytes, text
from mqtt_peer import Peer, publish

from phusong.collector.mqtt.patience import KEEP_ALIVE_SHARE
from phusong.kernels.frame import decode_frame
from phusong.verifier.journal import JournalReader

DECISIONS = "phusong/v1/viettel/decisions"

# What comes first, and the answer: a reason code, or None for a connection that is closed without a word.
FIRST = [
    ("MQTT-3.1.0-1", packet(0xC0), None),
    ("MQTT-3.1.2-1", connect(name=b"MQTX"), None),
    ("MQTT-3.1.2-2", connect(level=6), Hello.UNSUPPORTED_PROTOCOL_VERSION),
    ("MQTT-2.1.3-1", b"\x11" + connect()[1:], None),
    ("MQTT-3.1.2-3", connect(flags=0x03), Hello.MALFORMED_PACKET),
    ("MQTT-3.1.2-11", connect(flags=0x0A), Hello.MALFORMED_PACKET),
    ("MQTT-3.1.2-13", connect(flags=0x22), Hello.MALFORMED_PACKET),
    ("MQTT-3.1.2-12", connect(flags=0x1E, rest=b"\0" + text(b"w") * 2), Hello.MALFORMED_PACKET),
    ("MQTT-3.1.2-17", connect(flags=0x82), Hello.MALFORMED_PACKET),
    ("MQTT-3.1.3-4", connect(client_id=b"\xff"), Hello.MALFORMED_PACKET),
    ("MQTT-1.5.4-2", connect(client_id=b"a\0"), Hello.MALFORMED_PACKET),
    ("MQTT-1.5.4-1", connect(client_id=b"\xed\xa0\x80"), Hello.MALFORMED_PACKET),
    ("2.2.2.2", connect(properties=b"\x02\0\0\0\1"), Hello.MALFORMED_PACKET),
    ("3.1.2.11.2", connect(properties=b"\x11\0\0\0\1" * 2), Hello.PROTOCOL_ERROR),
    ("3.1.2.11.3", connect(properties=b"\x21\0\0"), Hello.PROTOCOL_ERROR),
    ("3.1.2.11.4", connect(properties=b"\x27\0\0\0\0"), Hello.PROTOCOL_ERROR),
    ("3.1.2.11.7", connect(properties=b"\x17\2"), Hello.PROTOCOL_ERROR),
    ("3.1.2.11.9", connect(properties=b"\x15\0\1x"), Hello.BAD_AUTHENTICATION_METHOD),
    ("3.1.2.11.10", connect(properties=b"\x16\0\1x"), Hello.PROTOCOL_ERROR),
    ("2.1.4", connect(rest=b"zz"), Hello.MALFORMED_PACKET),
]

# What comes later, and the reason the connection ends with.
LATER = [
    ("MQTT-3.1.0-2", connect(), Bye.PROTOCOL_ERROR),
    ("MQTT-3.3.1-4", publish_bytes(0x36), Bye.MALFORMED_PACKET),
    ("MQTT-3.3.1-2", publish_bytes(0x38), Bye.MALFORMED_PACKET),
    ("MQTT-3.2.2-11", publish_bytes(0x34), Bye.QOS_NOT_SUPPORTED),
    ("MQTT-3.2.2-14", publish_bytes(0x31), Bye.RETAIN_NOT_SUPPORTED),
    ("MQTT-2.2.1-3", publish_bytes(packet_id=0), Bye.PROTOCOL_ERROR),
    ("MQTT-3.3.2-1", publish_bytes(topic=b"\xff"), Bye.MALFORMED_PACKET),
    ("MQTT-1.5.4-1", publish_bytes(topic=b"\xed\xa0\x80"), Bye.MALFORMED_PACKET),
    ("MQTT-1.5.4-2", publish_bytes(topic=b"a\0b"), Bye.MALFORMED_PACKET),
    ("MQTT-3.3.2-2", publish_bytes(topic=b"a/+"), Bye.MALFORMED_PACKET),
    ("MQTT-3.3.2-2 #", publish_bytes(topic=b"#"), Bye.MALFORMED_PACKET),
    ("3.3.2.1", publish_bytes(topic=b""), Bye.PROTOCOL_ERROR),
    ("3.3.2.3.2", publish_bytes(properties=b"\1\2"), Bye.PROTOCOL_ERROR),
    ("3.3.2.3.2 twice", publish_bytes(properties=b"\1\0" * 2), Bye.PROTOCOL_ERROR),
    ("3.3.2.3.4", publish_bytes(properties=b"\x23\0\0"), Bye.MALFORMED_PACKET),
    ("MQTT-3.2.2-18", publish_bytes(properties=b"\x23\0\1"), Bye.TOPIC_ALIAS_INVALID),
    ("3.3.4", publish_bytes(topic=b"", properties=b"\x23\0\1"), Bye.TOPIC_ALIAS_INVALID),
    ("MQTT-3.3.2-14", publish_bytes(properties=b"\x08" + text(b"a/+")), Bye.PROTOCOL_ERROR),
    ("MQTT-3.3.4-6", publish_bytes(properties=b"\x0b\1"), Bye.PROTOCOL_ERROR),
    ("2.2.2.2", publish_bytes(properties=b"\x11\0\0\0\1"), Bye.MALFORMED_PACKET),
    ("MQTT-1.5.7-1", publish_bytes(properties=b"\x26" + text(b"\0") * 2), Bye.MALFORMED_PACKET),
    ("2.2.2.1", packet(0x30, text(b"a") + b"\x09x"), Bye.MALFORMED_PACKET),
    ("MQTT-1.5.5-1", b"\x30\x85\x00" + text(b"a") + b"\0x", Bye.MALFORMED_PACKET),
    ("1.5.5", b"\x30\xff\xff\xff\xff\x01", Bye.MALFORMED_PACKET),
    ("MQTT-3.2.2-15", b"\x30\xff\xff\xff\x7f", Bye.PACKET_TOO_LARGE),
    ("MQTT-3.8.1-1", packet(0x80, b"\0\1\0" + text(b"a") + b"\0"), Bye.MALFORMED_PACKET),
    ("MQTT-2.2.1-3 s", packet(0x82, b"\0\0\0" + text(b"a") + b"\0"), Bye.PROTOCOL_ERROR),
    ("MQTT-3.8.3-2", packet(0x82, b"\0\1\0"), Bye.PROTOCOL_ERROR),
    ("MQTT-3.8.3-5", packet(0x82, b"\0\1\0" + text(b"a") + b"\x40"), Bye.MALFORMED_PACKET),
    ("3.8.3.1 retain", packet(0x82, b"\0\1\0" + text(b"a") + b"\x30"), Bye.PROTOCOL_ERROR),
    ("3.8.3.1 qos", packet(0x82, b"\0\1\0" + text(b"a") + b"\x03"), Bye.MALFORMED_PACKET),
    ("MQTT-3.8.3-4", packet(0x82, b"\0\1\0" + text(b"$share/g/a") + b"\4"), Bye.PROTOCOL_ERROR),
    ("MQTT-4.7.3-1", packet(0x82, b"\0\1\0" + text(b"") + b"\0"), Bye.PROTOCOL_ERROR),
    ("MQTT-3.8.3-1", packet(0x82, b"\0\1\0" + text(b"\xff") + b"\0"), Bye.MALFORMED_PACKET),
    ("3.8.2.1.2", packet(0x82, b"\0\1\2\x0b\0" + text(b"a") + b"\0"), Bye.PROTOCOL_ERROR),
    (
        "MQTT-3.2.2-21",
        packet(0x82, b"\0\1\2\x0b\1" + text(b"a") + b"\0"),
        Bye.SUBSCRIPTION_IDS_NOT_SUPPORTED,
    ),
    ("MQTT-3.10.1-1", packet(0xA0, b"\0\1\0" + text(b"a")), Bye.MALFORMED_PACKET),
    ("MQTT-2.2.1-3 u", packet(0xA2, b"\0\0\0" + text(b"a")), Bye.PROTOCOL_ERROR),
    ("MQTT-3.10.3-2", packet(0xA2, b"\0\1\0"), Bye.PROTOCOL_ERROR),
    ("2.1.3 puback", packet(0x41, b"\0\1"), Bye.MALFORMED_PACKET),
    ("2.1.3 pingreq", b"\xc1\0", Bye.MALFORMED_PACKET),
    ("3.12", b"\xc0\1a", Bye.MALFORMED_PACKET),
    ("MQTT-3.14.1-1", b"\xe1\0", Bye.MALFORMED_PACKET),
    ("3.14.2.1", b"\xe0\1\x55", Bye.MALFORMED_PACKET),
    ("3.4.2.1", packet(0x40, b"\0\1\x55"), Bye.MALFORMED_PACKET),
    ("2.1.2 type 0", b"\0\0", Bye.MALFORMED_PACKET),
    ("MQTT-4.12.0-1", b"\xf0\2\x18\0", Bye.PROTOCOL_ERROR),
    ("3.2 connack", b"\x20\3\0\0\0", Bye.PROTOCOL_ERROR),
    ("3.5 pubrec", b"\x50\2\0\1", Bye.PROTOCOL_ERROR),
    ("3.6 pubrel", b"\x62\2\0\1", Bye.PROTOCOL_ERROR),
    ("3.9 suback", b"\x90\4\0\1\0\0", Bye.PROTOCOL_ERROR),
    ("3.13 pingresp", b"\xd0\0", Bye.PROTOCOL_ERROR),
]
# Rules of a limit that we announced and mosquitto did not.
OURS_ALONE = {
    "MQTT-3.2.2-11",
    "MQTT-3.2.2-14",
    "MQTT-3.2.2-15",
    "MQTT-3.2.2-18",
    "3.3.4",
    "MQTT-3.2.2-21",
}

# Rules that we keep and mosquitto 2.0.11 does not.
LAXER_IN_MOSQUITTO = {
    "2.1.3 pingreq",
    "2.1.3 puback",
    "3.12",
    "3.13 pingresp",
    "3.3.2.3.2",
    "3.4.2.1",
    "3.5 pubrec",
    "3.6 pubrel",
    "3.9 suback",
    "MQTT-1.5.5-1",
    "MQTT-3.3.1-2",
    "MQTT-3.3.2-14",
    "MQTT-3.3.4-6",
    "MQTT-3.8.3-4",
}
AGREED = [row for row in LATER if row[0] not in OURS_ALONE | LAXER_IN_MOSQUITTO]


@pytest.mark.parametrize(("rule", "first", "code"), FIRST, ids=[row[0] for row in FIRST])
async def test_a_first_packet_that_breaks_a_rule_is_answered_and_the_connection_closed(
    doors, rule, first, code
):
    """[MQTT-3.1.4-1], [MQTT-3.1.4-2]: validate CONNECT, answer with a code of 128 or more, close."""
    peer = await Peer.dial(doors.mqtt_port)

    peer.send(first)

    answers = await peer.packets()
    assert [(a.reason_code, a.session_present) for a in answers] == (
        [(code, False)] if code else []
    )


@pytest.mark.parametrize(("rule", "later", "code"), LATER, ids=[row[0] for row in LATER])
async def test_a_packet_that_breaks_a_rule_ends_the_connection_with_its_reason(
    doors, rule, later, code
):
    """[MQTT-4.13.1-1], [MQTT-4.13.2-1]: close the connection, and say why. What came before is still taken."""
    peer = await Peer.connected(doors.mqtt_port)

    peer.send(publish(TOPIC, usage_payload(1), 7), later, PingReqPacket())

    answers = await peer.packets()
    assert isinstance(answers[-1], DisconnectPacket)
    assert answers[-1].reason_code == code
    assert not any(isinstance(a, PingRespPacket) for a in answers), "nothing is read after a fault"


@pytest.fixture(scope="module")
def mosquitto(tmp_path_factory):
    with Mosquitto(tmp_path_factory.mktemp("opinion")) as broker:
        yield broker


@pytest.mark.parametrize("content", [row[1] for row in AGREED], ids=[row[0] for row in AGREED])
async def test_mosquitto_ends_the_connection_too(mosquitto, content):
    """A second opinion on the same bytes: a fault for us is a fault for a broker that others trust."""
    peer = await Peer.connected(mosquitto.port, client_id="")
    assert peer.connack.reason_code == ConnAckReasonCode.SUCCESS

    peer.send(content, PingReqPacket())

    answers = []
    with contextlib.suppress(ConnectionResetError):  # it closes without reading what else is there
        answers = await peer.packets(until=PingRespPacket)
    Peer.open_peers.pop().close()
    assert not any(isinstance(answer, PingRespPacket) for answer in answers)


async def test_a_client_without_an_id_is_given_one_nobody_has(doors):
    """[MQTT-3.1.3-6], [MQTT-3.1.3-7], [MQTT-3.2.2-16]."""
    first = await Peer.connected(doors.mqtt_port, client_id="")
    second = await Peer.connected(doors.mqtt_port, client_id="")

    assigned = first.connack.assigned_client_id, second.connack.assigned_client_id
    assert all(assigned)
    assert len(set(assigned)) == 2


async def test_no_session_is_kept_and_none_is_said_to_be(doors):
    """[MQTT-3.1.2-4], [MQTT-3.2.2-2], [MQTT-3.2.2-3]; 3.2.2.3.2: the expiry that counts is the server's, 0."""
    first = await Peer.connected(doors.mqtt_port, "same", session_expiry_interval=1000)
    first.send(DisconnectPacket())
    assert await first.packet() is None
    peer = await Peer.dial(doors.mqtt_port)
    peer.send(ConnectPacket("same", clean_start=False, session_expiry_interval=1000))

    connack = await peer.packet()

    assert (connack.reason_code, connack.session_present) == (Hello.SUCCESS, False)
    assert connack.session_expiry_interval == 0


async def test_the_same_client_id_ends_the_older_connection(doors):
    """[MQTT-3.1.4-3]."""
    older = await Peer.connected(doors.mqtt_port, "one")
    await Peer.connected(doors.mqtt_port, "one")

    assert (await older.packet()).reason_code == Bye.SESSION_TAKEN_OVER
    assert await older.packet() is None


async def test_pubacks_come_in_the_order_of_arrival_and_carry_its_packet_identifier(doors):
    """[MQTT-4.6.0-2], [MQTT-4.3.2-4], [MQTT-2.2.1-5]."""
    peer = await Peer.connected(doors.mqtt_port)
    packet_ids = [65535, 1, 300, 2, 256, 255]

    for n, packet_id in enumerate(packet_ids, start=1):
        peer.send(publish(TOPIC, usage_payload(n), packet_id))
        await asyncio.sleep(0)

    assert [(await peer.packet()).packet_id for _ in packet_ids] == packet_ids


async def test_a_packet_identifier_is_free_again_after_its_puback(doors):
    """[MQTT-4.3.2-5]: what comes then under the same identifier is a new message, whatever its DUP flag."""
    peer = await Peer.connected(doors.mqtt_port)
    for n in (1, 2, 3):
        peer.send(publish(TOPIC, usage_payload(n), 9, duplicate=n == 2))
        assert (await peer.packet()).packet_id == 9

    assert sum(c.accepted_row_count for c in doors.counts.origins.values()) == 3


async def test_the_clients_receive_maximum_holds_for_all_its_subscriptions_together(doors):
    """[MQTT-3.3.4-9], [MQTT-2.2.1-4]: a new subscription neither forgets what is in flight nor uses its identifiers."""
    peer = await Peer.connected(doors.mqtt_port, username="viettel", receive_max=2)
    subscribe = SubscribePacket(
        1, [TopicFilter(DECISIONS)], user_properties=[("after_position", "0")]
    )
    await doors.board.publish([decision(str(n)) for n in range(3)])
    peer.send(subscribe)
    assert isinstance(await peer.packet(), SubAckPacket)
    in_flight = [(await peer.packet()).packet_id for _ in range(2)]

    peer.send(UnsubscribePacket(2, [DECISIONS]), subscribe, PingReqPacket())

    answers = [type(await peer.packet()) for _ in range(3)]
    assert answers == [UnsubAckPacket, SubAckPacket, PingRespPacket], "no third in flight"
    peer.send(PubAckPacket(in_flight[0]))
    assert (await peer.packet()).packet_id not in in_flight[1:]


@pytest.mark.parametrize("packet_max_bytes", [60, 80])
async def test_nothing_larger_than_the_client_takes_is_sent(doors, packet_max_bytes):
    """[MQTT-3.1.2-24], [MQTT-3.2.2-19], [MQTT-3.4.2-2], [MQTT-3.9.2-1], [MQTT-3.14.2-3]: words are left out first."""
    peer = await Peer.connected(doors.mqtt_port, max_packet_size=packet_max_bytes, will=None)

    peer.send(
        publish(TOPIC + "/json", b"{", 1),
        SubscribePacket(2, [TopicFilter("other/topic")] * 3),
        publish("", b"", 3, topic_alias=1, user_properties=[("a", "b")]),
    )
    answers = await peer.packets()

    assert [type(a) for a in answers].count(DisconnectPacket) == 1
    assert len(answers) == 2 or len(answers) == 3
    assert all(size <= packet_max_bytes for size in peer.sizes), peer.sizes


async def test_without_problem_information_only_connack_and_disconnect_have_words(doors):
    """[MQTT-3.1.2-29]."""
    peer = await Peer.connected(doors.mqtt_port, request_problem_info=False)

    peer.send(
        publish(TOPIC, b"", 1),
        SubscribePacket(2, [TopicFilter("other/topic")]),
        UnsubscribePacket(3, ["other/topic"]),
    )

    answers = [await peer.packet() for _ in range(3)]
    assert [answer.reason_str for answer in answers] == [None] * 3
    assert not any(answer.user_properties for answer in answers)


async def test_every_filter_has_a_reason_code_in_its_place(doors):
    """[MQTT-3.8.4-1], [MQTT-3.8.4-2], [MQTT-3.8.4-6], [MQTT-3.11.3-2]."""
    peer = await Peer.connected(doors.mqtt_port, username="viettel")

    peer.send(
        SubscribePacket(500, [TopicFilter(p) for p in ("#", DECISIONS, "$share/g/x", "other")]),
        UnsubscribePacket(501, ["other", DECISIONS]),
    )

    suback, unsuback = await peer.packet(), await peer.packet()
    assert (suback.packet_id, unsuback.packet_id) == (500, 501)
    assert [code.value for code in suback.reason_codes] == [0xA2, 0x01, 0x9E, 0x87]
    assert unsuback.reason_codes == [
        UnsubAckReasonCode.NO_SUBSCRIPTION_EXISTED,
        UnsubAckReasonCode.SUCCESS,
    ]


@pytest.mark.slow
async def test_a_client_may_be_silent_for_one_and_a_half_keep_alives_and_no_longer(doors):
    """[MQTT-3.1.2-22], [MQTT-3.12.4-1]: the time starts anew with every packet, and PINGREQ is answered."""
    assert KEEP_ALIVE_SHARE == 1.5
    peer = await Peer.connected(doors.mqtt_port, keep_alive=1)
    for _ in range(3):
        await asyncio.sleep(0.6)
        peer.send(PingReqPacket())
        assert isinstance(await peer.packet(), PingRespPacket)

    assert (await peer.packet()).reason_code == Bye.KEEP_ALIVE_TIMEOUT
    assert await peer.packet() is None


async def test_nothing_is_read_after_disconnect(doors):
    """[MQTT-3.14.4-1], [MQTT-3.14.4-3]; a server that is told goodbye says nothing."""
    peer = await Peer.connected(doors.mqtt_port)

    peer.send(DisconnectPacket(), publish(TOPIC, usage_payload(1), 1))

    assert await peer.packets() == []
    assert not doors.counts.origins


async def test_a_byte_order_mark_belongs_to_its_text(doors, tmp_path):
    """[MQTT-1.5.4-3]: U+FEFF is never skipped or stripped."""
    peer = await Peer.connected(doors.mqtt_port)
    topic = "\ufeff" + TOPIC

    peer.send(publish(topic, usage_payload(1), 1))
    await peer.packet()

    (stored,) = JournalReader(tmp_path / "journal").frames()
    assert [route.source for route in decode_frame(stored.body).routes.values()] == [topic]


async def test_what_a_payload_is_said_to_be_changes_nothing(doors):
    """3.3.2.3.2: a receiver may look whether a payload that is said to be text is text; we take it, and journal it."""
    peer = await Peer.connected(doors.mqtt_port)

    peer.send(publish(TOPIC, usage_payload(1), 1, payload_format_indicator=1))

    assert (await peer.packet()).reason_code.value == 0
