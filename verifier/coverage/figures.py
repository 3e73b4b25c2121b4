"""Figures of a whole site row, over all its parts: how much evidence, how strong, and what was set aside."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from phusong.kernels.bins import BinCounts, BinKeys
from phusong.kernels.columns import BoolColumn, Int64Column
from phusong.verifier.coverage.footprint import Footprints
from phusong.verifier.coverage.policy import Policy
from phusong.verifier.coverage.records import Counts
from phusong.verifier.coverage.sample import Sample
from phusong.verifier.coverage.senders import DeviceSources
from phusong.verifier.coverage.survey import (
    Survey,
    count_distinct,
    day_of_window,
    starts_of,
    window_start_ms,
)
from phusong.verifier.coverage.verdict import PartFinding
from phusong.verifier.registry.sites import SiteRegister


class Evidence(NamedTuple):
    """Everything counted, as exported: bins, levels and what was set aside."""

    keys: BinKeys
    counts: BinCounts
    level_keys: Int64Column  # part, operator, rat, window, level_dbm
    level_count: Int64Column
    aside_keys: Int64Column  # part, operator, rat, window
    aside_count: Int64Column


@dataclass(frozen=True, slots=True)
class Ground:
    """What is judged and by what."""

    sites: SiteRegister
    footprints: Footprints
    policy: Policy
    operators: dict[int, str]  # slug by key
    sources: DeviceSources


class RowKey(NamedTuple):
    """A row of the report."""

    site: int
    operator: str
    rat: int


def row_key(ground: Ground, survey: Survey, group: int) -> RowKey:
    """Return which row a group of a survey belongs to."""
    groups = survey.groups
    site = int(ground.footprints.site_row[groups.part[group]])
    return RowKey(site, ground.operators[int(groups.operator[group])], int(groups.rat[group]))


def bins_in_time(
    evidence: Evidence, valid_from_ms: int, as_of_ms: int
) -> tuple[BoolColumn, BoolColumn]:
    """Tell which bins had begun by a time, and which lasted into what is valid then."""
    is_known: BoolColumn = evidence.counts.first_time_ms <= as_of_ms
    is_valid: BoolColumn = evidence.counts.last_time_ms > valid_from_ms
    return is_known, is_valid


def site_counts(
    ground: Ground, survey: Survey, sample: Sample, rows: Mapping[RowKey, list[PartFinding]]
) -> dict[RowKey, Counts]:
    """Return the evidence behind each row; a device, window or day of two parts counts once."""
    row_of_group = np.zeros(len(survey.groups.part), np.int64)
    for number, findings in enumerate(rows.values()):
        row_of_group[[finding.group for finding in findings]] = number
    row = row_of_group[survey.bin_group]
    window = survey.keys.window
    devices = count_distinct(row, survey.keys.device_key, len(rows))
    windows = count_distinct(row, window, len(rows))
    days = count_distinct(row, day_of_window(window, ground.policy), len(rows))
    counts = {}
    for number, (key, findings) in enumerate(rows.items()):
        group = [finding.group for finding in findings]
        counts[key] = Counts(
            raw=int(survey.groups.raw_count[group].sum()),
            bins=int(survey.groups.bin_count[group].sum()),
            clusters=int(sample.cluster_count[group].sum()),
            effective=round(float(sample.effective_count[group].sum()), 1),
            devices=int(devices[number]),
            windows=int(windows[number]),
            days=int(days[number]),
        )
    return counts


def medians(ground: Ground, evidence: Evidence, span_ms: tuple[int, int]) -> dict[RowKey, int]:
    """Return the level that at least half of a row's readings reach, of windows begun within (from, until]."""
    part, operator, rat, window, level_dbm = evidence.level_keys.T
    begun_ms = window_start_ms(window, ground.policy)
    chosen = np.flatnonzero((begun_ms > span_ms[0]) & (begun_ms <= span_ms[1]))
    site = ground.footprints.site_row[part[chosen]]
    operator, rat, level = operator[chosen], rat[chosen], level_dbm[chosen]
    order = np.lexsort((-level, rat, operator, site))
    site, operator, rat, level = site[order], operator[order], rat[order], level[order]
    count = evidence.level_count[chosen][order]
    start = starts_of(site, operator, rat)
    found = {}
    edges = [*start.tolist(), len(site)]
    for first, end in pairwise(edges):
        reached = np.cumsum(count[first:end])
        middle = int(np.searchsorted(2 * reached, reached[-1]))
        key = RowKey(int(site[first]), ground.operators[int(operator[first])], int(rat[first]))
        found[key] = int(level[first + middle])
    return found


def asides_of(
    ground: Ground, evidence: Evidence, as_of_ms: int
) -> defaultdict[tuple[int, str], Counter[int]]:
    """Return how many readings were set aside, per site and operator, by technology."""
    part, operator, rat, window = evidence.aside_keys.T
    chosen = np.flatnonzero(window_start_ms(window, ground.policy) <= as_of_ms)
    found: defaultdict[tuple[int, str], Counter[int]] = defaultdict(Counter)
    for site, network, technology, count in zip(
        ground.footprints.site_row[part[chosen]].tolist(),
        operator[chosen].tolist(),
        rat[chosen].tolist(),
        evidence.aside_count[chosen].tolist(),
        strict=True,
    ):
        found[site, ground.operators[network]][technology] += count
    return found
