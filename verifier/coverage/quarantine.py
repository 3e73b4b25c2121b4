"""What the plausibility screen sets aside, beside the verdicts it has left."""

from collections import Counter
from dataclasses import replace

import numpy as np

from phusong.kernels.reject import Reject
from phusong.verifier.coverage import wording
from phusong.verifier.coverage.figures import Ground, Quarantine, RowKey
from phusong.verifier.coverage.records import SiteVerdict, Verdict


def quarantined_of(ground: Ground, quarantine: Quarantine, as_of_ms: int) -> Counter[RowKey]:
    """Return how many readings of each row are set aside, of bins begun by a time."""
    keys, counts = quarantine.bins.keys, quarantine.bins.counts
    chosen = np.flatnonzero(counts.first_time_ms <= as_of_ms)
    found: Counter[RowKey] = Counter()
    for site, operator, rat, count in zip(
        ground.footprints.site_row[keys.part[chosen]].tolist(),
        keys.operator[chosen].tolist(),
        keys.rat[chosen].tolist(),
        counts.heard_count[chosen].tolist(),
        strict=True,
    ):
        found[RowKey(site, ground.operators[operator], rat)] += count
    return found


def with_quarantine(
    rows: dict[RowKey, SiteVerdict], quarantined: Counter[RowKey]
) -> dict[RowKey, SiteVerdict]:
    """Return rows that say how much is set aside; one without evidence says so of all technologies."""
    found: Counter[RowKey] = Counter()
    for key, count in quarantined.items():
        untested = next(
            (
                other
                for other, row in rows.items()
                if other[:2] == key[:2] and row.verdict is Verdict.UNTESTED
            ),
            key,
        )
        found[key if key in rows else untested] += count
    return rows | {
        key: replace(
            rows[key],
            counts=replace(rows[key].counts, quarantined=count),
            reason=rows[key].reason + wording.set_aside(count),
        )
        for key, count in found.items()
        if key in rows
    }


def reading_counts(
    ground: Ground, quarantine: Quarantine, as_of_ms: int
) -> Counter[tuple[str, str, str]]:
    """Return how many readings are set aside, by site code, operator and name of the reason, of bins begun by a time.

    A reading in two sites is in the count of each.
    """
    keys, counts = quarantine.bins.keys, quarantine.bins.counts
    chosen = np.flatnonzero(counts.first_time_ms <= as_of_ms)
    found: Counter[tuple[str, str, str]] = Counter()
    for site, operator, why, count in zip(
        ground.footprints.site_row[keys.part[chosen]].tolist(),
        keys.operator[chosen].tolist(),
        quarantine.reason[chosen].tolist(),
        counts.heard_count[chosen].tolist(),
        strict=True,
    ):
        name = ground.sites.sites[site].code, ground.operators[operator], Reject(why).name
        found[name] += count
    return found
