"""The intake's counters as metric families."""

from collections.abc import Iterator

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from phusong.collector.counts import COMMIT_SECONDS_EDGES, IntakeCounts
from phusong.kernels.frame import Transport

ORIGIN_LABELS = ["operator", "transport"]


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
