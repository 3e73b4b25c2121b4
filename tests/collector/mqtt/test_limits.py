"""Clients that come too often, bring too much, or take their time."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from batches import TOPIC, usage_payload
from brokers import until
from mqtt5 import (
    ConnAckReasonCode,
    ConnectPacket,
    DisconnectReasonCode,
    PingReqPacket,
    PingRespPacket,
)
from mqtt_peer import Peer, publish

from phusong.collector.admission.limits import Limits
from phusong.collector.doors import DoorOptions, Doors
from phusong.collector.mqtt.patience import Patience


@asynccontextmanager
async def doors_with(data, **limits):
    async with Doors(DoorOptions(data, open_loopback=True, limits=Limits(**limits))) as doors:
        try:
            yield doors
        finally:
            while Peer.open_peers:
                Peer.open_peers.pop().close()


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        ({"connections": 2}, ConnAckReasonCode.SERVER_BUSY),
        ({"connections_per_peer": 2}, ConnAckReasonCode.QUOTA_EXCEEDED),
    ],
)
async def test_one_connection_too_many_is_told_why(tmp_path, limits, code):
    async with doors_with(tmp_path, **limits) as doors:
        peers = [await Peer.connected(doors.mqtt_port, f"c{n}") for n in range(3)]

        codes = [peer.connack.reason_code for peer in peers]
        assert codes == [ConnAckReasonCode.SUCCESS] * 2 + [code]
        assert next(iter(limits)) in peers[2].connack.reason_str
        assert await peers[2].packet() is None


async def test_who_connects_too_often_is_told_so(tmp_path):
    async with doors_with(tmp_path, connects_per_s_per_peer=1) as doors:
        peers = await asyncio.gather(*(Peer.connected(doors.mqtt_port, f"c{n}") for n in range(30)))

        codes = [peer.connack.reason_code for peer in peers]
        assert ConnAckReasonCode.SUCCESS in codes
        assert ConnAckReasonCode.CONNECTION_RATE_EXCEEDED in codes


async def test_who_left_makes_room_and_a_crowd_is_bounded(tmp_path):
    async with doors_with(tmp_path, connections=1) as doors:
        first = await Peer.connected(doors.mqtt_port, "first")
        crowd = [await Peer.dial(doors.mqtt_port) for _ in range(100)]  # silent ones
        await asyncio.sleep(0.2)
        assert doors.connection_count <= 1 + 64
        for peer in (first, *crowd):
            peer.close()
        await until(lambda: not doors.connection_count)

        again = await Peer.connected(doors.mqtt_port, "again")
        assert again.connack.reason_code == ConnAckReasonCode.SUCCESS


async def test_a_source_ahead_of_its_rate_is_read_later_and_loses_nothing(tmp_path):
    async with doors_with(tmp_path, payloads_per_s_per_source=40) as doors:
        peer = await Peer.connected(doors.mqtt_port)
        peer.send(*(publish(TOPIC, usage_payload(n), n) for n in range(1, 101)))
        first = [(await peer.packet()).packet_id for _ in range(100)]  # 60 of them on credit
        start_s = asyncio.get_running_loop().time()
        peer.send(*(publish(TOPIC, usage_payload(n), n) for n in range(101, 201)))
        second = [(await peer.packet()).packet_id for _ in range(100)]
        waited_s = asyncio.get_running_loop().time() - start_s

        assert first + second == list(range(1, 201))
        assert doors.doorkeeper.held["mqtt"] > 0
        assert waited_s > 0.5  # less can only be a rate over the limit, however slow the machine


async def test_a_packet_that_trickles_in_is_ended_however_lively_it_is(tmp_path):
    async with doors_with(tmp_path, packet_timeout_s=0.4) as doors:
        peer = await Peer.connected(doors.mqtt_port, keep_alive=60)
        packet = publish(TOPIC, usage_payload(1, rows=40), 1).write()
        peer.send(packet[:10])
        goodbye = asyncio.create_task(peer.packet())
        for byte in packet[10:400]:
            if goodbye.done():
                break
            peer.send(bytes([byte]))
            await asyncio.sleep(0.02)

        assert "not whole" in (await goodbye).reason_str


async def test_whole_packets_cut_at_odd_places_may_go_on_for_ever(tmp_path):
    async with doors_with(tmp_path, packet_timeout_s=0.4) as doors:
        peer = await Peer.connected(doors.mqtt_port, keep_alive=60)
        packets = b"".join(publish(TOPIC, usage_payload(n), n).write() for n in range(1, 31))
        step = len(packets) // 40  # never ends with a packet
        for start in range(0, len(packets), step):
            peer.send(packets[start : start + step])
            await asyncio.sleep(0.03)

        assert [(await peer.packet()).packet_id for _ in range(30)] == list(range(1, 31))


async def test_who_does_not_read_its_answers_is_cut_off(tmp_path):
    async with doors_with(tmp_path, packet_timeout_s=0.4) as doors:
        peer = await Peer.connected(doors.mqtt_port, keep_alive=60)
        (connection,) = doors._mqtt._connections
        connection.pause_writing()  # as the loop says when what is written piles up

        assert "did not read" in (await peer.packet()).reason_str
        await until(lambda: not doors.connection_count)


def test_nobody_is_called_silent_who_is_not_listened_to():
    patience = Patience(10, 60.0, 0.0)

    patience.mark_unread(1.0)
    assert patience.overdue(50.0) is None
    patience.mark_unread(None)
    patience.hold(50.0, is_held=True)
    assert patience.overdue(500.0) is None
    patience.hold(500.0, is_held=False)
    assert patience.overdue(514.0) is None
    assert patience.overdue(515.0).code == DisconnectReasonCode.KEEP_ALIVE_TIMEOUT


@pytest.mark.parametrize(("asked", "imposed"), [(0, 30), (3600, 30), (20, None)])
async def test_a_keep_alive_that_is_too_long_is_replaced(tmp_path, asked, imposed):
    async with doors_with(tmp_path, keep_alive_max_s=30) as doors:
        peer = await Peer.connected(doors.mqtt_port, keep_alive=asked)

        assert peer.connack.server_keep_alive == imposed
        peer.send(PingReqPacket())
        assert isinstance(await peer.packet(), PingRespPacket)


async def test_who_asked_for_no_keep_alive_is_ended_by_the_imposed_one(tmp_path):
    async with doors_with(tmp_path, keep_alive_max_s=1) as doors:
        peer = await Peer.connected(doors.mqtt_port, keep_alive=0)

        assert (await peer.packet()).reason_code == DisconnectReasonCode.KEEP_ALIVE_TIMEOUT


async def test_starts_of_packets_too_long_do_not_pile_up_while_nothing_is_taken(tmp_path):
    """The packet comes in one chunk with CONNECT, before the connection can be held."""
    hello = ConnectPacket(client_id="hasty").write()
    too_long = b"\x32\xff\xff\xff\x7f" + b"x" * 6000
    async with Doors(DoorOptions(tmp_path, open_loopback=True, reserve_bytes=1 << 60)) as doors:
        assert doors.intake.is_full  # for want of room on the disk
        reader, writer = await asyncio.open_connection("127.0.0.1", doors.mqtt_port)
        writer.write(hello + too_long)
        await reader.read()  # CONNACK, DISCONNECT, the end
        writer.close()

        assert doors.counts.queue_payload_count == 0
