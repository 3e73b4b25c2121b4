"""What a broker's own PUBACK is worth when the broker is killed: the figures of the README, on a real mosquitto.

Nobody is connected, but a persistent session waits, as Phusong's does while it is away.
"""

import asyncio

import paho.mqtt.client as paho
import pytest
from brokers import CAREFUL, Mosquitto, Publisher, until
from paho.mqtt.enums import CallbackAPIVersion

TOPIC = "phusong/v1/viettel/probe-1/batch"
UNSAVED_COUNT_MAX = 5
COUNT = 1_000  # as many as the queue of an absent session holds by default
NOT_DELIVERED_S = 1.0
SAVED_AFTER_S = 5.0  # `autosave_interval 1`, on a slow machine


class Reader:
    """A subscriber with a session that outlives it."""

    def __init__(self, port):
        self.received = set()
        self.is_subscribed = False
        self.client = paho.Client(CallbackAPIVersion.VERSION2, "reader", clean_session=False)
        self.client.on_connect = lambda *_: self.client.subscribe(TOPIC, 1)
        self.client.on_subscribe = self._subscribed
        self.client.on_message = lambda _, __, message: self.received.add(message.payload)
        self.client.connect("127.0.0.1", port)

    def __enter__(self):
        self.client.loop_start()
        return self

    def __exit__(self, *_):
        self.client.disconnect()
        self.client.loop_stop()

    def _subscribed(self, *_):
        self.is_subscribed = True


async def lost_by_a_kill(folder, settings, wait_s=0.0):
    """Return how many of COUNT messages are lost when the broker is killed so long after it acknowledged the last."""
    with Mosquitto(folder, *settings) as broker:
        with Reader(broker.port) as reader:
            await until(lambda: reader.is_subscribed)
        with Publisher(broker.port) as publisher:
            for number in range(COUNT):
                await asyncio.to_thread(publisher.publish, TOPIC, str(number).encode())
            await until(lambda: publisher.acknowledged_count == COUNT, 120)
            await asyncio.sleep(wait_s)
            broker.process.kill()
            broker.process.wait(30)
        broker.start()
        with Reader(broker.port) as reader:
            count = -1
            while count < len(reader.received):
                count = len(reader.received)
                await asyncio.sleep(NOT_DELIVERED_S)
    print(f"{settings}: {COUNT - count} of {COUNT} acknowledged messages lost")  # noqa: T201 - the figure of the README
    return COUNT - count


@pytest.mark.slow
async def test_by_default_a_killed_mosquitto_loses_all_that_it_acknowledged(tmp_path):
    assert await lost_by_a_kill(tmp_path, ()) == COUNT


@pytest.mark.slow
async def test_with_the_settings_of_the_readme_it_loses_nothing_once_it_has_saved(tmp_path):
    """What is younger than the last save is lost: how much depends on when the save fell."""
    assert await lost_by_a_kill(tmp_path, CAREFUL, SAVED_AFTER_S) == 0


@pytest.mark.slow
async def test_a_mosquitto_that_saves_after_changes_loses_the_last_few_at_most(tmp_path):
    """It acknowledges first, and `autosave_interval 1` then means more than one change."""
    settings = (*CAREFUL, "autosave_on_changes true")
    assert await lost_by_a_kill(tmp_path, settings) <= UNSAVED_COUNT_MAX
