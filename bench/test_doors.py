"""The doors against a broker with a subscriber, on the same load by the same publisher; and gRPC batches.

Ours acknowledges after fsync, chain, decode, screens and recognition of repeats; the broker hands a message on, keeps
nothing, and the subscriber counts it. Every rate is of whole runs: from the publisher's first byte until the receiver
has counted the last message, by the one clock of the machine. A run has as many messages as keep its server busy for
a few seconds, since a rate does not depend on their number but its error does; the best of the rounds counts.
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
from tempfile import TemporaryDirectory

import aiomqtt

HERE = Path(__file__).parent
MOSQUITTO = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
TOPICS = "phusong/v1/+/+/batch"
GROUP = "doors: 64-byte messages, QoS 1"
ROUND_COUNT = 3
DOORS_MESSAGE_COUNT = 2_000_000
BROKER_MESSAGE_COUNT = 120_000
AIOMQTT_MESSAGE_COUNT = 20_000
GRPC_CALL_COUNT = 4000
GRPC_ROWS = 1000


@contextlib.contextmanager
def doors(folder):
    """Run the doors in a process of their own, with an empty journal that goes with it.

    Yields their ports and a list that gets what they counted.
    """
    command = [sys.executable, str(HERE / "doors_server.py")]
    with (
        TemporaryDirectory(dir=folder) as data,
        subprocess.Popen([*command, data], stdout=subprocess.PIPE, text=True) as process,
    ):
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


def test_doors(report, tmp_path, load):
    def seconds():
        with (
            doors(tmp_path) as (port, _, counted),
            load("mqtt", port, DOORS_MESSAGE_COUNT) as times,
        ):
            seconds = times()[1]
        assert counted[0] == DOORS_MESSAGE_COUNT, "every message is on disk and accepted once"
        return seconds

    rounds = [seconds() for _ in range(ROUND_COUNT)]
    report(
        GROUP,
        DOORS_MESSAGE_COUNT,
        rounds,
        until="PUBACK after fsync",
        messages=f"{DOORS_MESSAGE_COUNT:,}",
    )


def test_mosquitto_and_mosquitto_sub(report, tmp_path, load):
    def seconds():
        with broker(tmp_path) as port:
            command = ["mosquitto_sub", "-p", str(port), "-V", "mqttv5", "-q", "1", "-t", TOPICS]
            command += ["-C", str(BROKER_MESSAGE_COUNT), "-F", "x"]
            with subprocess.Popen(command, stdout=subprocess.DEVNULL) as subscriber:
                time.sleep(0.5)
                with load("mqtt", port, BROKER_MESSAGE_COUNT) as times:
                    subscriber.wait()
                    end = time.monotonic()
                    return end - times()[0]

    rounds = [seconds() for _ in range(ROUND_COUNT)]
    report(
        GROUP,
        BROKER_MESSAGE_COUNT,
        rounds,
        until="printed by mosquitto_sub; nothing on disk",
        messages=f"{BROKER_MESSAGE_COUNT:,}",
    )


def test_mosquitto_and_aiomqtt(report, tmp_path, load):
    async def count_messages(port):
        async with aiomqtt.Client(
            "127.0.0.1", port, protocol=aiomqtt.ProtocolVersion.V5, max_queued_incoming_messages=0
        ) as client:
            await client.subscribe(TOPICS, qos=1)
            with load("mqtt", port, AIOMQTT_MESSAGE_COUNT) as times:
                count = 0
                async for _ in client.messages:
                    count += 1
                    if count == AIOMQTT_MESSAGE_COUNT:
                        break
                end = time.monotonic()
                return end - times()[0]

    def seconds():
        with broker(tmp_path) as port:
            return asyncio.run(count_messages(port))

    rounds = [seconds() for _ in range(ROUND_COUNT)]
    report(
        GROUP,
        AIOMQTT_MESSAGE_COUNT,
        rounds,
        until="counted by aiomqtt; nothing on disk",
        messages=f"{AIOMQTT_MESSAGE_COUNT:,}",
    )


def test_grpc(report, tmp_path, load):
    """Every batch is another one, with another sequence: none is a repeat."""
    rows = GRPC_CALL_COUNT * GRPC_ROWS

    def seconds():
        with doors(tmp_path) as (_, port, counted), load("grpc", port, GRPC_CALL_COUNT) as times:
            seconds = times()[1]
        assert counted[0] == rows, "every row is on disk and accepted once"
        return seconds

    rounds = [seconds() for _ in range(ROUND_COUNT)]
    report("doors: gRPC, 1000 rows a call", rows, rounds, until="receipt after fsync")


def test_disk(report, tmp_path):
    """What the disk allows: 1 MiB and fsync, over and over."""
    block = bytes(1 << 20)

    def seconds():
        start = time.monotonic()
        with (tmp_path / "block").open("wb", buffering=0) as file:
            for _ in range(100):
                file.write(block)
                os.fdatasync(file.fileno())
        return time.monotonic() - start

    rounds = [seconds() for _ in range(ROUND_COUNT)]
    report("doors: disk, MiB with fdatasync", 100, rounds)
