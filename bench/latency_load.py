"""Readings at a steady rate over MQTT, some of which use up a SIM's day; and the client that hears the decisions.

Each half is a process of its own and keeps the machine's monotonic clock beside every SIM: the sender when the batch with the
reading that crosses goes into the socket, the listener when the CUT comes out of aiomqtt. So a time holds everything between.
"""

import asyncio
import time
from contextlib import suppress
from multiprocessing.connection import Connection

import aiomqtt
import numpy as np
import uvloop
from grpc_load import BYTES, FORMS, SESSION, RowFields, RowValues, encode_payload_rows
from mqtt5 import ConnectPacket, PublishPacket, QoS, read
from paho.mqtt.subscribeoptions import SubscribeOptions

from phusong.v1.enforcement_pb2 import ACTION_CUT, Decision
from phusong.v1.telemetry_pb2 import Batch, UsageReading

ROWS = 100  # of a batch
TICK_S = 0.01
CONNECTION_COUNT = 4
USUAL_BYTES = 4_000  # of a SIM between two readings: ten seconds of a lesson's text
CROSSING_BYTES = 5 * 2**30
OPERATOR = "viettel"


class Fleet:
    """SIMs that report in turns; the first `crossing` of each tick use up their day."""

    def __init__(self, sim_count: int, clock_start_ms: int) -> None:
        numbers = {name: f.number for name, f in UsageReading.DESCRIPTOR.fields_by_name.items()}
        tags = [numbers[name] << 3 | form for name, form in FORMS.items()]
        self._fields = RowFields(np.array(tags))
        number = Batch.DESCRIPTOR.fields_by_name["usage_readings"].number
        self._row_tag = number << 3 | BYTES
        self._used = np.zeros(sim_count, np.int64)
        self._clock_start_ms = clock_start_ms
        self._next = 0

    def rows(self, count: int, crossing: int, since_start_s: float) -> tuple[np.ndarray, list[int]]:
        """Return the next readings as values of rows, and which SIMs cross by them."""
        sim = (self._next + np.arange(count)) % len(self._used)
        self._next = int(sim[-1]) + 1
        self._used[sim] += USUAL_BYTES
        candidates = sim[self._used[sim] < CROSSING_BYTES][:crossing]
        self._used[candidates] += CROSSING_BYTES
        value = np.empty((count, len(FORMS)), np.int64)
        value[:, 0] = sim + 1
        value[:, 1] = len(SESSION)
        value[:, 2] = self._clock_start_ms + int(since_start_s * 1000)
        value[:, 3] = self._used[sim] // 16
        value[:, 4] = self._used[sim]
        value[:, 5] = 64
        return value, (candidates + 1).tolist()

    def payload(self, value: np.ndarray, sequence: int) -> bytes:
        """Return a batch of some rows."""
        values = RowValues(value, np.ones(value.shape, np.bool_), SESSION)
        encoded, _ = encode_payload_rows(self._fields, values, np.arange(len(value)), self._row_tag)
        return Batch(boot_epoch=1, sequence=sequence).SerializeToString() + encoded.tobytes()


def send(pipe: Connection, port: int, plan: tuple[int, int, int, int, int]) -> None:
    """Send for some seconds; tell when each SIM's crossing went out, and how many were acknowledged in time.

    plan: SIMs, readings a second, crossings a second, seconds, the service's clock at its start.
    """
    pipe.send(uvloop.run(_send(port, *plan)))


async def _send(
    port: int, sim_count: int, rate: int, crossings: int, seconds: int, clock_start_ms: int
) -> dict[str, object]:
    fleet = Fleet(sim_count, clock_start_ms)
    links = [await asyncio.open_connection("127.0.0.1", port) for _ in range(CONNECTION_COUNT)]
    acknowledged = [0] * CONNECTION_COUNT
    for number, (reader, writer) in enumerate(links):
        writer.write(ConnectPacket(f"latency-{number}", clean_start=True).write())
        received = b""
        while not received:
            received = await reader.read(4096)
        read(memoryview(received))

    async def count(number: int) -> None:
        reader = links[number][0]
        while data := await reader.read(1 << 16):
            acknowledged[number] += len(data)

    counting = [asyncio.create_task(count(number)) for number in range(CONNECTION_COUNT)]
    per_tick = round(rate * TICK_S)
    crossing_of_tick = np.diff(np.arange(int(seconds / TICK_S) + 1) * crossings * TICK_S // 1)
    sent_s: dict[int, float] = {}
    late_s = 0.0
    packet_count, began_s = 0, time.monotonic()
    for tick, crossing in enumerate(crossing_of_tick.astype(int).tolist()):
        wait_s = began_s + tick * TICK_S - time.monotonic()
        late_s = max(late_s, -wait_s)
        await asyncio.sleep(max(wait_s, 0))
        value, crossed = fleet.rows(per_tick, crossing, time.monotonic() - began_s)
        is_crossing = set(crossed)
        for first in range(0, per_tick, ROWS):
            number = packet_count % CONNECTION_COUNT
            packet_count += 1
            rows = value[first : first + ROWS]
            payload = fleet.payload(rows, packet_count)
            packet = PublishPacket(
                f"phusong/v1/{OPERATOR}/pgw-{number}/batch",
                payload,
                qos=QoS.AT_LEAST_ONCE,
                packet_id=packet_count // CONNECTION_COUNT % 65535 + 1,
            )
            now_s = time.monotonic()
            links[number][1].write(packet.write())
            sent_s.update(dict.fromkeys(is_crossing.intersection(rows[:, 0].tolist()), now_s))
    lasted_s = time.monotonic() - began_s
    await asyncio.sleep(1)
    for task in counting:
        task.cancel()
    return {
        "sent_s": sent_s,
        "began_s": began_s,
        "rate": packet_count * ROWS / lasted_s,
        "late_s": late_s,
        "acknowledged_share": sum(acknowledged) / 4 / packet_count,
    }


def listen(pipe: Connection, port: int) -> None:
    """Subscribe with QoS 1; when told to stop, tell when each SIM's cut was heard, and how long the verifier took."""
    pipe.send(uvloop.run(_listen(pipe, port)))


async def _listen(pipe: Connection, port: int) -> dict[str, object]:
    heard_s: dict[int, float] = {}
    decided_ms: dict[int, int] = {}
    decision = Decision()
    async with aiomqtt.Client(
        "127.0.0.1",
        port,
        protocol=aiomqtt.ProtocolVersion.V5,
        identifier="enforcement",
        username=OPERATOR,
    ) as client:
        topic = f"phusong/v1/{OPERATOR}/decisions"
        await client.subscribe(topic, options=SubscribeOptions(qos=1))
        pipe.send("listening")
        stop = asyncio.get_running_loop().run_in_executor(None, pipe.recv)

        async def hear() -> None:
            async for message in client.messages:
                now_s = time.monotonic()
                decision.ParseFromString(message.payload)
                if decision.action == ACTION_CUT:
                    heard_s.setdefault(decision.subscriber_key, now_s)
                    took_ms = decision.decided_time_ms - decision.arrived_time_ms
                    decided_ms[decision.subscriber_key] = took_ms

        hearing = asyncio.create_task(hear())
        await stop
        hearing.cancel()
        with suppress(asyncio.CancelledError):
            await hearing
    return {"heard_s": heard_s, "decided_ms": decided_ms}
