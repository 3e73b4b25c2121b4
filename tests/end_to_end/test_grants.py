"""Every refusal of what a source may not send: receipt, metrics, quarantine and recomputation say the same."""

import hashlib
import json
import subprocess
import time
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

import grpc
import pytest
from prometheus_client.parser import text_string_to_metric_families

from phusong.collector.road import open_road
from phusong.kernels.frame import PayloadKind, Route, Transport
from phusong.kernels.reject import Reject
from phusong.v1.ingest_pb2 import Receipt
from phusong.v1.ingest_pb2_grpc import IngestStub
from phusong.v1.telemetry_pb2 import Batch, CellReport, Rat, SignalReading, UsageReading
from running import Served, phusong, serving

pytestmark = pytest.mark.slow

START = "2021-12-01T09:00:00+07:00"
START_MS = 1_638_324_000_000
TOKEN = "phusong_a-secret-that-must-not-show"
REGISTER = f"""source,operator,token_sha256,topics,row_kinds,sites,subscriber_last
pgw-1,viettel,{hashlib.sha256(TOKEN.encode()).hexdigest()},,usage cells,HN-1,9
gateway,viettel,,phusong/v1/viettel/+/batch,,,
pgw-1,mobifone,,,,,
"""
OF_PAYLOADS = {
    "OPERATOR_FORBIDDEN",
    "TOPIC_FORBIDDEN",
    "UNKNOWN_SOURCE",
    "CREDENTIAL_UNKNOWN",
    "CREDENTIAL_MISSING",
}
OF_ROWS = {"ROW_KIND_FORBIDDEN", "SITE_FORBIDDEN", "SUBSCRIBER_FORBIDDEN"}


def sent(operator: str, source: str, principal: str) -> Route:
    return Route(operator, source, principal, Transport.GRPC, PayloadKind.BATCH)


def batch(sequence: int) -> bytes:
    """Rows within the bounds of viettel/pgw-1, and one beyond each."""
    cell: dict[str, Any] = {"plmn": "45204", "cell_identity": 1, "rat": Rat.RAT_LTE}
    return Batch(
        boot_epoch=1,
        sequence=sequence,
        signal_readings=[
            SignalReading(
                device_key=1,
                observed_time_ms=START_MS,
                latitude_deg=22.8,
                longitude_deg=104.98,
                rat=Rat.RAT_LTE,
                serving_plmn="45204",
                rsrp_dbm=-97,
            )
        ],
        usage_readings=[
            UsageReading(subscriber_key=key, session="s", observed_time_ms=START_MS)
            for key in (9, 10)
        ],
        cell_reports=[
            CellReport(site_code=site, observed_time_ms=START_MS, on_air=True, **cell)
            for site in ("HN-1", "HN-2")
        ],
    ).SerializeToString()


SENT = [
    sent("viettel", "pgw-1", "viettel/pgw-1"),
    sent("mobifone", "pgw-1", "viettel/pgw-1"),
    sent("viettel", "gateway", "viettel/pgw-1"),
    sent("viettel", "stranger", "viettel/gateway"),
    sent("viettel", "pgw-1", "viettel/gone"),
    sent("viettel", "pgw-1", ""),
    # Behind the gateway, which has no bounds of its own: those of its line hold.
    sent("viettel", "pgw-1", "viettel/gateway"),
]


async def receipts_of(data: Path) -> list[Receipt]:
    """Send as doors do that have authenticated these principals."""
    payloads = [(route, batch(number)) for number, route in enumerate(SENT, 1)]
    async with open_road(data, lambda: START_MS) as road:
        return [receipt async for receipt in road.receipts(payloads)]


def refused_by_metrics(served: Served, name: str) -> Counter[str]:
    with urllib.request.urlopen(f"http://127.0.0.1:{served.http_port}/metrics") as response:
        text = response.read().decode()
    assert TOKEN not in text
    counts: Counter[str] = Counter()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == name and sample.value:
                counts[sample.labels["reason"]] += int(sample.value)
    return counts


def wait_until_judged(served: Served, expected: Counter[str]) -> Counter[str]:
    for _ in range(1200):  # kernels may have to be compiled first
        found = refused_by_metrics(served, "phusong_verifier_refused_rows_total")
        if found.total() >= expected.total():
            break
        time.sleep(0.1)
    return found


async def test_receipts_metrics_quarantine_and_recomputation_say_the_same(data: Path) -> None:
    sites, register = data / "sites.csv", data / "sources.csv"
    sites.write_text(
        "site_code,name,province_code,list,operators,latitude_deg,longitude_deg\n"
        "HN-1,A,01,283,viettel,21,105.8\nHN-2,B,01,283,viettel,21.1,105.8\n"
    )
    register.write_text(REGISTER)
    with serving(data, "--clock-start", START) as served:
        phusong("registry", "add", "sites", sites, "--data", data)
        added = phusong("registry", "add", "sources", register, "--data", data)
        receipts = await receipts_of(data)
        by_receipts = Counter(row.reason for receipt in receipts for row in receipt.refused)
        by_verifier = wait_until_judged(served, by_receipts)
        by_collector = refused_by_metrics(served, "phusong_collector_refused_total")
        assert served.stop() == 0

    assert set(by_receipts) == OF_PAYLOADS | OF_ROWS
    assert by_receipts == by_collector == by_verifier
    quarantine = phusong(
        "journal", "quarantine", "--data", data, "--format", "json", "--limit", 0
    ).document
    assert quarantine["by_reason"] == by_receipts
    by_principal = {
        (entry["operator"], entry["principal"], entry["reason"]) for entry in quarantine["entries"]
    }
    assert ("mobifone", "viettel/pgw-1", "OPERATOR_FORBIDDEN") in by_principal
    assert ("viettel", "viettel/gateway", "SUBSCRIBER_FORBIDDEN") in by_principal
    stat = phusong("journal", "stat", "--data", data, "--format", "json").document
    assert stat["refused"] == by_receipts
    assert stat["taken"] == sum(receipt.accepted_count for receipt in receipts) == 4
    table = phusong("journal", "quarantine", "--data", data).out
    assert "by viettel/pgw-1" in " ".join(table.split())
    shown = json.dumps(quarantine) + added.out + added.err + table
    shown += (data.parent / f"{data.name}.stderr").read_text()
    assert TOKEN not in shown
    assert all(reason in Reject.__members__ for reason in by_receipts)


def publish(served: Served, topic: str, payload: bytes) -> "subprocess.CompletedProcess[str]":
    """Publish by MQTT 5 with the credential of viettel/pgw-1."""
    return subprocess.run(
        [
            *("mosquitto_pub", "-V", "mqttv5", "-q", "1", "-p", str(served.mqtt_port), "-d"),
            *("-u", "viettel/pgw-1", "-P", TOKEN, "-t", topic, "-s"),
        ],
        input=payload.decode("latin-1"),
        encoding="latin-1",
        capture_output=True,
        check=False,
        timeout=60,
    )


def test_a_source_that_writes_another_operators_data_hears_so_by_mqtt_and_grpc(data: Path) -> None:
    register = data / "sources.csv"
    register.write_text(REGISTER)
    phusong("registry", "add", "sources", register, "--data", data)
    with serving(data, open_loopback=False) as served:
        own = publish(served, "phusong/v1/viettel/pgw-1/batch", batch(1))
        foreign = publish(served, "phusong/v1/mobifone/pgw-1/batch", batch(2))
        message = Batch.FromString(batch(3))
        message.source, message.operator = "pgw-1", "mobifone"
        with grpc.insecure_channel(f"127.0.0.1:{served.grpc_port}") as channel:
            metadata = (("authorization", f"Bearer {TOKEN}"),)
            receipt = IngestStub(channel).Export(message, metadata=metadata)
        assert served.stop() == 0

    # mosquitto_pub shows a PUBACK's reason code: 0, and 135, Not authorized.
    assert "RC:0)" in own.stdout + own.stderr
    assert "RC:135)" in foreign.stdout + foreign.stderr
    assert [row.reason for row in receipt.refused] == ["OPERATOR_FORBIDDEN"]
    entries = phusong(
        "journal",
        "quarantine",
        "--data",
        data,
        "--format",
        "json",
        "--reason",
        "OPERATOR_FORBIDDEN",
    ).document["entries"]
    assert [(entry["transport"], entry["operator"], entry["principal"]) for entry in entries] == [
        ("MQTT", "mobifone", "viettel/pgw-1"),
        ("GRPC", "mobifone", "viettel/pgw-1"),
    ]


def test_a_register_with_an_error_changes_nothing_and_says_where(data: Path) -> None:
    register = data / "sources.csv"
    register.write_text(REGISTER.replace("phusong/v1/viettel/+/batch", "phusong/v1/mobifone/#"))

    ran = phusong("registry", "add", "sources", register, "--data", data, status=2)

    assert f"{register}:3:18: topics:" in ran.err
    assert "expected a filter within phusong/v1/viettel/" in ran.err
    listed = phusong("registry", "list", "--data", data, status=None)
    assert "sources" not in listed.out
