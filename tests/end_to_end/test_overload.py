"""More than the service takes, and a verifier that falls behind: real processes, real sockets."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import grpc
import pytest
from flood import ROW_COUNT, SEQUENCE_FIRST

from phusong.collector.intake import QUEUE_MAX_BYTES
from phusong.collector.mqtt.greeting import RECEIVE_MAX
from phusong.dashboards.verifier_lag import LAG_MAX_S
from phusong.v1.enforcement_pb2 import Decision, WatchRequest
from phusong.v1.enforcement_pb2_grpc import EnforcementStub
from phusong.v1.ingest_pb2 import Receipt
from phusong.v1.ingest_pb2_grpc import IngestStub
from phusong.v1.telemetry_pb2 import Batch, UsageReading
from running import Served, phusong, serving

pytestmark = pytest.mark.slow

FLOOD = Path(__file__).parents[1] / "flood.py"
MIB = 1 << 20
# Beyond what it holds when idle: the queue, the payloads of calls that wait in it and of those being read, what is on its way
# through a commit (bytes, columns, what SQLite writes), and what the allocator keeps of it. However long the flood lasts.
COLLECTOR_GROWTH_MAX_BYTES = 6 * QUEUE_MAX_BYTES
# Frames of one step, decoded; the flood's SIMs are few and always the same.
VERIFIER_GROWTH_MAX_BYTES = 256 * MIB
WAIT_S = 240


def memory_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) * 1024
    raise AssertionError("a process without memory")


def verifier_pid(served: Served) -> int:
    """The child that runs Python's spawn entry point; the other one only tracks resources."""
    out = subprocess.run(
        ["pgrep", "-P", str(served.process.pid), "-f", "spawn_main"],
        capture_output=True,
        text=True,
        check=True,
    )
    return int(out.stdout.split()[0])


def metric(served: Served, name: str) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{served.http_port}/metrics") as response:
        lines = response.read().decode().splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(name))


def not_ready(served: Served) -> str:
    """Return why the service is not ready, "" when it is."""
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{served.http_port}/-/ready").close()
    except urllib.error.HTTPError as error:
        with error:
            return error.read().decode()
    return ""


def wait_until(holds: Any) -> None:
    end_s = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < end_s
        time.sleep(0.05)


class Watched:
    """The most memory two processes held, over each half of the time they were watched."""

    def __init__(self, served: Served) -> None:
        self.pids = (served.process.pid, verifier_pid(served))
        self.before = [memory_bytes(pid) for pid in self.pids]
        self.samples: list[list[int]] = []
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def growth_bytes(self, process: int) -> int:
        return max(sample[process] for sample in self.samples) - self.before[process]

    def late_growth_bytes(self, process: int) -> int:
        """Return by how much the last third of the samples lies above the third before it."""
        third = len(self.samples) // 3
        middle, last = self.samples[third : 2 * third], self.samples[2 * third :]
        return max(s[process] for s in last) - max(s[process] for s in middle)

    def _run(self) -> None:
        while not self._is_over.wait(0.1):
            self.samples.append([memory_bytes(pid) for pid in self.pids])


@contextmanager
def floods(served: Served, seconds: float, mqtt: int, grpc_senders: int) -> Iterator[list[Any]]:
    """Run the senders; the list gets what they counted when they are done."""
    doors = [("mqtt", served.mqtt_port)] * mqtt + [("grpc", served.grpc_port)] * grpc_senders
    processes = [
        subprocess.Popen(
            [sys.executable, FLOOD, door, str(port), f"flood-{i}", str(seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for i, (door, port) in enumerate(doors)
    ]
    counted: list[Any] = []
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "connected\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        yield counted
        for (door, _), process in zip(doors, processes, strict=True):
            out, _ = process.communicate(timeout=seconds + WAIT_S)
            assert process.returncode == 0
            counted.append((door, json.loads(out)))
    finally:
        for process in processes:
            process.kill()
            process.wait()


def usage(sequence: int, used: int = 1, source: str = "fresh", sims: int = 1) -> Batch:
    batch = Batch(source=source, operator="viettel", boot_epoch=1, sequence=sequence)
    for sim in range(sims):
        batch.usage_readings.append(
            UsageReading(
                subscriber_key=10**6 + sim,
                session="s",
                observed_time_ms=time.time_ns() // 1_000_000,
                downlink_bytes=used,
            )
        )
    return batch


def export(served: Served, batch: Batch) -> Receipt:
    """Send as ingest.proto says: after the stated delay again."""
    with grpc.insecure_channel(f"127.0.0.1:{served.grpc_port}") as channel:
        while True:
            try:
                return IngestStub(channel).Export(batch, timeout=WAIT_S)
            except grpc.RpcError as error:
                if error.code() != grpc.StatusCode.RESOURCE_EXHAUSTED:
                    raise
                time.sleep(0.25)


def tell(figures: str) -> None:
    """Say what was measured; pytest shows it with -rP."""
    sys.stdout.write(f"{figures}\n")


def flood_and_check(data: Path, seconds: float, senders: tuple[int, int]) -> None:
    with serving(data) as served:
        export(served, usage(1))
        wait_until(lambda: not not_ready(served))
        with Watched(served) as watched, floods(served, seconds, *senders) as counted:
            pass
        start_s = time.monotonic()
        fresh = export(served, usage(2))
        fresh_s = time.monotonic() - start_s
        wait_until(lambda: metric(served, "phusong_verifier_lag_frames") == 0)
        assert metric(served, "phusong_collector_queue_bytes") == 0
        assert not_ready(served) == ""
        assert metric(served, "phusong_verifier_starts_total") == 1
        assert served.stop() == 0
    stat = phusong("journal", "stat", "--data", data, "--format", "json").document
    tell(f"fresh receipt after the flood: {fresh_s * 1000:.0f} ms; {counted}")
    for process, name in enumerate(("collector", "verifier")):
        growth, late = watched.growth_bytes(process), watched.late_growth_bytes(process)
        tell(f"{name}: +{growth / MIB:.0f} MiB at most, +{late / MIB:.0f} MiB late")

    # Everything acknowledged is in the journal, once; nothing that was refused is.
    for _, counts in counted:
        assert counts["acknowledged"] == counts["sent"]
    rows = sum(counts["acknowledged"] * ROW_COUNT[door] for door, counts in counted)
    assert stat["taken"] == rows + 2
    assert stat["received"] == stat["taken"]
    assert stat["sequence_gaps"] == sum(senders) * (SEQUENCE_FIRST - 1)
    assert fresh.accepted_count == 1
    # Publishers were held back by the receive maximum or by a service that did not read, callers by a refusal with a delay.
    for door, counts in counted:
        if door == "mqtt":
            assert counts["held_back"] > 0 or counts["unacknowledged_max"] == RECEIVE_MAX
        else:
            assert counts["without_delay"] == 0
    assert sum(counts["held_back"] for door, counts in counted if door == "grpc") > 0
    assert watched.growth_bytes(0) < COLLECTOR_GROWTH_MAX_BYTES
    assert watched.growth_bytes(1) < VERIFIER_GROWTH_MAX_BYTES


def test_a_flood_is_held_back_at_the_doors_and_nothing_acknowledged_is_lost(data: Path) -> None:
    flood_and_check(data, 4, (4, 1))


@pytest.mark.torture
@pytest.mark.timeout(900)
def test_minutes_of_flood_leave_memory_flat(data: Path) -> None:
    flood_and_check(data, float(os.environ.get("PHUSONG_FLOOD_S", "120")), (6, 2))


def test_a_verifier_that_stands_still_holds_nothing_up_and_catches_up(data: Path) -> None:
    """Intake goes on; metrics and readiness tell; afterwards every decision comes, in order."""
    sims = 300
    with serving(data) as served:
        export(served, usage(1, sims=sims))
        wait_until(lambda: metric(served, "phusong_verifier_lag_frames") == 0)
        verifier = verifier_pid(served)
        os.kill(verifier, signal.SIGSTOP)
        try:
            # Each crosses another threshold, in a frame of its own.
            for sequence, percent in enumerate((55, 85, 120), start=2):
                used = 4 * 2**30 * percent // 100
                assert export(served, usage(sequence, used, sims=sims)).accepted_count == sims
            lag = [metric(served, "phusong_verifier_lag_frames")]
            wait_until(lambda: metric(served, "phusong_verifier_lag_seconds") > LAG_MAX_S)
            assert export(served, usage(5, 2**33, sims=sims)).accepted_count == sims
            lag.append(metric(served, "phusong_verifier_lag_frames"))
            reason = not_ready(served)
        finally:
            os.kill(verifier, signal.SIGCONT)
        decisions = watch(served, 4 * sims)
        wait_until(lambda: not not_ready(served))
        wait_until(lambda: metric(served, "phusong_verifier_lag_seconds") == 0)
        assert metric(served, "phusong_verifier_starts_total") == 1
        assert served.stop() == 0

    assert lag == [3, 4]
    assert "verifier" in reason
    assert [decision.position for decision in decisions] == list(range(1, 4 * sims + 1))
    assert len({decision.decision_key for decision in decisions}) == 4 * sims
    thresholds: dict[int, list[int]] = {}
    for decision in decisions:
        thresholds.setdefault(decision.subscriber_key, []).append(decision.threshold_percent)
    assert set(map(tuple, thresholds.values())) == {(50, 80, 100, 100)}


def watch(served: Served, count: int) -> list[Decision]:
    with grpc.insecure_channel(f"127.0.0.1:{served.grpc_port}") as channel:
        stream = EnforcementStub(channel).Watch(WatchRequest(operator="viettel"), timeout=WAIT_S)
        decisions = []
        for decision in stream:
            decisions.append(decision)
            if len(decisions) == count:
                break
        return decisions


@pytest.mark.torture
@pytest.mark.timeout(900)
def test_a_verifier_slower_than_the_doors_never_slows_them(data: Path) -> None:
    """A verifier that runs a tenth of the time, against one that runs: the doors take as much."""
    seconds = 20.0
    taken = {}
    for duty in (1.0, 0.1):
        with serving(data.parent / f"duty-{duty}") as served:
            export(served, usage(1))
            wait_until(lambda: not not_ready(served))
            with Watched(served) as watched, floods(served, seconds, 2, 0) as counted:
                end_s = time.monotonic() + seconds
                while duty < 1 and time.monotonic() < end_s:
                    for signal_number, share in (
                        (signal.SIGSTOP, 1 - duty),
                        (signal.SIGCONT, duty),
                    ):
                        os.kill(watched.pids[1], signal_number)
                        time.sleep(share)
            lag = metric(served, "phusong_verifier_lag_frames")
            wait_until(lambda: metric(served, "phusong_verifier_lag_frames") == 0)
            assert metric(served, "phusong_verifier_starts_total") == 1
            taken[duty] = sum(counts["acknowledged"] for _, counts in counted)
            tell(
                f"duty {duty}: {taken[duty] * ROW_COUNT['mqtt'] / seconds:,.0f} rows/s, lag {lag:.0f} frames"
            )
            assert served.stop() == 0

    # With less of the machine for the verifier there is more for the doors.
    assert taken[0.1] > taken[1.0] / 2
