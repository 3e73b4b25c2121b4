"""Rows of sites as they were last judged, so that only those are judged again of which anything is new.

A row changes when the evidence of its site does, or when time makes a bin begin or expire. Both are known: the sites that were touched, and for
each site the span of dates within which its rows stay what they are. Nothing here is state: it may be forgotten at any time.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from phusong.kernels.columns import Int64Column
from phusong.kernels.days import DAY_MS
from phusong.verifier.coverage.figures import Evidence, Ground
from phusong.verifier.coverage.report import JudgedRows, judge_rows
from phusong.verifier.coverage.survey import window_start_ms

ALWAYS_MS, NEVER_MS = -(2**63), 2**63 - 1


class Span(NamedTuple):
    """Dates, from the first up to and not including the second, as of which the rows of a site are these."""

    from_ms: int
    until_ms: int


class JudgedSites:
    """The rows of every site that was judged, until it is touched or its time is over."""

    def __init__(self) -> None:
        """Start with nothing judged."""
        self._rows: dict[int, JudgedRows] = {}
        self._spans: dict[int, Span] = {}

    def forget(self, sites: Int64Column) -> None:
        """Judge some sites anew when next asked."""
        for site in np.unique(sites).tolist():
            self._spans.pop(site, None)

    def rows(
        self, ground: Ground, evidence_of: Callable[[Int64Column], Evidence], as_of_ms: int
    ) -> JudgedRows:
        """Return the rows of all sites; `evidence_of` returns the evidence of the sites that have to be judged."""
        due = [site for site in range(len(ground.sites.sites)) if not self._holds(site, as_of_ms)]
        if due:
            evidence = evidence_of(np.array(due, np.int64))
            for site in due:
                self._rows[site] = {}
            for key, judged in judge_rows(ground, evidence, as_of_ms, due).items():
                self._rows[key.site][key] = judged
            self._spans |= spans_of(ground, evidence, as_of_ms, due)
        return {key: row for site in self._rows.values() for key, row in site.items()}

    def _holds(self, site: int, as_of_ms: int) -> bool:
        span = self._spans.get(site)
        return span is not None and span.from_ms <= as_of_ms < span.until_ms


def spans_of(
    ground: Ground, evidence: Evidence, as_of_ms: int, sites: list[int]
) -> dict[int, Span]:
    """Return the dates around a date at which a bin or a window begins or expires, by site."""
    validity_ms = ground.policy.time.validity_days * DAY_MS
    counts, site_row = evidence.counts, ground.footprints.site_row
    of_bin = site_row[evidence.keys.part]
    site = np.concatenate((of_bin, of_bin, site_row[evidence.aside_keys[:, 0]]))
    begun_ms = window_start_ms(evidence.aside_keys[:, 3], ground.policy)
    turn_ms = np.concatenate((counts.first_time_ms, counts.last_time_ms + validity_ms, begun_ms))
    from_ms = np.full(len(ground.sites.sites), ALWAYS_MS, np.int64)
    until_ms = np.full(len(ground.sites.sites), NEVER_MS, np.int64)
    is_past = turn_ms <= as_of_ms
    np.maximum.at(from_ms, site[is_past], turn_ms[is_past])
    np.minimum.at(until_ms, site[~is_past], turn_ms[~is_past])
    return {s: Span(int(from_ms[s]), int(until_ms[s])) for s in sites}
