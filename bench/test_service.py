"""The whole `phusong serve` from a sender's first byte until the verifier has counted the last row in its state.

Counted in state means: on disk, decoded and judged by both processes, metered per SIM and day, tallied. The verifier
says so in /metrics; every row must be taken, none twice.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

ROUND_COUNT = 3
# What a service can do, not what one source may: its account is kept, but is never empty.
UNBOUNDED = {
    "PHUSONG_LIMITS_BYTES_PER_S_PER_SOURCE": str(1 << 50),
    "PHUSONG_LIMITS_PAYLOADS_PER_S_PER_SOURCE": str(1 << 40),
}
MQTT_MESSAGE_COUNT = 2_000_000
GRPC_CALL_COUNT = 4000
GRPC_ROWS = 1000
COUNTED_TIMEOUT_S = 40
POLL_S = 0.02
SAMPLE = re.compile(rb"^phusong_verifier_(\w+)_rows_total\{.*\} (\S+)$", re.MULTILINE)


@contextmanager
def service(folder):
    """Run `phusong serve` on free ports, with an empty journal that goes with it; yield its ready line."""
    command = [str(Path(sys.executable).parent / "phusong"), "serve"]
    command += ["--mqtt-port", "0", "--grpc-port", "0", "--http-port", "0", "--open-loopback"]
    with (
        TemporaryDirectory(dir=folder) as data,
        subprocess.Popen(
            [*command, "--data", data],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=os.environ | UNBOUNDED,
        ) as process,
    ):
        yield json.loads(process.stdout.readline())
        process.send_signal(signal.SIGTERM)


def rows_counted(http_port):
    """Return the verifier's rows by outcome."""
    with urllib.request.urlopen(f"http://127.0.0.1:{http_port}/metrics") as response:
        samples = SAMPLE.findall(response.read())
    counts = {"received": 0, "taken": 0, "duplicate": 0, "refused": 0}
    for outcome, value in samples:
        counts[outcome.decode()] += int(float(value))
    return counts


def seconds_until_counted(http_port, count, times):
    """Return the seconds from a load's first byte until the verifier has all its rows, and until they were receipted."""
    start, receipted_s = times()
    while (counts := rows_counted(http_port))["received"] < count:
        assert time.monotonic() - start < COUNTED_TIMEOUT_S, counts
        time.sleep(POLL_S)
    seconds = time.monotonic() - start
    assert counts == {"received": count, "taken": count, "duplicate": 0, "refused": 0}
    return seconds, receipted_s


def measured(tmp_path, load, name, count, rows):
    """Return the seconds of every round, each with a service and a journal of its own."""
    rounds = []
    for _ in range(ROUND_COUNT):
        with (
            service(tmp_path) as address,
            load(name, address[f"{name}_port"], count) as times,
        ):
            rounds.append(seconds_until_counted(address["http_port"], rows, times))
    counted_s, receipted_s = zip(*rounds, strict=True)
    return counted_s, rows / min(receipted_s)


def test_service_mqtt(report, tmp_path, load):
    seconds, receipted = measured(tmp_path, load, "mqtt", MQTT_MESSAGE_COUNT, MQTT_MESSAGE_COUNT)
    report(
        "doors: 64-byte messages, QoS 1",
        MQTT_MESSAGE_COUNT,
        seconds,
        until="counted in the verifier's state",
        messages=f"{MQTT_MESSAGE_COUNT:,}",
        acknowledged=f"{receipted:,.0f} a second",
    )


def test_service_grpc(report, tmp_path, load):
    rows = GRPC_CALL_COUNT * GRPC_ROWS
    seconds, receipted = measured(tmp_path, load, "grpc", GRPC_CALL_COUNT, rows)
    report(
        "service: gRPC, 1000 rows a batch, durable and counted in state",
        rows,
        seconds,
        until="counted in the verifier's state",
        receipted=f"{receipted:,.0f} a second",
    )
