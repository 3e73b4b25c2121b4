"""`/metrics`: one custom collector over what collector and verifier last told. A scrape computes nothing.

No label is ever a SIM, a session, a cell or a site: the number of series does not grow with them. Series per site are a page
of their own, which has to be asked for.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from phusong.collector.admission.doorkeeper import DoorCounts
from phusong.collector.broker.road import BrokerCounts
from phusong.collector.counts import IntakeCounts
from phusong.dashboards.exposition_decisions import decision_families
from phusong.dashboards.exposition_intake import (
    JournalFacts,
    broker_families,
    door_families,
    intake_families,
    journal_families,
)
from phusong.dashboards.exposition_judged import judgement_families
from phusong.dashboards.exposition_sites import site_families
from phusong.dashboards.exposition_verifier import lag_families, row_families, verifier_families
from phusong.dashboards.families import Family, counter, gauge, gauges
from phusong.dashboards.verifier_lag import VerifierLag
from phusong.verifier.process_use import ProcessUse
from phusong.verifier.status import VerifierStatus


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything a scrape shows, taken at one moment.

    judged: the last status that carried a judgement. ready: by part (intake, journal, verifier, and broker where one is read).
    broker: None where none is read. snapshot_age_s: None before the first.
    """

    software_version: str
    connection_count: int
    intake: IntakeCounts
    doors: DoorCounts
    ready: dict[str, bool]
    journal: JournalFacts
    verifier_start_count: int
    verifier_lag: VerifierLag
    status: VerifierStatus | None = None
    judged: VerifierStatus | None = None
    broker: BrokerCounts | None = None
    snapshot_age_s: float | None = None
    use: ProcessUse = field(default_factory=ProcessUse)


class FactSource(Protocol):
    """Whoever knows the facts."""

    def facts(self) -> Facts:
        """Return them as they are now."""


class Families(Collector):
    """The families of one moment, for an encoder."""

    def __init__(self, families: Iterable[Family]) -> None:
        """Keep them."""
        self._families = families

    def collect(self) -> Iterable[Family]:
        """Return every family."""
        return self._families


def render(families: Iterable[Family], accept: str) -> tuple[bytes, str]:
    """Return the body and content type a scraper accepts: OpenMetrics or text."""
    encoder, content_type = choose_encoder(accept)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Families(list(families)))
    return encoder(registry), content_type


class Exposition:
    """Facts as pages of metrics. Facts are taken where the service runs; rendering may be done on another thread."""

    def __init__(self, source: FactSource) -> None:
        """Keep the source; it is asked at each scrape."""
        self._source = source
        self._start_families = _start_families()

    def facts(self) -> Facts:
        """Return the facts as they are now."""
        return self._source.facts()

    def page(self, facts: Facts, accept: str) -> tuple[bytes, str]:
        """Return `/metrics`."""
        return render(self.families(facts), accept)

    def families(self, facts: Facts) -> Iterator[Family]:
        """Yield every family of `/metrics`."""
        yield from self._start_families
        yield from _service_families(facts)
        yield from door_families(facts.doors)
        yield from journal_families(facts.journal)
        yield from intake_families(facts.intake)
        if facts.broker is not None:
            yield from broker_families(facts.broker)
        yield counter(
            "phusong_verifier_starts",
            "Times the verifier process was started.",
            facts.verifier_start_count,
        )
        yield from lag_families(facts.verifier_lag)
        if facts.snapshot_age_s is not None:
            yield gauge(
                "phusong_verifier_snapshot_age_seconds",
                "Time since the verifier's snapshot was written; it is not written while no frame comes.",
                facts.snapshot_age_s,
            )
        if facts.status is not None:
            yield from row_families(facts.status)
            yield from verifier_families(facts.status)
        if facts.judged is not None and facts.judged.judgement is not None:
            yield from judgement_families(facts.judged.judgement)
            if facts.judged.judgement.enforcement is not None:
                yield from decision_families(facts.judged.judgement.enforcement)

    def site_page(self, facts: Facts, accept: str) -> tuple[bytes, str]:
        """Return `/metrics/sites`."""
        judgement = None if facts.judged is None else facts.judged.judgement
        return render(() if judgement is None else site_families(judgement.site_rows), accept)


def _start_families() -> list[Family]:
    """Return when this process started, under the name that Prometheus' own clients use; nothing where there is no /proc.

    The other families of that collector are left out: it lists every open file at each scrape, and 50,000 connections
    would make that tens of milliseconds in which no door is served.
    """
    return [
        gauge(family.name, "When the process started.", family.samples[0].value)
        for family in ProcessCollector(registry=None).collect()
        if family.name == "process_start_time_seconds"
    ]


def _service_families(facts: Facts) -> Iterator[Family]:
    yield gauges(
        "phusong_build_info",
        "The software that runs; always 1.",
        ["version"],
        {(facts.software_version,): 1},
    )
    yield counter(
        "process_cpu_seconds", "Processor time of the collector's process.", facts.use.cpu_seconds
    )
    if facts.use.resident_bytes:
        yield gauge(
            "process_resident_memory_bytes",
            "Memory of the collector's process.",
            facts.use.resident_bytes,
        )
    yield gauges(
        "phusong_ready",
        "1 while this part is ready; /-/ready says why not.",
        ["part"],
        {(part,): is_ready for part, is_ready in facts.ready.items()},
    )
    yield gauge("phusong_mqtt_connections", "MQTT clients connected now.", facts.connection_count)
