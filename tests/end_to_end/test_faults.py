"""What goes wrong in the world, and how the service says so and goes on."""

import os
import signal
import sqlite3
import subprocess
import threading
import time
import urllib.request
from pathlib import Path

import grpc
import pytest

from phusong.v1.enforcement_pb2 import Decision, WatchRequest
from phusong.v1.enforcement_pb2_grpc import EnforcementStub
from phusong.v1.ingest_pb2 import Receipt
from phusong.v1.ingest_pb2_grpc import IngestStub
from phusong.v1.telemetry_pb2 import Batch, UsageReading
from phusong.verifier.snapshot import NAME
from running import PHUSONG, Served, phusong, serving

pytestmark = pytest.mark.slow

START = "2021-12-01T09:00:00+07:00"
START_MS = 1_638_324_000_000
PORTS = ("--mqtt-port", 0, "--grpc-port", 0, "--http-port", 0)
JUDGED_TIMEOUT_S = 120  # kernels may have to be compiled first


def usage_batch(sequence: int, used: int, sims: range) -> Batch:
    batch = Batch(source="pgw", operator="viettel", boot_epoch=1, sequence=sequence)
    for sim in sims:
        batch.usage_readings.append(
            UsageReading(
                subscriber_key=sim, session="s", observed_time_ms=START_MS, downlink_bytes=used
            )
        )
    return batch


def export(served: Served, batch: Batch) -> Receipt:
    with grpc.insecure_channel(f"127.0.0.1:{served.grpc_port}") as channel:
        return IngestStub(channel).Export(batch)


def scrape(served: Served, name: str) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{served.http_port}/metrics") as response:
        lines = response.read().decode().splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(name))


def wait_for(served: Served, name: str, value: float) -> None:
    for _ in range(JUDGED_TIMEOUT_S * 10):
        if scrape(served, name) >= value:
            return
        time.sleep(0.1)
    raise AssertionError(f"{name} did not reach {value}")


def verifier_pid(served: Served) -> int:
    """The child that runs Python's spawn entry point; the other one only tracks resources."""
    out = subprocess.run(
        ["pgrep", "-P", str(served.process.pid), "-f", "spawn_main"],
        capture_output=True,
        text=True,
        check=True,
    )
    return int(out.stdout.split()[0])


def test_thousands_of_sims_that_cross_at_once_are_all_decided_and_nothing_dies(data: Path) -> None:
    sims = range(1, 3001)
    decisions: list[Decision] = []
    with serving(data, "--clock-start", START) as served:
        export(served, usage_batch(1, 5 * 2**30, sims))
        with grpc.insecure_channel(f"127.0.0.1:{served.grpc_port}") as channel:
            stream = EnforcementStub(channel).Watch(WatchRequest(operator="viettel"))
            timer = threading.Timer(JUDGED_TIMEOUT_S, stream.cancel)
            timer.start()
            for decision in stream:
                decisions.append(decision)
                if len(decisions) == 4 * len(sims):
                    break
            timer.cancel()
        starts = scrape(served, "phusong_verifier_starts_total")
        assert served.stop() == 0

    assert starts == 1
    assert len({decision.decision_key for decision in decisions}) == 4 * len(sims)
    assert [decision.position for decision in decisions] == list(range(1, 4 * len(sims) + 1))
    assert {decision.subscriber_key for decision in decisions} == set(sims)


def test_a_killed_verifier_is_started_again_and_counts_on(data: Path) -> None:
    with serving(data, "--clock-start", START) as served:
        export(served, usage_batch(1, 10, range(1, 5)))
        wait_for(served, "phusong_verifier_taken_rows_total", 4)
        os.kill(verifier_pid(served), signal.SIGKILL)
        receipt = export(served, usage_batch(2, 20, range(1, 5)))
        wait_for(served, "phusong_verifier_starts_total", 2)
        wait_for(served, "phusong_verifier_taken_rows_total", 8)
        assert served.stop() == 0

    assert receipt.accepted_count == 4
    ran = phusong("quota", "--data", data, "--day", "2021-12-01", "--format", "json")
    assert {row["used_bytes"] for row in ran.document["sims"]} == {20}


def test_a_damaged_journal_is_named_and_nothing_starts_on_it(data: Path) -> None:
    with serving(data, "--clock-start", START) as served:
        for sequence in range(1, 4):
            export(served, usage_batch(sequence, sequence, range(1, 3)))
        assert served.stop() == 0
    (segment,) = (data / "journal").glob("segment-*.sqlite")
    database = sqlite3.connect(segment)
    database.execute("UPDATE frame SET body = zeroblob(length(body)) WHERE sequence = 2")
    database.commit()
    database.close()

    served_again = phusong("serve", "--data", data, *PORTS, status=1)
    (data / "snapshot" / NAME).unlink()
    asked = phusong("quota", "--data", data, "--day", "2021-12-01", status=1)

    for ran in (served_again, asked):
        assert "sequence 2" in ran.err
        assert "Traceback" not in ran.err


def test_a_snapshot_beyond_the_journals_end_is_an_alarm(data: Path) -> None:
    with serving(data, "--clock-start", START) as served:
        export(served, usage_batch(1, 10, range(1, 5)))
        wait_for(served, "phusong_verifier_taken_rows_total", 4)
        assert served.stop() == 0
    (segment,) = (data / "journal").glob("segment-*.sqlite")
    database = sqlite3.connect(segment)
    database.execute("DELETE FROM frame")
    database.commit()
    database.close()

    ran = phusong("quota", "--data", data, "--day", "2021-12-01", status=1)

    assert "a snapshot was made there" in ran.err


def test_a_journal_from_the_future_is_refused(data: Path) -> None:
    with serving(data, "--clock-start", "2031-01-01T00:00:00Z") as served:
        export(served, usage_batch(1, 10, range(1, 3)))
        assert served.stop() == 0

    ran = phusong("serve", "--data", data, *PORTS, status=1)

    assert "2031-01-01" in ran.err
    assert "clock" in ran.err


def test_an_early_sigterm_ends_well(data: Path) -> None:
    process = subprocess.Popen(
        [PHUSONG, "serve", "--data", data, *map(str, PORTS)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(1)
    process.send_signal(signal.SIGTERM)

    out, _ = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, b"")


def test_a_full_disk_costs_a_cache_and_not_the_answer(data: Path) -> None:
    file = data / "usage.csv"
    rows = "".join(f"7,s,2021-12-01T09:{n % 60:02d}:00+07:00,0,{n}\n" for n in range(200))
    file.write_text("subscriber_key,session,observed_time_ms,uplink_bytes,downlink_bytes\n" + rows)
    phusong("import", file, "--format", "csv", "--operator", "viettel", "--data", data)
    # A file where the folder of snapshots would be: writing there fails as on a full disk.
    (data / "snapshot").write_text("")

    ran = phusong("quota", "--data", data, "--day", "2021-12-01", "--format", "json")

    assert ran.document["sims"][0]["used_bytes"] == 199
