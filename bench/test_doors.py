"""The doors against a broker with a subscriber, on the same load by the same publisher; and gRPC batches.

Ours acknowledges after fsync, chain, decode, screens and recognition of repeats; the broker hands a message on and
the subscriber counts it. Rates are messages (or rows) a second over the whole run.
"""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import aiomqtt
import grpc
import pytest
import uvloop

from phusong.v1.telemetry_pb2 import Batch, UsageReading

HERE = Path(__file__).parent
MOSQUITTO = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
TOPICS = "phusong/v1/+/+/batch"
DOORS_MESSAGE_COUNT = 1_200_000
BROKER_MESSAGE_COUNT = 120_000
AIOMQTT_MESSAGE_COUNT = 20_000
GRPC_CALL_COUNT = 4000
GRPC_IN_FLIGHT = 64
GRPC_ROWS = 1000


@contextlib.contextmanager
def doors(folder):
    """Run the doors in a process of their own; yield their ports and a list that gets what they counted."""
    command = [sys.executable, str(HERE / "doors_server.py"), str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        counted = []
        yield (*json.loads(process.stdout.readline()), counted)
        process.send_signal(signal.SIGTERM)
        counted += json.loads(process.stdout.readline())


@contextlib.contextmanager
def broker(folder):
    """Run mosquitto without limits on what may be in flight; yield its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = folder / "mosquitto.conf"
    config.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n"
        "max_inflight_messages 0\nmax_queued_messages 0\nset_tcp_nodelay true\n"
    )
    with subprocess.Popen([MOSQUITTO, "-c", str(config)], stderr=subprocess.DEVNULL) as process:
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.05)
        yield port
        process.terminate()


def publish(port, count):
    """Let the publisher send everything; return when it started by this process' clock."""
    command = [sys.executable, str(HERE / "mqtt_load.py"), str(port), str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def report(benchmark, group, count, seconds):
    """Hand the measured seconds to pytest-benchmark as one round."""
    benchmark.group = group
    benchmark.extra_info["rows"] = count
    benchmark.extra_info["rate"] = round(count / seconds)
    benchmark.pedantic(lambda: None, rounds=1)
    benchmark.stats.stats.data[:] = [seconds]
    print(f"\n{benchmark.name}: {count / seconds:,.0f} a second")


def test_doors(benchmark, tmp_path):
    with (
        doors(tmp_path) as (port, _, counted),
        publish(port, DOORS_MESSAGE_COUNT) as publisher,
    ):
        seconds = float(publisher.stdout.read())
    assert counted[0] == DOORS_MESSAGE_COUNT, "every message is on disk and accepted once"
    report(benchmark, "doors: 64-byte messages, QoS 1", DOORS_MESSAGE_COUNT, seconds)


def test_mosquitto_and_mosquitto_sub(benchmark, tmp_path):
    with broker(tmp_path) as port:
        command = ["mosquitto_sub", "-p", str(port), "-V", "mqttv5", "-q", "1", "-t", TOPICS]
        command += ["-C", str(BROKER_MESSAGE_COUNT), "-F", "x"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as subscriber:
            time.sleep(0.5)
            with publish(port, BROKER_MESSAGE_COUNT) as publisher:
                published_s = float(publisher.stdout.readline())
                end = time.perf_counter()
            subscriber.wait()
            behind_s = time.perf_counter() - end
    report(
        benchmark, "doors: 64-byte messages, QoS 1", BROKER_MESSAGE_COUNT, published_s + behind_s
    )


def test_mosquitto_and_aiomqtt(benchmark, tmp_path):
    async def subscribe(port):
        async with aiomqtt.Client(
            "127.0.0.1", port, protocol=aiomqtt.ProtocolVersion.V5, max_queued_incoming_messages=0
        ) as client:
            await client.subscribe(TOPICS, qos=1)
            publisher = publish(port, AIOMQTT_MESSAGE_COUNT)
            count = 0
            start = 0.0
            async for _ in client.messages:
                start = start or time.perf_counter()
                count += 1
                if count == AIOMQTT_MESSAGE_COUNT:
                    break
            seconds = time.perf_counter() - start
            with publisher:
                publisher.stdout.read()
            return seconds

    with broker(tmp_path) as port:
        seconds = asyncio.run(subscribe(port))
    report(benchmark, "doors: 64-byte messages, QoS 1", AIOMQTT_MESSAGE_COUNT, seconds)


def grpc_batch(sequence):
    rows = [
        UsageReading(
            subscriber_key=row + 1,
            session="0123456789abcdef",
            observed_time_ms=1_633_046_400_000 + sequence,
            uplink_bytes=sequence,
            downlink_bytes=sequence << 10,
            counter_width_bits=64,
        )
        for row in range(GRPC_ROWS)
    ]
    return Batch(
        source="oss", operator="viettel", sequence=sequence, usage_readings=rows
    ).SerializeToString()


@pytest.mark.parametrize("in_flight", [GRPC_IN_FLIGHT])
def test_grpc(benchmark, tmp_path, in_flight):
    payloads = [grpc_batch(sequence) for sequence in range(1, 201)]

    async def export(port):
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            call = channel.unary_unary("/phusong.v1.Ingest/Export")
            numbers = iter(range(GRPC_CALL_COUNT))

            async def send():
                for number in numbers:
                    await call(payloads[number % len(payloads)])

            start = time.perf_counter()
            await asyncio.gather(*(send() for _ in range(in_flight)))
            return time.perf_counter() - start

    with doors(tmp_path) as (_, port, _):
        seconds = uvloop.run(export(port))
    report(benchmark, "doors: gRPC, 1000 rows a call", GRPC_CALL_COUNT * GRPC_ROWS, seconds)


def test_disk(benchmark, tmp_path):
    """What the disk allows: 1 MiB and fsync, over and over."""
    block = bytes(1 << 20)
    start = time.perf_counter()
    with (tmp_path / "block").open("wb", buffering=0) as file:
        for _ in range(100):
            file.write(block)
            os.fdatasync(file.fileno())
    report(benchmark, "doors: disk, MiB with fdatasync", 100, time.perf_counter() - start)
