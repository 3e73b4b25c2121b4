"""What an MQTT client is told at the door that may not come in."""

import asyncio
import shutil
from dataclasses import replace

import pytest
from batches import TOPIC, usage_payload
from credentials import TOKENS, register
from mqtt5 import (
    ConnAckReasonCode,
    DisconnectReasonCode,
    PingReqPacket,
    PingRespPacket,
    PubAckReasonCode,
    SubAckReasonCode,
    SubscribePacket,
    TopicFilter,
)
from mqtt_peer import Peer, publish

NAME = "viettel/pgw-1"
TOKEN = TOKENS[NAME].encode()
MOSQUITTO_PUB = shutil.which("mosquitto_pub")


async def test_without_a_credential_nobody_comes_in_and_hears_what_to_do(guarded_doors):
    peer = await Peer.connected(guarded_doors.mqtt_port)

    assert peer.connack.reason_code == ConnAckReasonCode.NOT_AUTHORIZED
    assert "<operator>/<source>" in peer.connack.reason_str
    assert "--open-loopback" in peer.connack.reason_str
    assert await peer.packet() is None
    assert guarded_doors.sequence == 0


async def test_a_wrong_password_is_refused_in_one_form_of_words(guarded_doors):
    names = ("viettel/pgw-1", "viettel/nobody", "no name at all")
    peers = [
        await Peer.connected(guarded_doors.mqtt_port, username=name, password=b"guess")
        for name in names
    ]

    codes = [peer.connack.reason_code for peer in peers]
    assert codes == [ConnAckReasonCode.BAD_USER_NAME_OR_PASSWORD] * 3
    assert len({peer.connack.reason_str for peer in peers}) == 1


async def test_a_wrong_password_is_refused_where_none_would_do(doors):
    peer = await Peer.connected(doors.mqtt_port, username="viettel/pgw-1", password=b"guess\xff")

    assert peer.connack.reason_code == ConnAckReasonCode.BAD_USER_NAME_OR_PASSWORD


async def test_a_refusal_fits_into_the_packets_a_client_takes(guarded_doors):
    peer = await Peer.connected(guarded_doors.mqtt_port, max_packet_size=20)

    assert peer.connack.reason_code == ConnAckReasonCode.NOT_AUTHORIZED
    assert peer.connack.reason_str is None


@pytest.mark.skipif(MOSQUITTO_PUB is None, reason="mosquitto-clients is not installed")
async def test_mosquitto_pub_says_that_it_is_not_authorized(guarded_doors):
    process = await asyncio.create_subprocess_exec(
        *(MOSQUITTO_PUB, "-p", str(guarded_doors.mqtt_port), "-V", "mqttv5", "-q", "1"),
        *("-t", TOPIC, "-m", "x"),
        stderr=asyncio.subprocess.PIPE,
    )

    _, said = await process.communicate()

    assert process.returncode != 0
    assert b"authori" in said.lower()


async def test_a_token_lets_its_source_in_and_stands_in_the_journal(guarded_doors):
    await register(guarded_doors)
    peer = await Peer.connected(guarded_doors.mqtt_port, username=NAME, password=TOKEN)

    peer.send(publish(TOPIC, usage_payload(1), 1))

    assert peer.connack.reason_code == ConnAckReasonCode.SUCCESS
    assert (await peer.packet()).reason_code == PubAckReasonCode.SUCCESS
    routes = [route for route in guarded_doors.intake.table.routes if route.source == "pgw-1"]
    assert [route.principal for route in routes] == [NAME]


async def test_a_token_does_not_reach_the_data_of_another_operator(guarded_doors):
    await register(guarded_doors)
    peer = await Peer.connected(guarded_doors.mqtt_port, username=NAME, password=TOKEN)

    peer.send(publish("phusong/v1/mobifone/oss/batch", usage_payload(1), 1))

    answer = await peer.packet()
    assert answer.reason_code == PubAckReasonCode.NOT_AUTHORIZED
    assert [reason for _, reason in guarded_doors.counts.refused] == [answer.reason_str]


async def test_a_source_subscribes_to_the_decisions_of_its_own_operator_only(guarded_doors):
    await register(guarded_doors)
    peer = await Peer.connected(guarded_doors.mqtt_port, username=NAME, password=TOKEN)

    topics = ("phusong/v1/mobifone/decisions", "phusong/v1/viettel/decisions")
    for number, topic in enumerate(topics, 1):
        peer.send(SubscribePacket(number, [TopicFilter(topic)]))

    codes = [(await peer.packet()).reason_codes for _ in topics]
    assert codes == [
        [SubAckReasonCode.NOT_AUTHORIZED],
        [SubAckReasonCode.GRANTED_QOS_AT_LEAST_ONCE],
    ]


async def test_a_revoked_credential_ends_its_connections_and_no_others(guarded_doors):
    await register(guarded_doors)
    peers = {
        name: await Peer.connected(guarded_doors.mqtt_port, username=name, password=token.encode())
        for name, token in TOKENS.items()
    }

    await register(guarded_doors, {"mobifone/oss": TOKENS["mobifone/oss"]})

    goodbye = await peers[NAME].packet()
    assert goodbye.reason_code == DisconnectReasonCode.NOT_AUTHORIZED
    assert await peers[NAME].packet() is None
    peers["mobifone/oss"].send(PingReqPacket())
    assert isinstance(await peers["mobifone/oss"].packet(), PingRespPacket)
    again = await Peer.connected(guarded_doors.mqtt_port, username=NAME, password=TOKEN)
    assert again.connack.reason_code == ConnAckReasonCode.BAD_USER_NAME_OR_PASSWORD


async def test_nobody_ends_the_session_of_another_source_by_its_client_id(guarded_doors):
    await register(guarded_doors)
    first, second = [
        await Peer.connected(
            guarded_doors.mqtt_port, "same", username=name, password=token.encode()
        )
        for name, token in TOKENS.items()
    ]

    for peer in (first, second):
        peer.send(PingReqPacket())
        assert isinstance(await peer.packet(), PingRespPacket)


async def test_a_source_with_too_many_connections_is_told_so(guarded_doors):
    await register(guarded_doors)
    keeper = guarded_doors.doorkeeper
    keeper.limits = replace(keeper.limits, connections_per_source=1)
    fields = {"username": NAME, "password": TOKEN}

    await Peer.connected(guarded_doors.mqtt_port, "a", **fields)
    second = await Peer.connected(guarded_doors.mqtt_port, "b", **fields)

    assert second.connack.reason_code == ConnAckReasonCode.QUOTA_EXCEEDED
    assert "connections_per_source" in second.connack.reason_str
