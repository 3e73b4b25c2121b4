"""Metric families from plain values: besides the exposition the only file that knows the client library.

The last word of a name is its unit, as everywhere here, and OpenMetrics is told so.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

UNITS = frozenset(
    {
        *("adjustments", "bytes", "connections", "closings", "cuts", "decisions", "disputes"),
        *("failures", "frames", "gaps", "messages", "payloads", "pupils", "ratio", "readings"),
        *("reconnects", "refusals", "rows", "seconds", "segments", "sessions", "sims", "sites"),
        *("starts", "subscriptions"),
    }
)

Family = Metric  # so that others need not know the library
Labels = TypeVar("Labels", bound=tuple[str, ...])


def gauge(name: str, documentation: str, value: float) -> Family:
    """Return a gauge without labels."""
    return gauges(name, documentation, (), {(): value})


def gauges(
    name: str, documentation: str, labels: Sequence[str], values: Mapping[Labels, float]
) -> Family:
    """Return a gauge by its labels."""
    family = GaugeMetricFamily(name, documentation, labels=labels, unit=unit_of(name))
    for at, value in values.items():
        family.add_metric(at, value)
    return family


def counter(name: str, documentation: str, value: float) -> Family:
    """Return a counter without labels; the format adds `_total` to its name."""
    return counters(name, documentation, (), {(): value})


def counters(
    name: str, documentation: str, labels: Sequence[str], values: Mapping[Labels, float]
) -> Family:
    """Return a counter by its labels; no `_created` beside it."""
    family = CounterMetricFamily(name, documentation, labels=labels, unit=unit_of(name))
    for at, value in values.items():
        family.add_metric(at, value)
    return family


def histograms(
    name: str,
    documentation: str,
    labels: Sequence[str],
    edges: Sequence[float],
    values: Mapping[Labels, tuple[Iterable[int], float]],
) -> Family:
    """Return a classic histogram by its labels.

    values: how many lay up to each edge and over the one before, one more than edges; and their sum.
    """
    family = HistogramMetricFamily(name, documentation, labels=labels, unit=unit_of(name))
    names = (*map(str, edges), "+Inf")
    for at, (counts, total) in values.items():
        up_to = 0
        buckets: list[tuple[str, float]] = []
        for edge, count in zip(names, counts, strict=True):
            up_to += count
            buckets.append((edge, up_to))
        family.add_metric(at, buckets=buckets, sum_value=total)
    return family


def unit_of(name: str) -> str:
    """Return the unit of a name, "" for a number that has none."""
    last = name.rpartition("_")[2]
    return last if last in UNITS else ""
