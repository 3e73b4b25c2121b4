"""An fsync that fails under a running service: Linux has thrown the pages away, so nothing may be promised any more."""

import urllib.error
import urllib.request
from pathlib import Path

import grpc
import pytest

from phusong.v1.ingest_pb2_grpc import IngestStub
from phusong.v1.telemetry_pb2 import Batch, UsageReading
from running import PHUSONG, Served, phusong, serving

pytestmark = pytest.mark.slow

START_MS = 1_638_324_000_000
# The log is synced about once a commit; a few must be acknowledged before.
FAILS_FROM = 12
BATCH_COUNT_MAX = 200


def failing(data: Path, call: str, path: Path) -> list[object]:
    """Return phusong with a call on a file that fails for good from the n-th time on, as a broken disk makes it: EIO."""
    inject = f"inject={call}:error=EIO:when={FAILS_FROM}+"
    quiet = ["-f", "-qq", "--seccomp-bpf", "-o", data.parent / "strace"]
    return ["strace", *quiet, "-P", path, "-e", f"trace={call}", "-e", inject, PHUSONG]


def batch(sequence: int) -> Batch:
    reading = UsageReading(
        subscriber_key=sequence, session="s", observed_time_ms=START_MS, downlink_bytes=1
    )
    return Batch(
        source="pgw", operator="viettel", boot_epoch=1, sequence=sequence, usage_readings=[reading]
    )


def export_until_refused(served: Served) -> tuple[int, list[int]]:
    """Send batches one after another; return the first that was refused and those acknowledged after it."""
    late: list[int] = []
    refused = 0
    with grpc.insecure_channel(f"127.0.0.1:{served.grpc_port}") as channel:
        stub = IngestStub(channel)
        for sequence in range(1, BATCH_COUNT_MAX):
            try:
                stub.Export(batch(sequence), timeout=60)
            except grpc.RpcError:
                refused = refused or sequence
                if sequence >= refused + 5:
                    break
            else:
                late += [sequence] if refused else []
    return refused, late


def ready(served: Served) -> tuple[int, str]:
    """Return what /-/ready says, 0 where nobody answers any more."""
    url = f"http://127.0.0.1:{served.http_port}/-/ready"
    try:
        with urllib.request.urlopen(url, timeout=60) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError:
        return 0, ""


def test_after_a_failed_fsync_nothing_is_acknowledged_and_all_that_was_is_there(data: Path) -> None:
    log = data / "journal" / "segment-00000001.sqlite-wal"
    with serving(data, command=failing(data, "fdatasync", log)) as served:
        refused, late = export_until_refused(served)
        assert refused > 2, "some were acknowledged before"
        assert late == []
        status, reason = ready(served)  # it is on its way out: an answer, or nobody there
        assert status in (0, 503)
        assert status == 0 or "the journal takes nothing more" in reason
        assert served.process.wait(60) == 1
    assert "INJECTED" in (data.parent / "strace").read_text()
    said = (data.parent / f"{data.name}.stderr").read_text()
    assert "the journal takes nothing more" in said
    assert "disk I/O error" in said
    assert "What was acknowledged is on disk" in said

    with serving(data) as served, grpc.insecure_channel(f"127.0.0.1:{served.grpc_port}") as channel:
        receipts = [IngestStub(channel).Export(batch(i)) for i in range(1, refused + 1)]
        assert served.stop() == 0
    assert [receipt.duplicate_count for receipt in receipts[:-1]] == [1] * (refused - 1)
    assert phusong("audit", "verify", data).status == 0
