"""What a scrape shows, and that the documentation says the same."""

import re
import subprocess
from pathlib import Path

from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as text_format

from phusong.collector.admission.doorkeeper import DoorCounts
from phusong.collector.broker.road import BrokerCounts
from phusong.collector.counts import COMMIT_SECONDS_EDGES, IntakeCounts, Origin, OriginCounts
from phusong.dashboards.exposition import Exposition, Facts
from phusong.dashboards.verifier_lag import VerifierLag
from phusong.kernels.frame import Transport
from phusong.verifier.status import Judgement, RowCounts, VerifierStatus

ROOT = Path(__file__).parents[2]
OPENMETRICS = "application/openmetrics-text; version=1.0.0"
MQTT = int(Transport.MQTT)


def facts() -> Facts:
    key = ("viettel", MQTT)
    status = VerifierStatus(
        applied_sequence=7,
        rows=RowCounts({key: 10}, {key: 7}, {key: 2}, {(*key, "EMPTY"): 1}),
        sequence_gaps=3,
        snapshot_sequence=5,
        judgement=Judgement(
            2_000, {("283", "viettel", "COVERED"): 4}, "2021-12-01", {"WITHIN": 6}, {"received": 1}
        ),
    )
    origin = Origin(MQTT, "viettel")
    buckets = (1, 2, *(0 for _ in COMMIT_SECONDS_EDGES[2:]), 1)
    intake = IntakeCounts(
        {origin: OriginCounts(5, 500, 7, 2)}, {(origin, "EMPTY"): 1}, 4, 0.5, buckets, 64, 1
    )
    broker = BrokerCounts(
        is_connected=True,
        reconnect_count=2,
        lost_session_count=1,
        received_count=9,
        acknowledged_count=8,
        refused_subscription_count=0,
    )
    doors = DoorCounts({("mqtt", "no_credential"): 2}, {"grpc": 1})
    ready = {"intake": True, "verifier": False}
    lag = VerifierLag(2, 3.0)
    return Facts("0.1.0", 9, 4096, 3, intake, 1, lag, status, status, doors, ready, broker)


class Fixed:
    def facts(self) -> Facts:
        return facts()


def exposed() -> dict[str, dict[frozenset[str], float]]:
    body, _ = Exposition(Fixed()).render("text/plain")
    found: dict[str, dict[frozenset[str], float]] = {}
    for family in text_format(body.decode()):
        for sample in family.samples:
            found.setdefault(sample.name, {})[frozenset(sample.labels)] = sample.value
    return found


def test_the_documentation_names_every_metric_and_label_and_no_other() -> None:
    page = (ROOT / "docs" / "metrics.md").read_text()
    documented = {
        name: frozenset(re.findall(r"`(\w+)`", labels))
        for name, labels in re.findall(
            r"^\| `((?:phusong|process)_\w+)` \|([^|]*)\|", page, re.MULTILINE
        )
    }
    shown = {}
    for name, samples in exposed().items():
        if not name.endswith(("_sum", "_count", "_bucket")):
            (labels,) = samples
            shown[name] = labels
    shown["phusong_journal_commit_seconds"] = frozenset()

    assert documented == shown


def test_lag_is_what_was_committed_and_not_judged() -> None:
    found = exposed()

    assert found["phusong_verifier_lag_frames"] == {frozenset(): 2}
    assert found["phusong_verifier_lag_seconds"] == {frozenset(): 3}


def test_each_part_says_whether_it_is_ready() -> None:
    body, _ = Exposition(Fixed()).render("text/plain")

    assert b'phusong_ready{part="intake"} 1.0' in body
    assert b'phusong_ready{part="verifier"} 0.0' in body


def test_lag_is_shown_while_the_verifier_has_not_reported_yet() -> None:
    class Starting:
        def facts(self) -> Facts:
            return facts()._replace(status=None, judged=None)

    body, _ = Exposition(Starting()).render("text/plain")

    assert b"phusong_verifier_lag_frames 2.0" in body


def test_a_histogram_counts_upwards_to_all() -> None:
    body, _ = Exposition(Fixed()).render("text/plain")
    (family,) = (
        f for f in text_format(body.decode()) if f.name == "phusong_journal_commit_seconds"
    )
    values = [s.value for s in family.samples if s.name.endswith("_bucket")]

    assert values == sorted(values)
    assert values[-1] == 4


def test_openmetrics_is_spoken_to_who_asks_for_it() -> None:
    body, content_type = Exposition(Fixed()).render(OPENMETRICS)

    assert content_type.startswith("application/openmetrics-text")
    assert len(list(openmetrics(body.decode()))) > 20


def test_promtool_finds_nothing_to_say() -> None:
    body, _ = Exposition(Fixed()).render("text/plain")

    done = subprocess.run(
        ["promtool", "check", "metrics"], input=body, capture_output=True, check=False
    )

    assert (done.returncode, done.stdout + done.stderr) == (0, b"")
