"""How well the share is measured where somebody was: what devices and moments say differently of the same ground.

Surveying more places does not mend it, so the finite-population correction must not touch it: a census by phones that
happen to read high is wrong about every place they entered.
"""

from typing import NamedTuple

import numpy as np

from phusong.kernels.columns import Float64Column, Int64Column
from phusong.kernels.survey_counting import Places, Stays
from phusong.verifier.coverage.survey import Survey, order_in_groups, rank_of, starts_of

ROUNDING = 1e-9  # what floating point may have lost
HALF = 0.5
# Of the surveyed places, that several devices must have measured for their differences to be taken from these alone.
# Fewer are too few to find a deaf phone in: a road survey has its crossings.
SHARED_PLACES_MIN = 0.3


class Repeats(NamedTuple):
    """One row per group: what repeated measurement shows of itself. Variances are those of the group's share."""

    # Of which devices happened to measure; 0 where no two entered one square.
    device_variance: Float64Column
    device_freedom: Float64Column  # degrees of freedom of that estimate, at least 1
    moment_variance: Float64Column  # of devices and moments within one place cell
    # By how much the share grows where a place counts whole as soon as at least half of what was measured there meets
    # the floor, and not at all otherwise.
    majority_gain: Float64Column


def repeats_of(survey: Survey, place_count: Int64Column, square_cells: int) -> Repeats:
    """Return what repeated measurement shows; `place_count` is that of surveyed places of each group."""
    stays, places = survey.stays, survey.places
    size = len(place_count)
    start = starts_of(stays.group, stays.cell_east, stays.cell_north)
    place = rank_of(start, len(stays.group))
    # Every place weighs one; its stays divide it.
    weight = stays.weight / np.bincount(place, stays.weight, minlength=len(start))[place]
    surveyed = np.maximum(place_count, 1)
    ground = _common_ground(stays, place, surveyed, square_cells)
    variance, freedom = _between_devices(stays, weight, surveyed, ground)
    return Repeats(
        device_variance=variance,
        device_freedom=freedom,
        moment_variance=_within_places(survey, place, weight, surveyed),
        majority_gain=_majority_gain(places, np.bincount(place, minlength=len(start)), size),
    )


def _majority_gain(places: Places, stay_count: Int64Column, size: int) -> Float64Column:
    """Return what places that several stays measured show, taken to be the same where there was one stay."""
    is_repeated = (stay_count > 1).astype(np.float64)
    gain = is_repeated * ((places.share >= HALF - ROUNDING) - places.share)
    return _ratio(
        np.bincount(places.group, gain, minlength=size),
        np.bincount(places.group, is_repeated, minlength=size),
    )


def _within_places(
    survey: Survey, place: Int64Column, weight: Float64Column, surveyed: Int64Column
) -> Float64Column:
    """Return the variance the share owes to stays in one place differing, pooled over all places of a group.

    The variance of one stay is unbiased from places with two or more, and taken to be the same where there is one.
    """
    size, place_count = len(surveyed), len(survey.places.group)
    off = survey.stays.share - survey.places.share[place]
    group = survey.places.group
    squares = np.bincount(place, weight * weight, minlength=place_count)
    spread = np.bincount(place, weight * off * off, minlength=place_count)
    repeated = np.bincount(group, 1.0 - squares, minlength=size)
    stay_variance = _ratio(np.bincount(group, spread, minlength=size), repeated)
    variance: Float64Column = (
        stay_variance * np.bincount(group, squares, minlength=size) / surveyed**2.0
    )
    return variance


def _between_devices(
    stays: Stays, weight: Float64Column, surveyed: Int64Column, common: Int64Column
) -> tuple[Float64Column, Float64Column]:
    """Return the variance of each group's share from its devices, and its degrees of freedom.

    A device is compared with all that was measured on the ground it entered (`common`, a number for each stay), so that
    it is not blamed for its ground. Its excess is the sum of its stays' distances from the shares there; `ground` is how
    much of its weight stands against somebody else's. With devices of one variance the excesses' squares sum to that variance times
    the sum of the grounds' squares, D/(D-1) times, besides the noise of single stays, which is taken off.
    """
    size = len(surveyed)
    common_weight = np.bincount(common, weight)
    met = np.bincount(common, weight * stays.share)
    off = stays.share - _ratio(met, common_weight)[common]
    order = order_in_groups(stays.group, stays.device_key, common)
    columns = (stays.group[order], stays.device_key[order])
    device_start = starts_of(*columns)
    device = rank_of(device_start, len(order))
    off, weight, common = off[order], weight[order], common[order]
    entered = starts_of(device, common)
    own = np.bincount(rank_of(entered, len(order)), weight, minlength=len(entered))
    against = own * (1.0 - own / common_weight[common[entered]])
    ground = np.bincount(device[entered], against, minlength=len(device_start))
    excess = np.bincount(device, weight * off, minlength=len(device_start))
    noise = np.bincount(device, (weight * off) ** 2, minlength=len(device_start))
    all_ground = np.bincount(device, weight, minlength=len(device_start))
    group = columns[0][device_start]
    count = np.bincount(group, ground > ROUNDING, minlength=size)
    ground_squares = np.bincount(group, ground**2, minlength=size)
    scale = ground_squares * count / np.maximum(count - 1, 1)
    found = np.maximum(np.bincount(group, excess**2 - noise, minlength=size), 0.0)
    variance = _ratio(found, scale) * np.bincount(group, all_ground**2, minlength=size)
    # A phone that stayed at home is hardly a device more.
    devices = _ratio(ground_squares**2, np.bincount(group, ground**4, minlength=size))
    return variance / surveyed**2.0, np.maximum(devices - 1.0, 1.0)


def _common_ground(
    stays: Stays, place: Int64Column, surveyed: Int64Column, square_cells: int
) -> Int64Column:
    """Return a number, from 0, for the ground on which each stay is compared with those of other devices.

    That is its place cell where enough places were measured by several devices, and else its square, in which
    devices stood on different ground and differ for that reason too.
    """
    stay_count = np.bincount(place)
    start = np.flatnonzero(np.diff(place, prepend=-1))
    shared = np.bincount(stays.group[start], stay_count > 1, minlength=len(surveyed))
    by_place = (shared >= SHARED_PLACES_MIN * surveyed)[stays.group]
    east, north = stays.cell_east // square_cells, stays.cell_north // square_cells
    order = order_in_groups(stays.group, east, north)
    square = np.empty(len(order), np.int64)
    first = starts_of(stays.group[order], east[order], north[order])
    square[order] = rank_of(first, len(order))
    common: Int64Column = np.where(by_place, place, len(start) + square)
    return common


def _ratio(
    numerator: Float64Column | Int64Column, denominator: Float64Column | Int64Column
) -> Float64Column:
    """Return quotients, 0 where there is nothing to divide by."""
    is_some = denominator > ROUNDING
    quotient: Float64Column = np.where(
        is_some, numerator / np.where(is_some, denominator, 1.0), 0.0
    )
    return quotient
