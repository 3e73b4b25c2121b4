"""Decisions of a real service: told at least once whatever dies, followed to their effect, and shown by the command."""

import signal
import sys
import threading
from collections import Counter
from contextlib import suppress
from pathlib import Path

import grpc
import pytest
from faults import kill_at
from history.journal import read_envelopes

from phusong.v1.enforcement_pb2 import AcknowledgeRequest, Decision, WatchRequest
from phusong.v1.enforcement_pb2_grpc import EnforcementStub
from phusong.v1.ingest_pb2_grpc import IngestStub
from phusong.v1.journal_pb2 import PayloadKind
from phusong.v1.telemetry_pb2 import Batch
from running import Served, phusong, serving

CLOCK = ("--clock-start", "2021-10-01T12:00:00+07:00")
NOON_MS = 1_633_064_400_000
GIB = 2**30
PATIENCE_S = 60
SIM_THROTTLED = 2**64 - 1
STEPS = ("NOTIFY/50", "NOTIFY/80", "NOTIFY/100", "CUT/1")


class Point:
    """An enforcement point and a core network in one, over gRPC."""

    def __init__(self, served: Served) -> None:
        self.channel = grpc.insecure_channel(f"127.0.0.1:{served.grpc_port}")
        self.heard: list[Decision] = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.channel.close()

    def report(self, sim: int, seconds: int, used_bytes: int, operator: str = "viettel") -> None:
        """Send the counter of a SIM as it stands so many seconds after noon."""
        batch = Batch(operator=operator, source="pgw")
        batch.usage_readings.add(
            subscriber_key=sim,
            session="s",
            observed_time_ms=NOON_MS + 1000 * seconds,
            downlink_bytes=used_bytes,
        )
        IngestStub(self.channel).Export(batch, timeout=PATIENCE_S)

    def watch(self, count: int, operator: str = "viettel") -> list[Decision]:
        """Return the first decisions there are."""
        request = WatchRequest(operator=operator, after_position=0)
        watch = EnforcementStub(self.channel).Watch(request, timeout=PATIENCE_S)
        return [next(watch) for _ in range(count)]

    def acknowledge(self, decisions: list[Decision], operator: str = "viettel") -> int:
        keys = [decision.decision_key for decision in decisions]
        request = AcknowledgeRequest(operator=operator, decision_keys=keys)
        answer = EnforcementStub(self.channel).Acknowledge(request, timeout=PATIENCE_S)
        return int(answer.acknowledged_count)


def keys_of(sim: int) -> list[str]:
    return [f"2021-10-01/{sim}/ACTION_{step}" for step in STEPS]


def shown(data: Path, *arguments: object, status: int = 0) -> dict[str, dict[str, object]]:
    """Return what `phusong decisions` says, by key."""
    command = ("decisions", "--data", data, "--since", "2021-10-01", "--as-of", "2021-10-01")
    ran = phusong(*command, "--format", "json", *arguments, status=status)
    return {line["decision_key"]: line for line in ran.document["decisions"]}


def live_and_die(data: Path, sim: int) -> None:
    """Let a SIM use up its day in a service that dies on the way of the decision; what it told is acknowledged."""
    command = (sys.executable, kill_at.__file__)
    with serving(data, *CLOCK, command=command) as served, Point(served) as point:
        acting = threading.Thread(target=act, args=(point, keys_of(sim)[-1]))
        acting.start()
        point.report(sim, 1, 5 * GIB)
        assert served.process.wait(PATIENCE_S) == -signal.SIGKILL
        acting.join()


def act(point: Point, key: str) -> None:
    """Acknowledge a decision when it comes."""
    request = WatchRequest(operator="viettel")
    with suppress(grpc.RpcError):
        for decision in EnforcementStub(point.channel).Watch(request, timeout=PATIENCE_S):
            if decision.decision_key == key:
                point.acknowledge([decision])


@pytest.mark.slow
@pytest.mark.timeout(900)  # six starts: a quarter of a minute on a quiet machine
def test_a_decision_survives_kill_9_at_any_point_and_is_told_under_one_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    sims = dict(enumerate(kill_at.POINTS, start=1))
    for sim, where in sims.items():
        monkeypatch.setenv("KILL_AT", where)
        monkeypatch.setenv("KILL_SIM", str(sim))
        live_and_die(data, sim)

    expected = {key for sim in sims for key in keys_of(sim)}
    # Of the last point surely, and of others where the answer was quicker than what the service died of.
    already = {
        key
        for envelope in read_envelopes(data / "journal")
        if envelope.kind == PayloadKind.PAYLOAD_KIND_ACKNOWLEDGEMENT
        for key in AcknowledgeRequest.FromString(envelope.payload).decision_keys
    }
    assert keys_of(len(sims))[-1] in already
    with serving(data, *CLOCK) as served, Point(served) as point:
        told = point.watch(len(expected))

        assert {decision.decision_key for decision in told} == expected
        assert [d.position for d in told] == list(range(1, len(expected) + 1))
        assert point.acknowledge(told) == len(expected) - len(already)
        assert point.acknowledge(told) == 0
        served.stop()

    journalled = Counter(
        Decision.FromString(envelope.payload).decision_key
        for envelope in read_envelopes(data / "journal")
        if envelope.kind == PayloadKind.PAYLOAD_KIND_DECISION
    )
    assert journalled == dict.fromkeys(expected, 1)
    lines = shown(data)
    assert {line["state"] for line in lines.values()} == {"ACKNOWLEDGED"}
    # Whoever was told before the kill was told once more: it was not noted.
    assert lines[keys_of(4)[0]]["sent_count"] >= 1
    phusong("audit", "verify", data)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_decisions_are_followed_to_their_effect(tmp_path: Path) -> None:
    data = tmp_path / "data"
    operators = tmp_path / "operators.csv"
    operators.write_text("operator,after_quota,throttle_kbit_s\nmobifone,throttle,512\n")
    with serving(data, *CLOCK) as served, Point(served) as point:
        phusong("registry", "add", "operators", operators, "--data", data)
        for sim in (1, 2, 3):
            point.report(sim, 1, 5 * GIB)
        point.report(SIM_THROTTLED, 1, 5 * GIB, "mobifone")
        told = point.watch(12)
        throttled = point.watch(4, "mobifone")
        point.acknowledge([d for d in told if d.subscriber_key != 3])
        point.acknowledge(throttled, "mobifone")
        for number in range(1, 4):
            point.report(1, 60 * number, 5 * GIB)
            point.report(2, 60 * number, 5 * GIB + number * GIB)
            point.report(
                SIM_THROTTLED, 60 * number, 5 * GIB + number * 512_000 // 8 * 60, "mobifone"
            )
        served.stop()

    assert [d.throttle_bits_per_s for d in throttled] == [0, 0, 0, 512_000]
    assert all(d.arrived_time_ms and d.decided_time_ms >= d.arrived_time_ms for d in told)
    lines = shown(data, status=3)
    cuts = {sim: lines[keys_of(sim)[-1]] for sim in (1, 2, 3)}
    assert [cut["state"] for cut in cuts.values()] == ["VERIFIED", "ENFORCEMENT_FAILED", "SENT"]
    assert [cut["leaked_bytes"] for cut in cuts.values()] == [0, 2 * GIB, 0]
    assert [cut["is_overdue"] for cut in cuts.values()] == [False, True, True]
    assert cuts[1]["overshoot_bytes"] == GIB
    throttle = lines[f"2021-10-01/{SIM_THROTTLED}/ACTION_THROTTLE/1"]
    assert (throttle["state"], throttle["action"]) == ("VERIFIED", "THROTTLE")
    only = shown(data, "--state", "verified", "--operator", "viettel")
    assert list(only) == [keys_of(1)[-1]]
    table = phusong("decisions", "--data", data, "--as-of", "2021-10-01", status=3).out
    assert "ENFORCEMENT_FAILED !" in table
    lines_of_csv = phusong(
        *("decisions", "--data", data, "--as-of", "2021-10-01", "--format", "csv"), status=3
    ).out.splitlines()
    assert len(lines_of_csv) == 1 + 16
    # As it stood before anybody acknowledged.
    assert not shown(data, "--known-at", "2021-10-01T11:00+07:00")
    phusong("audit", "verify", data)
