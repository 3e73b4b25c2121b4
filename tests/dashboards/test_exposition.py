"""What a scrape shows, and that the documentation says the same."""

import re
import subprocess
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as text_format

from phusong.collector.admission.doorkeeper import DoorCounts
from phusong.collector.broker.road import BrokerCounts
from phusong.collector.counts import COMMIT_SECONDS_EDGES, IntakeCounts, Origin, OriginCounts
from phusong.dashboards.exposition import Exposition, Facts
from phusong.dashboards.exposition_intake import JournalFacts
from phusong.dashboards.families import UNITS, unit_of
from phusong.dashboards.verifier_lag import VerifierLag
from phusong.kernels.frame import Transport
from phusong.verifier.coverage.ages import EvidenceAges
from phusong.verifier.process_use import ProcessUse
from phusong.verifier.programme.standing import ObligationFigures
from phusong.verifier.programme.status import Standing, Status
from phusong.verifier.programme.terms import Kind
from phusong.verifier.quota.enforcement_counts import EDGES_MS, STAGES
from phusong.verifier.quota.figures import QuotaFigures
from phusong.verifier.quota.stages import EnforcementFigures, Stage
from phusong.verifier.status import Judgement, RowCounts, SiteRow, VerifierStatus

ROOT = Path(__file__).parents[2]
OPENMETRICS = "application/openmetrics-text; version=1.0.0"
MQTT = int(Transport.MQTT)
HOUR_MS = 3_600_000
# Numbers without a unit: names, truths, positions, and counts whose HELP says of what.
UNITLESS = {
    *("phusong_build_info", "phusong_ready", "phusong_disk_nearly_full", "phusong_broker_connected"),
    *("phusong_journal_sequence", "phusong_journal_segment", "phusong_verifier_applied_sequence"),
    *("phusong_verifier_snapshot_sequence", "phusong_door_refused", "phusong_door_held"),
    *("phusong_collector_refused", "phusong_conservation_difference", "phusong_site_verdict"),
}  # fmt: skip


def quota() -> QuotaFigures:
    readings = {
        "received": 8, "counted": 4, "duplicate": 2, "stale": 1, "rejected": 1, "quarantined": 0,
    }  # fmt: skip
    return QuotaFigures({"WITHIN": 6, "EXHAUSTED": 0}, 5e9, 1e6, 2e6, 0.0, 0, 0, readings)


def obligation() -> ObligationFigures:
    status = Status(
        id="signal-283",
        kind=Kind.COVERAGE,
        title="",
        title_en="",
        target_count=283,
        deadline="2021-09-30",
        standing=Standing.UNPROVEN,
        stated_count=283,
        claimed_count=120,
        verified_count=100,
        verified_by_deadline_count=90,
        verified_lower_bound=91,
        refuted_count=3,
        unproven_count=180,
        verdicts={},
        unproven=(),
        source="",
        is_source_verified=True,
    )
    return ObligationFigures(status, 3 * HOUR_MS)


def enforcement() -> EnforcementFigures:
    buckets = [[1] * (len(EDGES_MS) + 1) for _ in STAGES]
    return EnforcementFigures(
        by_action={"cut": 2, "notify": 6},
        stages={("cut", "sent"): 1},
        overdue_count=1,
        unverified_count=1,
        resent_count=3,
        failed_count=1,
        early_cut_count=1,
        denied_ms=4_500,
        overshoot_bytes=7,
        leaked_bytes=8,
        buckets=buckets,
        sum_ms=[1_500] * len(STAGES),
    )


def judgement() -> Judgement:
    return Judgement(
        as_of_ms=HOUR_MS,
        sites={("283", "viettel", "COVERED"): 4},
        evidence=EvidenceAges({"283": 9_000}, {"283": 4_000}, {("283", "viettel"): 1}),
        validity_days=180,
        obligations=(obligation(),),
        day="1970-01-01",
        quota={"today": quota(), "yesterday": quota()},
        site_rows=(SiteRow("S1", "283", "viettel", "LTE", "COVERED", 0.99, 0.96, 9_000),),
        closed_day_count=3,
        adjustment_count=2,
        quarantined={("viettel", "SPEED_IMPLIED"): 3},
        disputed={("283", "viettel"): 1},
        disputes={"OPEN": 2, "LAPSED": 0},
        enforcement=enforcement(),
    )


def facts() -> Facts:
    key = ("viettel", MQTT)
    status = VerifierStatus(
        applied_sequence=7,
        rows=RowCounts({key: 10}, {key: 7}, {key: 2}, {(*key, "EMPTY"): 1}),
        sequence_gaps=3,
        snapshot_sequence=5,
        judgement=judgement(),
        stage_seconds={"decode": 1.5},
        use=ProcessUse(2.0, 4096),
    )
    origin = Origin(MQTT, "viettel")
    buckets = (1, 2, *(0 for _ in COMMIT_SECONDS_EDGES[2:]), 1)
    return Facts(
        software_version="0.1.0",
        connection_count=3,
        intake=IntakeCounts(
            {origin: OriginCounts(5, 500, 7, 2)}, {(origin, "EMPTY"): 1}, 4, 0.5, buckets, 64, 1
        ),
        doors=DoorCounts({("mqtt", "no_credential"): 2}, {"grpc": 1}),
        ready={"intake": True, "verifier": False},
        journal=JournalFacts(sequence=9, segment=2, size_bytes=4096),
        verifier_start_count=1,
        verifier_lag=VerifierLag(2, 3.0),
        status=status,
        judged=status,
        broker=BrokerCounts(
            is_connected=True,
            connect_count=3,
            lost_session_count=1,
            received_count=9,
            acknowledged_count=8,
            refused_subscription_count=0,
        ),
        snapshot_age_s=12.0,
        use=ProcessUse(1.0, 8192),
    )


class Fixed:
    def __init__(self, of: Facts) -> None:
        self.of = of

    def facts(self) -> Facts:
        return self.of


EXPOSITION = Exposition(Fixed(facts()))


def exposed(accept: str = "text/plain", of: Facts | None = None) -> list[Metric]:
    """Return both pages, read by the client library's parser."""
    read = openmetrics if "openmetrics" in accept else text_format
    of = of or facts()
    pages = (EXPOSITION.page(of, accept), EXPOSITION.site_page(of, accept))
    return [family for body, _ in pages for family in read(body.decode())]


def values(families: Iterable[Metric], name: str) -> dict[frozenset[tuple[str, str]], float]:
    return {
        frozenset(sample.labels.items()): sample.value
        for family in families
        for sample in family.samples
        if sample.name == name
    }


def test_the_documentation_names_every_metric_and_label_and_no_other() -> None:
    page = (ROOT / "docs" / "metrics.md").read_text()
    documented = {
        name: frozenset(re.findall(r"`(\w+)`", labels))
        for name, labels in re.findall(
            r"^\| `((?:phusong|process)_\w+)` \|([^|]*)\|", page, re.MULTILINE
        )
    }
    shown: dict[str, frozenset[str]] = {}
    for family in exposed():
        name = f"{family.name}_total" if family.type == "counter" else family.name
        (shown[name],) = {frozenset(sample.labels) - {"le"} for sample in family.samples}

    assert documented == shown


@pytest.mark.parametrize("accept", ["text/plain", OPENMETRICS])
def test_every_family_says_what_it_is(accept) -> None:
    for family in exposed(accept):
        assert family.documentation.endswith("."), family.name
        assert family.type in {"gauge", "counter", "histogram"}, family.name


def test_every_name_ends_with_its_unit_and_openmetrics_is_told() -> None:
    families = exposed(OPENMETRICS)

    for family in families:
        has_none = family.name in UNITLESS or family.name.startswith("phusong_obligation_")
        assert family.unit in UNITS or has_none, family.name
        assert family.unit == unit_of(family.name)
    assert {family.name for family in families if not family.unit} >= UNITLESS


@pytest.mark.parametrize("accept", ["text/plain", OPENMETRICS])
def test_no_series_says_when_it_began(accept) -> None:
    names = {sample.name for family in exposed(accept) for sample in family.samples}

    assert not [name for name in names if name.endswith(("_created", "_gsum", "_gcount"))]


def test_lag_is_what_was_committed_and_not_judged() -> None:
    found = exposed()

    assert values(found, "phusong_verifier_lag_frames") == {frozenset(): 2}
    assert values(found, "phusong_verifier_lag_seconds") == {frozenset(): 3}


def test_each_part_says_whether_it_is_ready() -> None:
    found = values(exposed(), "phusong_ready")

    assert found == {frozenset({("part", "intake")}): 1, frozenset({("part", "verifier")}): 0}


def test_lag_is_shown_while_the_verifier_has_not_reported_yet() -> None:
    starting = replace(facts(), status=None, judged=None, snapshot_age_s=None)

    assert values(exposed(of=starting), "phusong_verifier_lag_frames") == {frozenset(): 2}


def test_an_obligation_is_shown_by_its_counts_its_shares_and_its_deadline() -> None:
    found = exposed()
    at = frozenset({("obligation", "signal-283")})

    assert values(found, "phusong_obligation_verified")[at] == 100
    assert values(found, "phusong_obligation_verified_ratio")[at] == 100 / 283
    assert values(found, "phusong_obligation_verified_lower_bound_ratio")[at] == 91 / 283
    assert values(found, "phusong_obligation_deadline_timestamp_seconds")[at] == 10_800
    assert values(found, "phusong_obligation_time_left_seconds")[at] == 7_200
    standing = values(found, "phusong_obligation_standing")
    assert standing[at | {("standing", "UNPROVEN")}] == 1
    assert sum(standing.values()) == 1


def test_an_obligation_without_a_number_shows_none() -> None:
    status = replace(obligation().status, target_count=None, verified_count=None, deadline=None)
    bare = replace(judgement(), obligations=(ObligationFigures(status, None),))
    found = exposed(of=replace(facts(), judged=replace(facts().judged, judgement=bare)))

    for name in ("target", "verified", "verified_ratio", "time_left_seconds"):
        assert not values(found, f"phusong_obligation_{name}"), name
    assert values(found, "phusong_obligation_stated")


def test_readings_that_nobody_accounts_for_are_a_difference() -> None:
    lost = quota()
    lost.readings["counted"] -= 1
    of = replace(judgement(), quota={"today": lost, "yesterday": quota()})

    found = values(
        exposed(of=replace(facts(), judged=replace(facts().judged, judgement=of))),
        "phusong_conservation_difference",
    )

    assert found[frozenset({("law", "quota_readings_today")})] == 1
    assert found[frozenset({("law", "quota_readings_yesterday")})] == 0


def test_how_long_a_decision_took_is_counted_up_to_what_it_may_take() -> None:
    name = "phusong_decision_stage_seconds"
    found = exposed()
    decided = {("stage", "decided")}

    up_to_50_ms = EDGES_MS.index(50) + 1
    assert values(found, f"{name}_bucket")[frozenset({*decided, ("le", "0.05")})] == up_to_50_ms
    assert values(found, f"{name}_count")[frozenset(decided)] == len(EDGES_MS) + 1
    assert values(found, f"{name}_sum")[frozenset(decided)] == 1.5
    assert values(found, "phusong_denied_seconds_total") == {frozenset(): 4.5}


def test_decisions_that_nobody_took_are_shown_as_noughts() -> None:
    found = values(exposed(), "phusong_day_decisions")

    assert found.pop(frozenset({("action", "cut"), ("state", "sent")})) == 1
    assert len(found) == 2 * len(Stage) - 1
    assert not any(found.values())


def test_a_histogram_counts_upwards_to_all() -> None:
    (family,) = (f for f in exposed() if f.name == "phusong_journal_commit_seconds")
    found = [s.value for s in family.samples if s.name.endswith("_bucket")]

    assert found == sorted(found)
    assert found[-1] == 4


def test_openmetrics_is_spoken_to_who_asks_for_it() -> None:
    body, content_type = EXPOSITION.page(facts(), OPENMETRICS)

    assert content_type.startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")


@pytest.mark.parametrize("page", [EXPOSITION.page, EXPOSITION.site_page])
def test_promtool_finds_nothing_to_say(page) -> None:
    body, _ = page(facts(), "text/plain")

    done = subprocess.run(
        ["promtool", "check", "metrics"], input=body, capture_output=True, check=False
    )

    assert (done.returncode, done.stdout + done.stderr) == (0, b"")
