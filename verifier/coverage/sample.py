"""The surveyed places of a part as a sample of its footprint: share, design effect and bounds.

Every surveyed place cell weighs the same, whoever stood there and however long. Place cells near each other lie in
the same shadow, so they are grouped into squares and the share's variance is taken between squares; the design effect
says how much wider that is than for independent places, and the bounds are Clopper and Pearson's on the effective
number of places (Korn and Graubard 1998), corrected for the footprint being finite. What phones and moments say
differently of the same place widens them further (see `repeats`): no number of places takes it away.
"""

import math
from typing import NamedTuple

import numpy as np

from phusong.kernels.columns import BoolColumn, Float64Column, Int64Column
from phusong.kernels.identity import EMPTY
from phusong.kernels.survey_counting import Places
from phusong.verifier.coverage.footprint import Footprints
from phusong.verifier.coverage.intervals import (
    lower_bounds,
    normal_quantile,
    student_quantiles,
)
from phusong.verifier.coverage.policy import Policy
from phusong.verifier.coverage.repeats import Repeats, repeats_of
from phusong.verifier.coverage.survey import Survey, order_in_groups, rank_of, starts_of

# Correlation of "meets the floor" between two place cells of one square, assumed at least, for evidence without
# failures cannot show any. Levels decorrelate over 50-75 m (DOMAIN §2): exp(-d/60 m) averages 0.25 over a 200 m
# square, which is a correlation between passes of 0.08 where 95 % of places pass and 0.05 where 98 % do. Between these,
# calibrated: at 0.10 a good site of 208 places was proved in 66 % of surveys of 40 %, at 0.05 a bad one, surveyed by
# road in shadows of 200 m, was called covered in 8 % (docs/calibration.md).
PLACE_CORRELATION_MIN = 0.07

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
    repeats: Repeats


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
    repeats = repeats_of(survey, place_count, square_cells)
    found = Surveyed(share, design_effect, place_count, population)
    lower, upper = bounds_of(found, repeats, policy)
    return Sample(
        place_count,
        population,
        reached.astype(np.int64),
        cluster_count,
        design_effect,
        place_count / design_effect,
        share,
        lower,
        upper,
        repeats,
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
        order = order_in_groups(places.group, east, north, places.cell_east, places.cell_north)
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


class Surveyed(NamedTuple):
    """One row per sample to bound: what was found, and how much ground stands behind it."""

    share: Float64Column
    design_effect: Float64Column
    place_count: Int64Column
    population_count: Int64Column


def bounds_of(
    found: Surveyed, repeats: Repeats, policy: Policy
) -> tuple[Float64Column, Float64Column]:
    """Return the one-sided bounds, rounded outwards.

    A place that phones or moments disagree about counts in part towards the proof of coverage. Against it it counts
    only when most of what was measured there failed: fading and a deaf phone find failures where the level is met,
    and seldom the reverse. The margins of sampling, devices and moments are independent and add in quadrature.
    """
    confidence = policy.share.confidence_permille / 1000
    share = found.share
    high = np.clip(share + repeats.majority_gain, share, 1.0)
    below = _sampling_bound(found, confidence)
    above = 1.0 - _sampling_bound(found._replace(share=1.0 - high), confidence)
    surveyed = found.place_count / found.population_count
    # What is left to sample is noisy too, and its noise stands in the sampling variance already.
    measuring = (
        student_quantiles(repeats.device_freedom, confidence) ** 2 * repeats.device_variance
        + normal_quantile(confidence) ** 2 * repeats.moment_variance * surveyed
    )
    lower = np.maximum(share - np.sqrt((share - below) ** 2 + measuring), 0.0)
    upper = np.minimum(high + np.sqrt((above - high) ** 2 + measuring), 1.0)
    scale = 10.0**DECIMALS
    return np.floor(lower * scale + ROUNDING) / scale, np.ceil(upper * scale - ROUNDING) / scale


def _sampling_bound(found: Surveyed, confidence: float) -> Float64Column:
    """Return lower bounds as if every surveyed place were known exactly; those that met it are a bound too."""
    share, design_effect, place_count, population = found
    unseen = np.maximum(population - place_count, 0)
    trials = place_count / design_effect * np.maximum(population - 1, 1) / np.maximum(unseen, 1)
    proved = lower_bounds(share * trials, trials, confidence)
    bound: Float64Column = np.where(
        unseen == 0, share, np.maximum(proved, share * place_count / population)
    )
    return bound


def places_to_decide(sample: Sample, group: int, policy: Policy) -> int:
    """Return how many more place cells would decide if they met the floor as the surveyed ones do.

    0 when not even a census would: then what is measured there is too uncertain, not where. Where so many places
    decide, more do: so it is enough to look at some counts, and then closely between two of them.
    """
    seen, population = int(sample.place_count[group]), int(sample.population_count[group])
    step = max(1, math.isqrt(population - seen))
    counts = np.arange(population, seen, -step)[::-1]
    decided = np.flatnonzero(_decides(sample, group, counts, policy))
    if not len(decided):
        return 0
    last = int(counts[decided[0]])
    between = np.arange(max(seen, last - step) + 1, last + 1)
    return int(between[np.argmax(_decides(sample, group, between, policy))]) - seen


def _decides(sample: Sample, group: int, counts: Int64Column, policy: Policy) -> BoolColumn:
    """Tell for each number of surveyed places whether it would decide."""
    repeats = Repeats(*(np.full(len(counts), column[group]) for column in sample.repeats))
    seen = sample.place_count[group]
    repeats = repeats._replace(moment_variance=repeats.moment_variance * seen / counts)
    # More places in the same squares are more alike: the squares' shares of the sample grow with it.
    grown = counts / seen
    design_effect = 1.0 + grown * (sample.design_effect[group] - 1.0)
    design_effect += PLACE_CORRELATION_MIN * (grown - 1.0)
    found = Surveyed(
        share=np.full(len(counts), sample.share[group]),
        design_effect=design_effect,
        place_count=counts,
        population_count=np.full(len(counts), sample.population_count[group]),
    )
    lower, upper = bounds_of(found, repeats, policy)
    asked = policy.share.permille / 1000
    decides: BoolColumn = (lower >= asked) | (upper < asked)
    return decides
