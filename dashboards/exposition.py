"""`/metrics`: one custom collector over what collector and verifier last told. A scrape computes nothing.

No label is ever a SIM, a session, a cell or a site: the number of series does not grow with them.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from phusong.collector.admission.doorkeeper import DoorCounts
from phusong.collector.broker.road import BrokerCounts
from phusong.collector.counts import IntakeCounts
from phusong.dashboards.exposition_intake import (
    JournalFacts,
    broker_families,
    door_families,
    intake_families,
    journal_families,
)
from phusong.dashboards.verifier_lag import VerifierLag
from phusong.kernels.frame import Transport
from phusong.verifier.status import VerifierStatus


class Facts(NamedTuple):
    """Everything a scrape shows, taken at one moment."""

    software_version: str
    journal_sequence: int
    journal_bytes: int
    connection_count: int
    intake: IntakeCounts
    verifier_start_count: int
    verifier_lag: VerifierLag
    status: VerifierStatus | None
    judged: VerifierStatus | None  # the last status that carried a judgement
    doors: DoorCounts
    ready: dict[str, bool]  # by part: intake, journal, verifier, and broker where one is read
    broker: BrokerCounts | None = None  # None: no broker is read
    journal: JournalFacts = JournalFacts()


class FactSource(Protocol):
    """Whoever knows the facts."""

    def facts(self) -> Facts:
        """Return them as they are now."""


class Exposition(Collector):
    """Facts as metric families."""

    def __init__(self, source: FactSource) -> None:
        """Keep the source; it is asked at each scrape."""
        self._source = source
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        self._start_families = _start_families()

    def describe(self) -> Iterable[Metric]:
        """Name nothing in advance: facts may not be there yet."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield every family."""
        facts = self._source.facts()
        yield from self._start_families
        yield from _service_families(facts)
        yield from door_families(facts.doors)
        yield from journal_families(facts.journal)
        yield from intake_families(facts.intake)
        if facts.broker is not None:
            yield from broker_families(facts.broker)
        if facts.status is not None:
            yield from _row_families(facts.status)
            yield from _verifier_families(facts.status)
        yield from _lag_families(facts.verifier_lag)
        if facts.judged is not None and facts.judged.judgement is not None:
            yield from _judgement_families(facts.judged)

    def render(self, accept: str) -> tuple[bytes, str]:
        """Return the body and content type a scraper accepts: OpenMetrics or text."""
        encoder, content_type = choose_encoder(accept)
        return encoder(self._registry), content_type


def _gauge(name: str, documentation: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, documentation, value=value)


def _start_families() -> list[Metric]:
    """Return when this process started, under the name that Prometheus' own clients use; nothing where there is no /proc.

    The other families of that collector are left out: it lists every open file at each scrape, and 50,000 connections
    would make that tens of milliseconds in which no door is served.
    """
    return [
        family
        for family in ProcessCollector(registry=None).collect()
        if family.name == "process_start_time_seconds"
    ]


def _service_families(facts: Facts) -> Iterator[Metric]:
    build = GaugeMetricFamily(
        "phusong_build_info", "The software that runs; always 1.", labels=["version"]
    )
    build.add_metric([facts.software_version], 1)
    yield build
    ready = GaugeMetricFamily(
        "phusong_ready", "1 while this part is ready; /-/ready says why not.", labels=["part"]
    )
    for part, is_ready in facts.ready.items():
        ready.add_metric([part], is_ready)
    yield ready
    yield _gauge(
        "phusong_journal_sequence", "Sequence of the last frame committed.", facts.journal_sequence
    )
    yield _gauge("phusong_journal_size_bytes", "Bytes of all segments.", facts.journal_bytes)
    yield _gauge("phusong_mqtt_connections", "MQTT clients connected now.", facts.connection_count)
    starts = CounterMetricFamily(
        "phusong_verifier_starts", "Times the verifier process was started.", labels=[]
    )
    starts.add_metric([], facts.verifier_start_count)
    yield starts


def _row_families(status: VerifierStatus) -> Iterator[Metric]:
    """Rows by outcome: received = taken + duplicate + refused."""
    rows = status.rows
    for name, documentation, counts in (
        ("received", "Rows received; an unreadable payload counts as one.", rows.received),
        ("taken", "Rows that count.", rows.taken),
        ("duplicate", "Rows that had come before.", rows.duplicate),
    ):
        family = CounterMetricFamily(
            f"phusong_verifier_{name}_rows", documentation, labels=["operator", "transport"]
        )
        for (operator, transport), count in counts.items():
            family.add_metric([operator, Transport(transport).name.lower()], count)
        yield family
    refused = CounterMetricFamily(
        "phusong_verifier_refused_rows",
        "Rows and payloads kept in the journal but not counted, by reason.",
        labels=["operator", "transport", "reason"],
    )
    for (operator, transport, reason), count in rows.refused.items():
        refused.add_metric([operator, Transport(transport).name.lower(), reason], count)
    yield refused


def _lag_families(lag: VerifierLag) -> Iterator[Metric]:
    yield _gauge(
        "phusong_verifier_lag_frames", "Frames committed and not yet judged.", lag.frame_count
    )
    yield _gauge(
        "phusong_verifier_lag_seconds",
        "Since when the oldest frame not yet judged waits.",
        lag.seconds,
    )


def _verifier_families(status: VerifierStatus) -> Iterator[Metric]:
    yield _gauge(
        "phusong_verifier_applied_sequence",
        "Sequence of the last frame judged.",
        status.applied_sequence,
    )
    yield _gauge(
        "phusong_verifier_sequence_gaps",
        "Batches that sources numbered and never sent.",
        status.sequence_gaps,
    )
    yield _gauge(
        "phusong_verifier_snapshot_sequence",
        "Sequence of the last snapshot.",
        status.snapshot_sequence,
    )


def _judgement_families(status: VerifierStatus) -> Iterator[Metric]:
    judgement = status.judgement
    assert judgement is not None
    sites = GaugeMetricFamily(
        "phusong_sites",
        "Site rows (site, operator, technology) by list, operator and verdict.",
        labels=["list", "operator", "verdict"],
    )
    for labels, count in judgement.sites.items():
        sites.add_metric(list(labels), count)
    yield sites
    sims = GaugeMetricFamily(
        "phusong_quota_sims", "SIMs by state of the present day.", labels=["state"]
    )
    for state, count in judgement.sims.items():
        sims.add_metric([state], count)
    yield sims
    totals = GaugeMetricFamily(
        "phusong_quota_readings",
        "Usage readings of the present day by outcome: received is the sum of the others.",
        labels=["outcome"],
    )
    for outcome in ("received", "counted", "duplicate", "stale", "rejected", "quarantined"):
        totals.add_metric([outcome], judgement.quota_totals.get(outcome, 0))
    yield totals
    yield _gauge(
        "phusong_judged_timestamp_seconds",
        "When sites and SIMs were last judged.",
        judgement.as_of_ms / 1000,
    )
