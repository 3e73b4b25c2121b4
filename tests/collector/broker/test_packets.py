"""The road packet by packet, before a broker of ours that may do what mosquitto never would."""

import asyncio
import random
import threading
from contextlib import asynccontextmanager

from batches import TOPIC, usage_payload
from brokers import free_port, until
from mqtt5 import ConnAckPacket, QoS, SubAckPacket, SubAckReasonCode
from mqtt_peer import Peer, publish

from phusong.collector.broker.client import SESSION_EXPIRY_NEVER
from phusong.collector.broker.options import BATCH_FILTERS, BrokerOptions
from phusong.collector.broker.road import BrokerRoad
from phusong.collector.doors import open_intake


@asynccontextmanager
async def at_the_broker(opened, *, granted=SubAckReasonCode.GRANTED_QOS_AT_LEAST_ONCE, **fields):
    """Yield the road, the broker's end of its connection, its CONNECT and what it subscribed to."""
    port = free_port()
    peers = asyncio.Queue()
    server = await asyncio.start_server(
        lambda reader, writer: peers.put_nowait(Peer(reader, writer)), "127.0.0.1", port
    )
    options = BrokerOptions("127.0.0.1", "collector", port, **fields)
    async with server, BrokerRoad(opened.intake, options) as road:
        peer = await peers.get()
        connect = await peer.packet()
        peer.send(ConnAckPacket(session_present=True))
        filters = []
        for _ in BATCH_FILTERS:
            subscribe = await peer.packet()
            filters += subscribe.topic_filters
            peer.send(SubAckPacket(subscribe.packet_id, [granted]))
        yield road, peer, connect, filters
        peer.close()
    Peer.open_peers.remove(peer)


async def test_the_session_asked_for_outlives_us(tmp_path):
    async with (
        open_intake(tmp_path) as opened,
        at_the_broker(opened, receive_max=7, group="g") as (_, _, connect, filters),
    ):
        assert not connect.clean_start
        assert connect.session_expiry_interval == SESSION_EXPIRY_NEVER
        assert (connect.client_id, connect.receive_max) == ("collector", 7)
        assert [f.pattern for f in filters] == [f"$share/g/{pattern}" for pattern in BATCH_FILTERS]
        assert [f.max_qos for f in filters] == [QoS.AT_LEAST_ONCE] * 2


async def test_acknowledgements_keep_the_order_of_the_messages(tmp_path):
    packet_ids = list(range(1, 301))
    random.Random(3).shuffle(packet_ids)
    async with (
        open_intake(tmp_path) as opened,
        at_the_broker(opened) as (_, peer, _, _),
    ):
        for packet_id in packet_ids:
            peer.send(publish(TOPIC, usage_payload(packet_id), packet_id))
        acknowledged = [(await peer.packet()).packet_id for _ in packet_ids]

    assert acknowledged == packet_ids


async def test_nothing_is_acknowledged_before_it_is_on_disk(tmp_path):
    async with (
        open_intake(tmp_path) as opened,
        at_the_broker(opened) as (road, peer, _, _),
    ):
        append, disk = opened.writer.append, threading.Event()

        def append_slowly(*arguments):
            disk.wait()
            return append(*arguments)

        opened.writer.append = append_slowly
        for number in range(1, 51):
            peer.send(publish(TOPIC, usage_payload(number), number))
        await until(lambda: road.counts.received_count == 50)
        assert road.counts.acknowledged_count == 0
        disk.set()
        acknowledged = [(await peer.packet()).packet_id for _ in range(50)]

    assert acknowledged == list(range(1, 51))


async def test_qos_0_is_no_grant(tmp_path):
    granted = SubAckReasonCode.GRANTED_QOS_AT_MOST_ONCE
    async with (
        open_intake(tmp_path) as opened,
        at_the_broker(opened, granted=granted) as (road, _, _, _),
    ):
        await until(lambda: road.counts.is_connected)

        assert "QoS 1 was asked for" in road.not_ready()
        assert road.counts.refused_subscription_count == len(BATCH_FILTERS)


async def test_a_topic_that_is_not_utf_8_is_kept_as_poison(tmp_path):
    packet = (
        publish("phusong/v1/x/y/bat??", b"payload", 9).write().replace(b"bat??", b"bat\xff\xff")
    )
    async with (
        open_intake(tmp_path) as opened,
        at_the_broker(opened) as (_, peer, _, _),
    ):
        peer.send(packet)

        assert (await peer.packet()).packet_id == 9
        assert {reason for _, reason in opened.intake.counts.refused} == {"BAD_TOPIC"}


async def test_bytes_that_make_no_sense_end_the_connection_and_not_the_road(tmp_path):
    async with (
        open_intake(tmp_path) as opened,
        at_the_broker(opened) as (road, peer, _, _),
    ):
        await until(lambda: road.counts.is_connected)
        peer.send(b"\x32\x02\xff\xff")
        await until(lambda: not road.counts.is_connected)

        assert not road.task.done()
