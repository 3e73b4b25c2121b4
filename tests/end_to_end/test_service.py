"""A running service, met by real clients."""

import json
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

import grpc
import pytest
from prometheus_client.parser import text_string_to_metric_families

from phusong.v1.ingest_pb2_grpc import IngestStub
from phusong.v1.telemetry_pb2 import Batch, UsageReading
from running import Served, phusong, serving

pytestmark = pytest.mark.slow

# A weekday morning: readings of the night are kept and not judged.
START = "2021-12-01T09:00:00+07:00"
START_MS = 1_638_324_000_000
SITES = (
    "site_code,name,province_code,list,operators,part,latitude_deg,longitude_deg,radius_m\n"
    "HG-1,Bản Máy,02,283,viettel,centre,22.8000,104.9800,150\n"
)


def reading(**fields: Any) -> dict[str, Any]:
    return {
        "deviceKey": "77",
        "observedTimeMs": str(START_MS),
        "latitudeDeg": 22.8,
        "longitudeDeg": 104.98,
        "positionAccuracyM": 8,
        "rat": "RAT_LTE",
        "simPlmn": "45204",
        "servingPlmn": "45204",
        "rsrpDbm": -97,
    } | fields


def publish(served: Served, topic: str, payload: bytes) -> None:
    subprocess.run(
        [
            *("mosquitto_pub", "-V", "mqttv5", "-q", "1", "-p", str(served.mqtt_port)),
            *("-t", topic, "-s"),
        ],
        input=payload,
        check=True,
        timeout=30,
    )


def metrics(served: Served) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{served.http_port}/metrics") as response:
        text = response.read().decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def wait_until_judged(served: Served) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Return the metrics once everything that is in the journal is judged."""
    for _ in range(1200):  # kernels may have to be compiled first
        found = metrics(served)
        nothing: frozenset[tuple[str, str]] = frozenset()
        if found["phusong_verifier_lag_frames", nothing] == 0:
            return found
        time.sleep(0.1)
    raise AssertionError("the verifier did not catch up")


def test_what_mqtt_and_grpc_clients_send_is_in_the_answers(data: Path) -> None:
    sites = data / "sites.csv"
    sites.write_text(SITES)
    with serving(data, "--clock-start", START) as served:
        phusong("registry", "add", "sites", sites, "--data", data)
        batch = {"sequence": "1", "signalReadings": [reading(), reading(rsrpDbm=-200)]}
        publish(served, "phusong/v1/viettel/probe-7/batch/json", json.dumps(batch).encode())
        publish(served, "phusong/v1/viettel/probe-7/batch", b"\xff garbage")
        usage = Batch(source="pgw-1", operator="viettel", boot_epoch=1, sequence=1)
        usage.usage_readings.append(
            UsageReading(
                subscriber_key=2**63 + 5,
                session="a",
                observed_time_ms=START_MS,
                uplink_bytes=1000,
                downlink_bytes=2000,
            )
        )
        with grpc.insecure_channel(f"127.0.0.1:{served.grpc_port}") as channel:
            ingest = IngestStub(channel)
            first, second = ingest.Export(usage), ingest.Export(usage)
        found = wait_until_judged(served)
        ready = urllib.request.urlopen(f"http://127.0.0.1:{served.http_port}/-/ready").read()
        status = served.stop()

    assert (first.accepted_count, first.duplicate_count) == (1, 0)
    assert (second.accepted_count, second.duplicate_count) == (0, 1)
    assert ready == b"ready\n"
    assert status == 0
    labels = {"operator": "viettel", "transport": "mqtt"}
    out_of_range = frozenset((labels | {"reason": "LEVEL_OUT_OF_RANGE"}).items())
    assert found["phusong_verifier_refused_rows_total", out_of_range] == 1
    sites_now = phusong("coverage", "--data", data, "--format", "json").document["sites"]
    assert [(row["verdict"], row["counts"]["raw"]) for row in sites_now] == [("INSUFFICIENT", 1)]
    sims = phusong("quota", "--data", data, "--day", "2021-12-01", "--format", "json").document[
        "sims"
    ]
    assert [(row["sim"], row["used_bytes"]) for row in sims] == [(str(2**63 + 5), 3000)]


def test_registries_and_imports_reach_a_running_service(data: Path) -> None:
    usage = data / "usage.csv"
    usage.write_text(
        "subscriber_key,session,observed_time_ms,uplink_bytes,downlink_bytes\n"
        "5,a,2021-10-01T09:00:00+07:00,10,20\n"
    )
    sites = data / "sites.csv"
    sites.write_text(SITES)
    with serving(data) as served:
        phusong("registry", "add", "sites", sites, "--data", data)
        phusong("import", usage, "--format", "csv", "--operator", "viettel", "--data", data)
        wait_until_judged(served)
        assert served.stop() == 0

    assert phusong("coverage", "--data", data, "--format", "json").document["sites"]
    ran = phusong("quota", "--data", data, "--day", "2021-10-01", "--format", "json")
    assert ran.document["sims"][0]["used_bytes"] == 30


def test_a_second_service_on_the_same_folder_refuses_to_start(data: Path) -> None:
    with serving(data):
        ran = phusong(
            *("serve", "--data", data, "--mqtt-port", 0, "--grpc-port", 0, "--http-port", 0),
            status=1,
        )

    assert "another" in ran.err.lower()


def test_what_was_acknowledged_survives_kill_9(data: Path) -> None:
    with serving(data, "--clock-start", START) as served:
        for sequence in range(1, 21):
            batch = {"sequence": str(sequence), "signalReadings": [reading()]}
            publish(served, "phusong/v1/viettel/probe-7/batch/json", json.dumps(batch).encode())
        served.process.kill()

    stat = phusong("journal", "stat", "--data", data, "--format", "json").document
    assert (stat["taken"], stat["sequence_gaps"]) == (20, 0)
