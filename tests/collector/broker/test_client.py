"""What is reached through aiomqtt's private parts. These fail when a new aiomqtt or paho stops doing it."""

import asyncio

import pytest
from batches import TOPIC
from brokers import Publisher, until

from phusong.collector.broker.client import BrokerClient, BrokerLost
from phusong.collector.broker.options import BrokerOptions


def options(broker, version, **fields):
    return BrokerOptions("127.0.0.1", "reader", broker.port, version, **fields)


def client(broker, version, taken, **fields):
    return BrokerClient(options(broker, version, **fields), None, lambda _, d: taken.append(d))


async def publish(broker, *payloads, qos=1):
    with Publisher(broker.port) as publisher:
        for payload in payloads:
            sent = publisher.publish(TOPIC, payload, qos=qos)
            await asyncio.to_thread(sent.wait_for_publish, 10)


async def test_what_is_not_acknowledged_comes_again_and_what_is_does_not(broker, version):
    first, second = [], []
    async with client(broker, version, first) as reader:
        assert await reader.subscribe(TOPIC) is None
        await publish(broker, b"1", b"2", b"3")
        await until(lambda: len(first) == 3)
        assert reader.unacknowledged_count == 3
        assert reader.acknowledge(first[0].packet_id)

    async with client(broker, version, second) as reader:
        await until(lambda: len(second) == 2)
        assert reader.has_session

    assert [d.payload for d in first] == [b"1", b"2", b"3"]
    assert [d.payload for d in second] == [b"2", b"3"]


async def test_qos_0_needs_no_acknowledgement(broker, version):
    taken = []
    async with client(broker, version, taken) as reader:
        await reader.subscribe(TOPIC)
        await publish(broker, b"1", qos=0)
        await until(lambda: taken)

        assert (taken[0].packet_id, reader.unacknowledged_count) == (0, 0)


async def test_the_broker_waits_for_acknowledgements_at_the_receive_maximum(broker):
    taken = []
    async with client(broker, "5", taken, receive_max=2) as reader:
        await reader.subscribe(TOPIC)
        await publish(broker, b"1", b"2", b"3", b"4")
        await until(lambda: len(taken) == 2)
        await asyncio.sleep(0.05)
        assert len(taken) == 2

        reader.acknowledge(taken[0].packet_id)
        await until(lambda: len(taken) >= 3)  # mosquitto 2.0.11 sends two for the one


async def test_nothing_is_read_while_reading_is_paused(broker, version):
    taken = []
    async with client(broker, version, taken) as reader:
        await reader.subscribe(TOPIC)
        reader.pause()
        await publish(broker, b"1", b"2")
        await asyncio.sleep(0.05)
        assert taken == []

        reader.resume()
        await until(lambda: len(taken) == 2)
        reader.pause()
        reader.resume()
        await publish(broker, b"3")
        await until(lambda: len(taken) == 3)


async def test_a_lost_connection_says_why(broker, version):
    async with client(broker, version, []) as reader:
        reader.pause()
        reader.resume()  # the end is seen by our own reader as well
        await asyncio.sleep(0)
        broker.stop()

        assert "ended" in await reader.lost
        assert not reader.acknowledge(1)


async def test_an_end_from_here_has_its_own_reason(broker, version):
    async with client(broker, version, []) as reader:
        reader.end("no room")

        assert await reader.lost == "no room"


async def test_a_broker_that_is_away_is_said_to_be(broker, version):
    broker.stop()

    with pytest.raises(BrokerLost, match="refused"):
        async with client(broker, version, []):
            pass


async def test_a_host_that_can_be_none_is_said_to_be(broker):
    options = BrokerOptions("." * 70, "reader", broker.port)

    with pytest.raises(BrokerLost):
        async with BrokerClient(options, None, lambda *_: None):
            pass


async def test_a_subscription_does_not_outwait_its_connection(broker, version):
    async with client(broker, version, []) as reader:
        reader.end("no room")

        with pytest.raises(BrokerLost, match="no room"):
            await reader.subscribe(TOPIC)
