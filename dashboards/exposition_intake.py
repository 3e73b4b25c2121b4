"""The journal's disk and seals, the counters of the doors, of the intake and of the broker road as metric families."""

from collections.abc import Iterator
from typing import NamedTuple

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from phusong.collector.admission.doorkeeper import DoorCounts
from phusong.collector.broker.road import BrokerCounts
from phusong.collector.counts import COMMIT_SECONDS_EDGES, IntakeCounts
from phusong.collector.space import Space
from phusong.kernels.frame import Transport

ORIGIN_LABELS = ["operator", "transport"]


class JournalFacts(NamedTuple):
    """How the journal fares on its disk."""

    space: Space = Space()
    signed_age_s: float = 0.0
    signing_failure_count: int = 0
    damaged_segment_count: int = 0


def journal_families(journal: JournalFacts) -> Iterator[Metric]:
    """Yield whether there is room, and whether it is signed."""
    space = journal.space
    yield GaugeMetricFamily(
        "phusong_journal_signed_age_seconds",
        "Time since the journal's head was signed, or found signed already.",
        value=journal.signed_age_s,
    )
    yield GaugeMetricFamily(
        "phusong_journal_damaged_segments",
        "Sealed segments that are missing or not what was sealed, as far as they were looked at.",
        value=journal.damaged_segment_count,
    )
    yield CounterMetricFamily(
        "phusong_journal_signing_failures",
        "Attempts to sign a head or to seal a segment that failed.",
        value=journal.signing_failure_count,
    )
    for name, documentation, value in (
        ("free_bytes", "Room left on the disk of the journal.", space.free_bytes),
        (
            "needed_bytes",
            "Room on the disk below which nothing new is taken.",
            space.needed_bytes,
        ),
        ("nearly_full", "1 while nothing new is taken for want of room.", space.is_short),
    ):
        yield GaugeMetricFamily(f"phusong_disk_{name}", documentation, value=value)


def intake_families(counts: IntakeCounts) -> Iterator[Metric]:
    """Yield what came in since the process started, by origin and outcome."""
    for name, documentation, field in (
        ("received_payloads", "Payloads journalled.", "payload_count"),
        ("received_bytes", "Bytes of payloads journalled.", "payload_bytes"),
        ("accepted_rows", "Rows that receipts called accepted.", "accepted_row_count"),
        ("duplicate_rows", "Rows that receipts called duplicate.", "duplicate_row_count"),
    ):
        family = CounterMetricFamily(
            f"phusong_collector_{name}", documentation, labels=ORIGIN_LABELS
        )
        for origin, origin_counts in counts.origins.items():
            transport = Transport(origin.transport).name.lower()
            family.add_metric([origin.operator, transport], getattr(origin_counts, field))
        yield family
    refused = CounterMetricFamily(
        "phusong_collector_refused",
        "Payloads and rows that receipts called refused, by reason.",
        labels=[*ORIGIN_LABELS, "reason"],
    )
    for (origin, reason), count in counts.refused.items():
        transport = Transport(origin.transport).name.lower()
        refused.add_metric([origin.operator, transport, reason], count)
    yield refused
    yield _commit_seconds(counts)
    yield GaugeMetricFamily(
        "phusong_collector_queue_bytes",
        "Payload bytes that wait for a commit.",
        value=counts.queue_bytes,
    )
    yield GaugeMetricFamily(
        "phusong_collector_queue_payloads",
        "Payloads that wait for a commit.",
        value=counts.queue_payload_count,
    )


def door_families(counts: DoorCounts) -> Iterator[Metric]:
    """Yield who was not let in and who had to wait since the process started."""
    refused = CounterMetricFamily(
        "phusong_door_refused",
        "Connections, calls and handshakes that were not let in, by reason.",
        labels=["door", "reason"],
    )
    for (door, reason), count in counts.denied.items():
        refused.add_metric([door, reason], count)
    yield refused
    held = CounterMetricFamily(
        "phusong_door_held",
        "Times a source was ahead of its rate: not read for a while, or told to come again.",
        labels=["door"],
    )
    for door, count in counts.held.items():
        held.add_metric([door], count)
    yield held


def broker_families(counts: BrokerCounts) -> Iterator[Metric]:
    """Yield what happened between us and the broker since the process started."""
    for name, documentation, value in (
        ("connected", "1 while the broker is read.", counts.is_connected),
        (
            "refused_subscriptions",
            "Subscriptions that the broker refuses now.",
            counts.refused_subscription_count,
        ),
    ):
        yield GaugeMetricFamily(f"phusong_broker_{name}", documentation, value=value)
    for name, documentation, value in (
        ("reconnects", "Connections after the first.", counts.reconnect_count),
        (
            "lost_sessions",
            "Reconnects at which the broker had forgotten our session.",
            counts.lost_session_count,
        ),
        (
            "received_messages",
            "Messages delivered by the broker, repeated deliveries included.",
            counts.received_count,
        ),
        (
            "acknowledged_messages",
            "Messages acknowledged to the broker after their commit.",
            counts.acknowledged_count,
        ),
    ):
        yield CounterMetricFamily(f"phusong_broker_{name}", documentation, value=value)


def _commit_seconds(counts: IntakeCounts) -> Metric:
    """Return how long commits took, from taking what waits to bytes on disk."""
    family = HistogramMetricFamily(
        "phusong_journal_commit_seconds", "Time of one commit, decoding and fsync included."
    )
    total = 0
    buckets: list[tuple[str, float]] = []
    edges = (*map(str, COMMIT_SECONDS_EDGES), "+Inf")
    for edge, count in zip(edges, counts.commit_seconds_counts, strict=True):
        total += count
        buckets.append((edge, total))
    family.add_metric([], buckets=buckets, sum_value=counts.commit_seconds_sum)
    return family
