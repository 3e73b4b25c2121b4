"""Real MQTT clients that do as a correct device: QoS 1, and again until it is acknowledged."""

import asyncio
import logging
import time
from collections import deque
from contextlib import suppress

import aiomqtt
import paho.mqtt.client as paho
from google.protobuf import json_format
from history.record import Entry, Feed, Record
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from phusong.v1.enforcement_pb2 import Decision

HOST = "127.0.0.1"
RETRY_S = 0.1
# What a stalled connection or a killed service may cost a device before it tries another connection.
PATIENCE_S = 8
KEEP_ALIVE_S = 5
IN_FLIGHT_MAX = 16

LOGGER = logging.getLogger("history.mqtt")
LOGGER.setLevel(logging.CRITICAL)  # lost connections are what is being tested


def message(entry: Entry, feed: Feed) -> tuple[str, bytes]:
    """Return topic and payload."""
    topic = f"phusong/v1/{entry.operator}/{feed.device.source}/batch"
    if feed.device.habit.is_json:
        return f"{topic}/json", json_format.MessageToJson(entry.batch, indent=None).encode()
    return topic, entry.batch.SerializeToString()


async def run_aiomqtt(feed: Feed, port: int) -> None:
    """Publish with many in flight; every connection is a new session."""

    async def publish_on(client: aiomqtt.Client) -> None:
        while entry := await feed.take():
            entry.sent_count_max += 1
            is_acknowledged = False
            try:
                await client.publish(*message(entry, feed), qos=1)
                entry.acknowledge()
                is_acknowledged = True
            finally:
                if not is_acknowledged:
                    feed.give_back(entry)

    while not feed.has_ended:
        client = aiomqtt.Client(
            HOST,
            port,
            protocol=aiomqtt.ProtocolVersion.V5,
            identifier=feed.device.operator,
            timeout=PATIENCE_S,
            keepalive=KEEP_ALIVE_S,
            logger=LOGGER,
        )
        try:
            async with client, asyncio.TaskGroup() as workers:
                for _ in range(IN_FLIGHT_MAX):
                    workers.create_task(publish_on(client))
        except* aiomqtt.MqttError:
            await asyncio.sleep(RETRY_S)


async def run_mosquitto_pub(feed: Feed, port: int, version: str) -> None:
    """Run a process for each message: it is acknowledged when the process says so by ending well."""

    async def publish() -> None:
        while True:
            entry = await feed.take()
            if entry is None:
                return
            topic, payload = message(entry, feed)
            entry.sent_count_max += 1
            process = await asyncio.create_subprocess_exec(
                *("mosquitto_pub", "-V", version, "-q", "1", "-h", HOST, "-p", str(port)),
                *("-t", topic, "-s"),
                stdin=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
            )
            try:
                await asyncio.wait_for(process.communicate(payload), PATIENCE_S)
            except TimeoutError:
                process.kill()
                await process.wait()
            if process.returncode == 0:
                entry.acknowledge()
            else:
                feed.give_back(entry)
                await asyncio.sleep(RETRY_S)

    while not feed.has_ended:
        async with asyncio.TaskGroup() as processes:
            for _ in range(2):
                processes.create_task(publish())


class PahoDevice:
    """One paho client for its whole life: it keeps what was not acknowledged, and sends it again itself.

    All its calls come from one thread, so that the order in which it sends is known: what is unacknowledged at each
    connect, then what is new.
    """

    def __init__(self, feed: Feed, version: int) -> None:
        self._feed = feed
        self._waiting: deque[Entry] = deque()
        self._in_flight: dict[int, tuple[int, Entry]] = {}  # by packet id
        self._number = 0
        self._acknowledged: list[int] = []
        self._is_connected = False
        self._is_ending = False
        session = {} if version == paho.MQTTv5 else {"clean_session": False}
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2, feed.device.operator, protocol=version, **session
        )
        self._client.max_inflight_messages_set(IN_FLIGHT_MAX)
        self._client.on_connect = self._on_connect
        self._client.on_publish = self._on_publish

    async def run(self, port: int) -> None:
        self._client.connect_async(HOST, port, KEEP_ALIVE_S)
        turning = asyncio.create_task(asyncio.to_thread(self._turn))
        try:
            while entry := await self._feed.take():
                self._waiting.append(entry)
            while self._waiting or self._in_flight:  # noqa: ASYNC110 - another thread empties them
                await asyncio.sleep(0.02)
        finally:
            self._is_ending = True
            await asyncio.wait([turning])
        await turning

    def _turn(self) -> None:
        """Be the client's thread."""
        while not self._is_ending:
            if self._client.loop(0.005) != paho.MQTT_ERR_SUCCESS:
                self._is_connected = False
                time.sleep(RETRY_S)
                with suppress(OSError):
                    self._client.reconnect()
            while self._is_connected and self._waiting and len(self._in_flight) < IN_FLIGHT_MAX:
                entry = self._waiting.popleft()
                entry.sent_count_max += 1
                self._number += 1
                mid = self._client.publish(*message(entry, self._feed), 1).mid
                self._in_flight[mid] = (self._number, entry)
        self._client.disconnect()

    def _on_connect(self, *_: object) -> None:
        self._is_connected = True
        for _, entry in self._in_flight.values():
            entry.sent_count_max += 1
        self._acknowledged = []
        self._feed.record.ascending.append(
            (f"{self._feed.device.operator}: PUBACKs of a connection", self._acknowledged)
        )

    def _on_publish(self, _client: object, _userdata: object, mid: int, *_: object) -> None:
        number, entry = self._in_flight.pop(mid)
        self._acknowledged.append(number)
        entry.acknowledge()


async def watch_mqtt(operator: str, record: Record, port: int) -> None:
    """Subscribe to decisions until cancelled, each time from the last one seen."""
    seen = record.decisions.setdefault(f"{operator} over MQTT", [])
    options = SubscribeOptions(qos=1)
    while True:
        try:
            async with aiomqtt.Client(
                HOST,
                port,
                protocol=aiomqtt.ProtocolVersion.V5,
                identifier=f"watch-{operator}",
                timeout=PATIENCE_S,
                keepalive=KEEP_ALIVE_S,
                logger=LOGGER,
            ) as client:
                properties = Properties(PacketTypes.SUBSCRIBE)
                after = max((decision.position for decision in seen), default=0)
                properties.UserProperty = ("after_position", str(after))
                topic = f"phusong/v1/{operator}/decisions"
                await client.subscribe(topic, options=options, properties=properties)
                async for received in client.messages:
                    seen.append(Decision.FromString(received.payload))
        except aiomqtt.MqttError:
            await asyncio.sleep(RETRY_S)
