"""A journal with a hole: new data is taken, no figure is made over the hole, and everybody is told."""

import shutil
import urllib.error
import urllib.request
from pathlib import Path

import grpc
import pytest
from journals import segmented_journal

from phusong.collector.memory import CACHE_NAME
from phusong.v1.ingest_pb2_grpc import IngestStub
from phusong.v1.telemetry_pb2 import Batch, UsageReading
from running import Served, phusong, serving

pytestmark = pytest.mark.slow
TIME_MS = 1_633_046_400_000


def export(served: Served, sequence: int) -> int:
    batch = Batch(source="pgw-1", operator="viettel", boot_epoch=1, sequence=sequence)
    batch.usage_readings.append(UsageReading(subscriber_key=1000, observed_time_ms=TIME_MS))
    with grpc.insecure_channel(f"127.0.0.1:{served.grpc_port}") as channel:
        return IngestStub(channel).Export(batch).accepted_count


def page(served: Served, path: str) -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{served.http_port}{path}") as response:
            return response.read().decode()
    except urllib.error.HTTPError as answer:
        return answer.read().decode()


def received(data: Path) -> int:
    return phusong("journal", "stat", "--data", data, "--format", "json").document["received"]


@pytest.mark.parametrize("has_snapshot", [True, False])
def test_new_data_is_taken_beside_a_hole_and_no_figure_is_made_over_it(
    data: Path, has_snapshot: bool
) -> None:
    segmented_journal(data, 3)
    (data / "journal" / CACHE_NAME).unlink()  # what counts is what the service leaves behind
    with serving(data) as served:
        assert served.stop() == 0
    if not has_snapshot:
        shutil.rmtree(data / "snapshot")
    hole = data / "journal" / "segment-00000001.sqlite.zst"
    content = hole.read_bytes()
    hole.write_bytes(content[:100] + bytes([content[100] ^ 1]) + content[101:])

    with serving(data) as served:
        assert export(served, 4) == 1
        assert export(served, 1) == 0  # what was seen is remembered
        metrics = page(served, "/metrics")
        ready = page(served, "/-/ready")
        assert served.stop() == 0

    assert "phusong_journal_damaged_segments 1.0" in metrics
    assert "segment 1, sequence 1 to 1: segment-00000001.sqlite.zst is not the file" in ready
    stat = phusong("journal", "stat", "--data", data, status=1)
    assert "damaged: segment 1, sequence 1 to 1" in stat.err
    quota = phusong("quota", "--data", data, "--day", "2021-10-01", status=0 if has_snapshot else 1)
    if not has_snapshot:
        assert "damaged at segment-00000001.sqlite.zst" in quota.err
    quarantine = phusong("journal", "quarantine", "--data", data, status=1)
    assert "damaged at segment-00000001.sqlite.zst" in quarantine.err
    assert "Traceback" not in quarantine.err

    phusong("journal", "isolate", "1", "--data", data)
    assert "isolated on" in phusong("journal", "stat", "--data", data, status=1).err
    audited = phusong("audit", "verify", data, status=1)
    assert "damaged: segment 1, sequence 1 to " in audited.out
    assert "phusong journal restore FILE" in audited.err
    command = ("quota", "--data", data, "--day", "2021-10-01")
    told = phusong(*command, status=0 if has_snapshot else 1).err
    assert "segment 1, sequence 1 to " in told
    assert ("come from a snapshot made before" in told) == has_snapshot
    copy = data / "segment-00000001.sqlite.zst"
    copy.write_bytes(content)
    assert "sequence 1 to 1" in phusong("journal", "restore", copy, "--data", data).out
    assert received(data) == 8
    phusong("audit", "verify", data)


def test_without_its_memory_the_service_does_not_forget_what_lies_in_the_hole(data: Path) -> None:
    segmented_journal(data, 3)
    (data / "journal" / "collector-memory.cache").unlink()
    (data / "journal" / "segment-00000002.sqlite.zst").unlink()

    ran = phusong(
        *("serve", "--data", data, "--mqtt-port", 0, "--grpc-port", 0, "--http-port", 0), status=1
    )

    assert "sequence 2 to 2 are missing" in ran.err
