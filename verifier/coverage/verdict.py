"""The rule: from what was surveyed to what is known. The only module that decides.

The verdict is about places, not about readings. Every surveyed place cell of a part weighs the same, whoever stood
there and however long. Place cells near each other lie in the same shadow, so they are grouped into squares and the
share's variance is taken between squares; the design effect says how much wider that is than for independent
places, and the bounds are Clopper and Pearson's on the effective number of places (Korn and Graubard 1998),
corrected for the footprint being finite: a full census has nothing left to be unsure of.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from phusong.kernels.columns import BoolColumn, Float64Column, Int64Column
from phusong.kernels.identity import EMPTY
from phusong.verifier.coverage import wording
from phusong.verifier.coverage.agreement import devices_disagree
from phusong.verifier.coverage.footprint import Footprints
from phusong.verifier.coverage.intervals import lower_bounds, upper_bounds
from phusong.verifier.coverage.policy import Policy
from phusong.verifier.coverage.records import Verdict
from phusong.verifier.coverage.survey import Places, Survey, rank_of, starts_of

# Correlation of "meets the floor" between two place cells of one square, assumed at least, for evidence without
# failures cannot show any. Levels decorrelate over 50-75 m (DOMAIN §2): exp(-d/60 m) averages 0.25 over a 200 m
# square, which at a threshold passed by 95 % of places is a correlation of about 0.1 between passes.
PLACE_CORRELATION_MIN = 0.1

# Bounds are decided as they are shown: rounded to this many decimals, away from a verdict.
DECIMALS = 6
ROUNDING = 1e-9  # what floating point may have lost, far below a decimal shown


class Sample(NamedTuple):
    """One row per group of a survey: the surveyed places as a clustered sample of the footprint."""

    place_count: Int64Column  # surveyed
    population_count: Int64Column  # in the footprint
    reached_count: Int64Column  # places of the footprint in squares that were entered
    cluster_count: Int64Column
    design_effect: Float64Column
    effective_count: Float64Column
    share: Float64Column
    lower_bound: Float64Column
    upper_bound: Float64Column


@dataclass(frozen=True, slots=True)
class PartFinding:
    """What is known of one part for one operator and technology."""

    part: int
    verdict: Verdict
    lower_bound: float
    upper_bound: float
    group: int
    missing: tuple[str, ...]


def judge_parts(
    survey: Survey, footprints: Footprints, policy: Policy
) -> tuple[Sample, list[PartFinding]]:
    """Return the sample and the finding of each group of a survey."""
    sample = sample_places(survey, footprints, policy)
    disagrees = devices_disagree(survey, policy)
    findings = [
        _judge_part(survey, sample, group, footprints, policy, is_split=is_split)
        for group, is_split in enumerate(disagrees.tolist())
    ]
    return sample, findings


def judge_site(findings: list[PartFinding], part_count: int) -> Verdict:
    """Return the verdict of a site from those of its surveyed parts: covered only when every part is."""
    verdicts = {finding.verdict for finding in findings}
    if len(findings) < part_count:
        verdicts.add(Verdict.INSUFFICIENT)
    for worst in (Verdict.NOT_COVERED, Verdict.CONFLICTED, Verdict.INSUFFICIENT):
        if worst in verdicts:
            return worst
    return Verdict.COVERED


def contradicts_claim(verdict: Verdict, silent_bin_count: int, bin_count: int) -> bool:
    """Tell whether SIMs were mostly without service where a base station says that it is on air."""
    return verdict is Verdict.NOT_COVERED and 2 * silent_bin_count > bin_count


def sample_places(survey: Survey, footprints: Footprints, policy: Policy) -> Sample:
    """Return share, design effect and bounds of every group."""
    places, groups = survey.places, survey.groups
    size = len(groups.part)
    square_cells = policy.place.cluster_size_m // policy.place.cell_size_m
    square = _Squares.of(places, square_cells)
    place_count = np.bincount(places.group, minlength=size).astype(np.int64)
    share = np.bincount(places.group, places.share, minlength=size) / np.maximum(place_count, 1)
    population = footprints.place_count[groups.part]
    row = footprints.squares.find(groups.part[square.group], square.east, square.north)
    assert EMPTY not in row, "a reading lies in a place cell of the footprint"
    reached = np.bincount(square.group, footprints.square_place_count[row], minlength=size)
    cluster_count = np.bincount(square.group, minlength=size).astype(np.int64)
    design_effect = _design_effect(square, share, place_count, cluster_count)
    effective = place_count / design_effect
    lower, upper = _bounds(share, effective, place_count, population, policy)
    return Sample(
        place_count,
        population,
        reached.astype(np.int64),
        cluster_count,
        design_effect,
        effective,
        share,
        lower,
        upper,
    )


class _Squares(NamedTuple):
    """One row per group and square that was entered."""

    group: Int64Column
    east: Int64Column
    north: Int64Column
    place_count: Int64Column
    share_sum: Float64Column

    @classmethod
    def of(cls, places: Places, square_cells: int) -> "_Squares":
        east, north = places.cell_east // square_cells, places.cell_north // square_cells
        order = np.lexsort((places.cell_north, places.cell_east, north, east, places.group))
        group, east, north = places.group[order], east[order], north[order]
        start = starts_of(group, east, north)
        count = np.bincount(rank_of(start, len(order)), minlength=len(start)).astype(np.int64)
        share = places.share[order]
        share_sum = np.add.reduceat(share, start) if len(start) else share
        return cls(group[start], east[start], north[start], count, share_sum)


def _design_effect(
    square: _Squares, share: Float64Column, place_count: Int64Column, cluster_count: Int64Column
) -> Float64Column:
    """Return how many times wider the share's variance is than that of independent places, at least 1.

    Between squares it is the linearised estimate of a ratio; within what the sample can show it is never taken
    below that of PLACE_CORRELATION_MIN.
    """
    size = len(share)
    residual = square.share_sum - square.place_count * share[square.group]
    scatter = np.bincount(square.group, residual**2, minlength=size)
    between = scatter * (cluster_count / np.maximum(cluster_count - 1, 1))
    independent = share * (1.0 - share) * place_count
    # Shares of 1e-12 from 0 or 1 are rounding: they hold no variance to compare with.
    is_mixed = independent > ROUNDING
    measured = np.where(is_mixed, between / np.where(is_mixed, independent, 1.0), 1.0)
    squared_sizes = np.bincount(square.group, square.place_count**2.0, minlength=size)
    assumed = 1.0 + (squared_sizes / np.maximum(place_count, 1) - 1.0) * PLACE_CORRELATION_MIN
    effect: Float64Column = np.maximum(np.maximum(measured, assumed), 1.0)
    # A sample is worth at least one place, whatever its squares say of each other.
    return np.minimum(effect, np.maximum(place_count, 1))


def _bounds(
    share: Float64Column,
    effective: Float64Column,
    place_count: Int64Column,
    population: Int64Column,
    policy: Policy,
) -> tuple[Float64Column, Float64Column]:
    """Return the one-sided bounds, rounded outwards; the places not surveyed limit them both ways."""
    unseen = np.maximum(population - place_count, 0)
    confidence = policy.share.confidence_permille / 1000
    trials = effective * np.maximum(population - 1, 1) / np.maximum(unseen, 1)
    met = share * place_count
    lower = np.maximum(lower_bounds(share * trials, trials, confidence), met / population)
    upper = np.minimum(
        upper_bounds(share * trials, trials, confidence), (met + unseen) / population
    )
    is_census = unseen == 0
    lower, upper = np.where(is_census, share, lower), np.where(is_census, share, upper)
    scale = 10.0**DECIMALS
    return np.floor(lower * scale + ROUNDING) / scale, np.ceil(upper * scale - ROUNDING) / scale


def _judge_part(
    survey: Survey,
    sample: Sample,
    group: int,
    footprints: Footprints,
    policy: Policy,
    *,
    is_split: bool,
) -> PartFinding:
    lower, upper = float(sample.lower_bound[group]), float(sample.upper_bound[group])
    missing = wording.missing_evidence(survey.groups, sample, group, policy)
    asked = policy.share.permille / 1000
    if missing:
        verdict = Verdict.INSUFFICIENT
    elif is_split:
        verdict = Verdict.CONFLICTED
        missing = (wording.more_devices(),)
    elif lower >= asked:
        verdict = Verdict.COVERED
    elif upper < asked:
        verdict = Verdict.NOT_COVERED
    else:
        verdict = Verdict.INSUFFICIENT
        missing = (wording.more_places(places_to_decide(sample, group, policy)),)
    part = int(survey.groups.part[group])
    if len(footprints.names) > 1 and _has_siblings(part, footprints):
        missing = tuple(wording.in_part(footprints.names[part], words) for words in missing)
    return PartFinding(part, verdict, lower, upper, group, missing)


def _has_siblings(part: int, footprints: Footprints) -> bool:
    site = footprints.site_row[part]
    return int(footprints.part_start[site + 1] - footprints.part_start[site]) > 1


def places_to_decide(sample: Sample, group: int, policy: Policy) -> int:
    """Return how many more place cells would decide if they met the floor as the surveyed ones do.

    At most all that are left: a census always decides.
    """
    seen, population = int(sample.place_count[group]), int(sample.population_count[group])
    counts = np.arange(seen + 1, population + 1)
    share = np.full(len(counts), sample.share[group])
    effective = counts / sample.design_effect[group]
    lower, upper = _bounds(share, effective, counts, np.full(len(counts), population), policy)
    asked = policy.share.permille / 1000
    decides: BoolColumn = (lower >= asked) | (upper < asked)
    return int(np.argmax(decides)) + 1
