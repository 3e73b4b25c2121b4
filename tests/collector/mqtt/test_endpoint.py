"""What a client that keeps or breaks the rules is told."""

import asyncio
from dataclasses import replace

import pytest
from batches import TOPIC, usage_payload
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mqtt5 import (
    AuthPacket,
    ConnAckReasonCode,
    ConnectPacket,
    DisconnectPacket,
    DisconnectReasonCode,
    PingReqPacket,
    PingRespPacket,
    PubAckPacket,
    PubAckReasonCode,
    PublishPacket,
    QoS,
    SubscribePacket,
    TopicFilter,
    Will,
)
from mqtt_peer import Peer, publish

import phusong.collector.intake as intake_module
import phusong.collector.mqtt.patience as patience_module
import phusong.collector.mqtt.publisher as publisher_module
from phusong.collector.doors import DoorOptions, Doors
from phusong.collector.mqtt.greeting import PACKET_MAX_BYTES, RECEIVE_MAX
from phusong.collector.topics import route_of_names
from phusong.kernels.frame import Transport

DECISIONS = "phusong/v1/viettel/decisions"


async def test_what_is_announced_is_what_is_kept(doors):
    peer = await Peer.connected(doors.mqtt_port)

    connack = peer.connack
    assert connack.reason_code == ConnAckReasonCode.SUCCESS
    assert (connack.session_present, connack.session_expiry_interval) == (False, 0)
    assert (connack.receive_max, connack.max_packet_size) == (RECEIVE_MAX, PACKET_MAX_BYTES)
    assert (connack.max_qos, connack.topic_alias_max) == (QoS.AT_LEAST_ONCE, 0)
    assert not connack.retain_available
    assert not connack.wildcard_subscription_available
    assert not connack.shared_subscription_available
    assert not connack.subscription_id_available
    peer.close()


async def test_acknowledgements_come_in_order_and_after_the_commit(doors):
    peer = await Peer.connected(doors.mqtt_port)
    ids = [5, 3, 9, 1, 700, 2]

    peer.send(*(publish(TOPIC, usage_payload(n + 1), i) for n, i in enumerate(ids)))

    answers = [await peer.packet() for _ in ids]
    assert [answer.packet_id for answer in answers] == ids
    assert all(answer.reason_code == PubAckReasonCode.SUCCESS for answer in answers)
    assert doors.sequence >= 1
    peer.close()


@pytest.mark.parametrize("step", [1, 2, 7])
async def test_packets_may_be_cut_anywhere(doors, step):
    peer = await Peer.dial(doors.mqtt_port)
    stream = ConnectPacket("cut").write() + b"".join(
        publish(TOPIC, usage_payload(n), n).write() for n in (1, 2, 3)
    )
    for start in range(0, len(stream), step):
        peer.send(stream[start : start + step])
        await asyncio.sleep(0)

    await peer.packet()
    assert [(await peer.packet()).packet_id for _ in range(3)] == [1, 2, 3]
    peer.close()


async def test_a_large_packet_comes_in_many_chunks(doors):
    payload = usage_payload(1, rows=12_000)
    peer = await Peer.connected(doors.mqtt_port)

    peer.send(publish(TOPIC, payload, 1), publish(TOPIC, usage_payload(2), 2))

    assert [(await peer.packet()).packet_id for _ in range(2)] == [1, 2]
    assert sum(c.accepted_row_count for c in doors.counts.origins.values()) == 12_001
    peer.close()


@pytest.mark.parametrize(
    ("topic", "payload", "code", "reason"),
    [
        (TOPIC, b"", PubAckReasonCode.PAYLOAD_FORMAT_INVALID, "EMPTY"),
        (TOPIC + "/json", b"{", PubAckReasonCode.PAYLOAD_FORMAT_INVALID, "NOT_JSON"),
        ("some/topic", b"x", PubAckReasonCode.TOPIC_NAME_INVALID, "BAD_TOPIC"),
        (
            TOPIC,
            usage_payload(1, source="pgw-2"),
            PubAckReasonCode.NOT_AUTHORIZED,
            "SOURCE_MISMATCH",
        ),
    ],
)
async def test_a_refused_payload_is_acknowledged_with_its_reason(
    doors, topic, payload, code, reason
):
    peer = await Peer.connected(doors.mqtt_port)

    peer.send(publish(TOPIC, usage_payload(1), 1), publish(topic, payload, 2))

    assert (await peer.packet()).reason_code == PubAckReasonCode.SUCCESS
    answer = await peer.packet()
    assert (answer.packet_id, answer.reason_code, answer.reason_str) == (2, code, reason)
    peer.close()


async def test_who_wants_no_problem_information_gets_none(doors):
    peer = await Peer.connected(doors.mqtt_port, request_problem_info=False)

    peer.send(publish(TOPIC, b"", 1))

    assert (await peer.packet()).reason_str is None
    peer.close()


async def test_qos_0_is_taken_and_not_acknowledged(doors):
    peer = await Peer.connected(doors.mqtt_port)

    peer.send(PublishPacket(TOPIC, usage_payload(1)), publish(TOPIC, usage_payload(2), 8))

    assert (await peer.packet()).packet_id == 8
    assert sum(c.accepted_row_count for c in doors.counts.origins.values()) == 2
    peer.close()


async def test_a_message_of_qos_0_in_a_chunk_of_its_own_holds_back_no_acknowledgement(doors):
    peer = await Peer.connected(doors.mqtt_port)

    peer.send(PublishPacket(TOPIC, usage_payload(1)), PingReqPacket())
    assert isinstance(await peer.packet(), PingRespPacket)
    peer.send(publish(TOPIC, usage_payload(2), 8))
    assert (await peer.packet()).packet_id == 8
    peer.send(publish(TOPIC, usage_payload(3), 9))

    assert (await peer.packet()).packet_id == 9
    peer.close()


@pytest.mark.parametrize("topic", [b"bad\xff", b"bad\0", b"a/+/b", b"a/#"])
async def test_what_came_before_a_topic_that_is_none_is_taken_whole(doors, topic):
    peer = await Peer.connected(doors.mqtt_port)
    good = publish(TOPIC, usage_payload(1), 1).write()
    bad = publish("x" * len(topic), b"p", 2).write().replace(b"x" * len(topic), topic)

    peer.send(good + bad + good)

    assert (await peer.packets())[-1].reason_code == DisconnectReasonCode.MALFORMED_PACKET
    await doors.intake.submit(*_marker())
    assert sum(c.accepted_row_count for c in doors.counts.origins.values()) == 2
    peer.close()


async def test_a_message_sent_again_is_acknowledged_and_counted_once(doors):
    peer = await Peer.connected(doors.mqtt_port)

    peer.send(
        publish(TOPIC, usage_payload(1), 1), publish(TOPIC, usage_payload(1), 1, duplicate=True)
    )

    assert [(await peer.packet()).reason_code for _ in range(2)] == [PubAckReasonCode.SUCCESS] * 2
    counts = next(iter(doors.counts.origins.values()))
    assert (counts.accepted_row_count, counts.duplicate_row_count) == (1, 1)
    peer.close()


OFFENCES = [
    (
        PublishPacket(TOPIC, b"x", qos=QoS.EXACTLY_ONCE, packet_id=1),
        DisconnectReasonCode.QOS_NOT_SUPPORTED,
    ),
    (publish(TOPIC, b"x", retain=True), DisconnectReasonCode.RETAIN_NOT_SUPPORTED),
    (publish(TOPIC, b"x", topic_alias=1), DisconnectReasonCode.TOPIC_ALIAS_INVALID),
    (publish("", b"x", topic_alias=1), DisconnectReasonCode.TOPIC_ALIAS_INVALID),
    (ConnectPacket("again"), DisconnectReasonCode.PROTOCOL_ERROR),
    (AuthPacket(), DisconnectReasonCode.PROTOCOL_ERROR),
    (PingRespPacket(), DisconnectReasonCode.PROTOCOL_ERROR),
    (b"\x30\x03\x00\x01\xff", DisconnectReasonCode.MALFORMED_PACKET),
    (b"\x32\x04\x00\x01a\x00", DisconnectReasonCode.MALFORMED_PACKET),
    (b"\x36\x05\x00\x01a\x00\x00", DisconnectReasonCode.MALFORMED_PACKET),
    (b"\x38\x04\x00\x01a\x00", DisconnectReasonCode.MALFORMED_PACKET),
    (b"\x30\xff\xff\xff\xff\x01", DisconnectReasonCode.MALFORMED_PACKET),
    (b"\x30\xff\xff\xff\x7f", DisconnectReasonCode.PACKET_TOO_LARGE),
    (
        SubscribePacket(1, [TopicFilter(DECISIONS)], subscription_id=4),
        DisconnectReasonCode.SUBSCRIPTION_IDS_NOT_SUPPORTED,
    ),
]


async def test_of_a_message_that_is_too_long_the_start_is_kept_and_counted(doors):
    peer = await Peer.connected(doors.mqtt_port)
    packet = publish(TOPIC, bytes(PACKET_MAX_BYTES), 1)

    peer.send(packet if isinstance(packet, bytes) else packet.write())

    assert (await peer.packet()).reason_code == DisconnectReasonCode.PACKET_TOO_LARGE
    await doors.intake.submit(*_marker())  # comes after it
    assert [reason for _, reason in doors.counts.refused] == ["TOO_LARGE"]


@pytest.mark.parametrize(("offence", "code"), OFFENCES)
async def test_a_broken_rule_ends_the_connection_with_its_reason(doors, offence, code):
    peer = await Peer.connected(doors.mqtt_port)

    peer.send(publish(TOPIC, usage_payload(1), 1), offence)

    packets = await peer.packets()
    assert isinstance(packets[-1], DisconnectPacket)
    assert (packets[-1].reason_code, bool(packets[-1].reason_str)) == (code, True)
    peer.close()
    other = await Peer.connected(doors.mqtt_port)  # the endpoint lives on
    assert other.connack.reason_code == ConnAckReasonCode.SUCCESS
    other.close()


async def test_more_in_flight_than_announced_ends_the_connection(doors, monkeypatch):
    monkeypatch.setattr(publisher_module, "RECEIVE_MAX", 10)
    peer = await Peer.connected(doors.mqtt_port)

    peer.send(*(publish(TOPIC, usage_payload(n), n) for n in range(1, 50)))

    last = (await peer.packets())[-1]
    assert last.reason_code == DisconnectReasonCode.RECEIVE_MAX_EXCEEDED
    peer.close()


@pytest.mark.parametrize("level", [3, 4])
async def test_an_mqtt_3_client_gets_its_own_refusal_and_the_log_names_the_broker_road(
    doors, caplog, level
):
    caplog.set_level("INFO")
    peer = await Peer.dial(doors.mqtt_port)
    name = b"\x00\x06MQIsdp" if level == 3 else b"\x00\x04MQTT"
    body = name + bytes([level, 2, 0, 60, 0, 1]) + b"a"

    peer.send(bytes([0x10, len(body)]) + body)

    assert await peer.reader.read() == b"\x20\x02\x00\x01"
    assert "broker that Phusong reads" in caplog.text
    peer.close()


async def test_a_protocol_of_the_future_is_refused_in_words(doors):
    peer = await Peer.dial(doors.mqtt_port)

    peer.send(b"\x10\x0d\x00\x04MQTT\x06\x02\x00\x3c\x00\x00\x00")

    answer = await peer.packet()
    assert answer.reason_code == ConnAckReasonCode.UNSUPPORTED_PROTOCOL_VERSION
    assert "broker" in answer.reason_str
    assert await peer.packet() is None
    peer.close()


async def test_enhanced_authentication_is_refused(doors):
    peer = await Peer.connected(doors.mqtt_port, authentication_method="SCRAM")

    assert peer.connack.reason_code == ConnAckReasonCode.BAD_AUTHENTICATION_METHOD
    peer.close()


async def test_a_client_without_an_id_is_given_one(doors):
    peer = await Peer.connected(doors.mqtt_port, client_id="")

    assert peer.connack.assigned_client_id
    peer.close()


async def test_a_will_is_ignored_and_the_client_told(doors):
    peer = await Peer.connected(doors.mqtt_port, will=Will("x", payload=b"y"))

    assert any("will is ignored" in note for _, note in peer.connack.user_properties)
    peer.close()


async def test_the_same_client_id_takes_the_session_over(doors):
    first = await Peer.connected(doors.mqtt_port, client_id="one")
    second = await Peer.connected(doors.mqtt_port, client_id="one")

    assert (await first.packet()).reason_code == DisconnectReasonCode.SESSION_TAKEN_OVER
    assert await first.packet() is None
    second.send(PingReqPacket())
    assert isinstance(await second.packet(), PingRespPacket)
    first.close()
    second.close()


async def test_silence_before_connect_and_beyond_keep_alive_is_ended(doors, monkeypatch):
    doors.doorkeeper.limits = replace(doors.doorkeeper.limits, hello_timeout_s=0.02)
    monkeypatch.setattr(patience_module, "KEEP_ALIVE_SHARE", 0.05)
    silent = await Peer.dial(doors.mqtt_port)
    peer = await Peer.connected(doors.mqtt_port, keep_alive=1)

    assert await silent.packet() is None
    assert (await peer.packet()).reason_code == DisconnectReasonCode.KEEP_ALIVE_TIMEOUT
    silent.close()
    peer.close()


async def test_disconnect_ends_without_an_answer_and_loses_nothing(doors):
    peer = await Peer.connected(doors.mqtt_port)

    peer.send(publish(TOPIC, usage_payload(1), 1), DisconnectPacket())

    assert all(isinstance(packet, PubAckPacket) for packet in await peer.packets())
    await doors.intake.submit(*_marker())
    assert sum(c.accepted_row_count for c in doors.counts.origins.values()) == 2
    peer.close()


def _marker():
    return route_of_names("viettel", "marker", Transport.IMPORT), usage_payload(1)


async def test_while_the_intake_is_full_nothing_more_is_read_and_nothing_is_lost(
    doors, monkeypatch
):
    monkeypatch.setattr(intake_module, "QUEUE_PAYLOAD_COUNT_MAX", 4)
    peer = await Peer.connected(doors.mqtt_port)

    for n in range(1, 400):
        peer.send(publish(TOPIC, usage_payload(n), n))
        if n % 20 == 0:
            await asyncio.sleep(0)

    assert [(await peer.packet()).packet_id for _ in range(1, 400)] == list(range(1, 400))
    peer.close()


async def test_stopping_acknowledges_what_was_taken_and_says_goodbye(tmp_path):
    async with Doors(DoorOptions(tmp_path, open_loopback=True)) as doors:
        peer = await Peer.connected(doors.mqtt_port)
        peer.send(*(publish(TOPIC, usage_payload(n), n) for n in range(1, 100)))
        await peer.packet()

    packets = await peer.packets()
    assert packets[-1].reason_code == DisconnectReasonCode.SERVER_SHUTTING_DOWN
    assert [packet.packet_id for packet in packets[:-1]] == list(range(2, 100))
    peer.close()


CONNECT = ConnectPacket("garbage").write()
PUBLISH = publish(TOPIC, usage_payload(1), 1).write()


@settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(
        st.one_of(st.binary(max_size=40), st.sampled_from([CONNECT, PUBLISH, PUBLISH[:20]])),
        max_size=4,
    )
)
async def test_garbage_never_ends_the_endpoint(doors, chunks):
    peer = await Peer.dial(doors.mqtt_port)
    for chunk in chunks:
        peer.send(chunk)
        await asyncio.sleep(0)
    peer.close()

    other = await Peer.connected(doors.mqtt_port)
    other.send(PUBLISH)
    assert (await other.packet()).packet_id == 1
    other.close()
