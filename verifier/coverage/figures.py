"""Figures of a whole site row, over all its parts: how much evidence, how strong, and what was set aside."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from phusong.kernels.bins import BinCounts, BinKeys, ExportedBins
from phusong.kernels.columns import BoolColumn, Int64Column
from phusong.kernels.radio import RSCP_MAX_DBM, SS_RSRP_MIN_DBM
from phusong.kernels.survey_counting import add_levels
from phusong.verifier.coverage.footprint import Footprints
from phusong.verifier.coverage.policy import Policy
from phusong.verifier.coverage.records import Counts
from phusong.verifier.coverage.sample import Sample
from phusong.verifier.coverage.senders import DeviceSources
from phusong.verifier.coverage.survey import (
    Survey,
    count_distinct,
    day_of_window,
    window_start_ms,
)
from phusong.verifier.coverage.verdict import PartFinding
from phusong.verifier.registry.sites import SiteRegister

# Of any technology.
LEVEL_LOWEST_DBM, LEVEL_HIGHEST_DBM = int(SS_RSRP_MIN_DBM), int(RSCP_MAX_DBM)


class Quarantine(NamedTuple):
    """Bins that the plausibility screen sets aside, and the reason of each."""

    bins: ExportedBins
    reason: Int64Column


class Evidence(NamedTuple):
    """Everything counted: bins that count, sorted by key, and what was set aside."""

    keys: BinKeys
    counts: BinCounts
    aside_keys: Int64Column  # part, operator, rat, window
    aside_count: Int64Column
    quarantine: Quarantine


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
    groups = survey.groups
    counts = {}
    for key, findings in rows.items():
        group = [finding.group for finding in findings]
        devices, windows, days = _distinct(ground, survey, group)
        counts[key] = Counts(
            raw=int(groups.raw_count[group].sum()),
            bins=int(groups.bin_count[group].sum()),
            clusters=int(sample.cluster_count[group].sum()),
            effective=round(float(sample.effective_count[group].sum()), 1),
            devices=devices,
            windows=windows,
            days=days,
        )
    return counts


def _distinct(ground: Ground, survey: Survey, group: list[int]) -> tuple[int, int, int]:
    """Return how many devices, windows and days there are in some groups together."""
    if len(group) == 1:
        groups, g = survey.groups, group[0]
        return int(groups.device_count[g]), int(groups.window_count[g]), int(groups.day_count[g])
    bins = np.concatenate([survey.chosen[survey.start[g] : survey.start[g + 1]] for g in group])
    window = survey.keys.window[bins]
    return (
        count_distinct(survey.keys.device_key[bins]),
        count_distinct(window),
        count_distinct(day_of_window(window, ground.policy)),
    )


def medians(survey: Survey, rows: Mapping[RowKey, list[PartFinding]]) -> dict[RowKey, int | None]:
    """Return the level that at least half of a row's bins reach in the mean of their readings, silent ones left out."""
    row_of_group = np.zeros(len(survey.groups.part), np.int64)
    for number, findings in enumerate(rows.values()):
        row_of_group[[finding.group for finding in findings]] = number
    row = row_of_group[survey.bin_group]
    count = np.zeros((len(rows), LEVEL_HIGHEST_DBM - LEVEL_LOWEST_DBM + 1), np.int64)
    add_levels(survey.chosen, row, survey.counts, LEVEL_LOWEST_DBM, count)
    # From the highest level down, how many reach each.
    reached = np.cumsum(count[:, ::-1], axis=1)
    middle = np.argmax(2 * reached >= reached[:, -1:], axis=1)
    return {
        key: LEVEL_HIGHEST_DBM - int(middle[number]) if reached[number, -1] else None
        for number, key in enumerate(rows)
    }


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
