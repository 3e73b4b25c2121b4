"""`/metrics/sites`: series per site, for who asks for them. Their number grows with the list of sites, never with SIMs."""

from collections.abc import Iterable, Iterator

from phusong.dashboards.families import Family, gauges
from phusong.verifier.status import SiteRow

LABELS = ["site", "list", "operator", "technology"]
SECOND_MS = 1000


def site_families(rows: Iterable[SiteRow]) -> Iterator[Family]:
    """Yield what is known of each site, operator and technology."""
    by_labels = {(row.site_code, row.list, row.operator, row.technology): row for row in rows}
    yield gauges(
        "phusong_site_verdict",
        "1 for the verdict on a site, an operator and a technology.",
        [*LABELS, "verdict"],
        {(*at, row.verdict): 1 for at, row in by_labels.items()},
    )
    yield gauges(
        "phusong_site_covered_ratio",
        "Share of the site's places at or above the floor.",
        LABELS,
        {at: row.share for at, row in by_labels.items() if row.share is not None},
    )
    yield gauges(
        "phusong_site_covered_lower_bound_ratio",
        "One-sided 95 % lower bound of the share; the verdict is taken from it.",
        LABELS,
        {at: row.lower_bound for at, row in by_labels.items() if row.lower_bound is not None},
    )
    yield gauges(
        "phusong_site_evidence_age_seconds",
        "Age of the newest reading that a verdict rests on.",
        LABELS,
        {
            at: row.observed_age_ms / SECOND_MS
            for at, row in by_labels.items()
            if row.observed_age_ms is not None
        },
    )
