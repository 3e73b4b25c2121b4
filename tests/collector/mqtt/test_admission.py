"""What an MQTT client is told at the door that may not come in."""

import asyncio
import shutil

import pytest
from batches import TOPIC
from mqtt5 import ConnAckReasonCode
from mqtt_peer import Peer

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
