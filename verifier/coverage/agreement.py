"""Whether those who measured a part contradict each other beyond chance: devices, or sources with all their devices."""

import numpy as np

from phusong.kernels.columns import BoolColumn, Float64Column, Int64Column
from phusong.verifier.coverage.intervals import lower_bounds, upper_bounds
from phusong.verifier.coverage.policy import Policy
from phusong.verifier.coverage.survey import Survey, order_in_groups, starts_of

# Each stratum is compared with the rest of its part, so that chance has many tries.
CONFIDENCE = 0.99


def strata_disagree(survey: Survey, stratum: Int64Column, policy: Policy) -> BoolColumn:
    """Tell for each group whether some stratum and the others tell opposite stories of the same ground.

    stratum: of each stay, its device or its source. Two deaf phones of one source hide behind each other where each is compared
    with the rest; their source does not.

    Compared are only squares that both entered, one trial each: a device that walked the bad half of a hamlet
    does not contradict one that walked the good half. Beyond chance means that the two intervals do not meet,
    opposite that the asked share lies between what they say.
    """
    size = len(survey.groups.part)
    group, device, own, rest = _compare_squares(survey, stratum, policy)
    order = order_in_groups(group, device)
    group, device, own, rest = group[order], device[order], own[order], rest[order]
    start = starts_of(group, device)
    if not len(start):
        return np.zeros(size, np.bool_)
    trials = np.add.reduceat(np.ones(len(group)), start)
    own_met, rest_met = np.add.reduceat(own, start), np.add.reduceat(rest, start)
    asked = policy.share.permille / 1000
    is_apart = _is_above(own_met, rest_met, trials) | _is_above(rest_met, own_met, trials)
    is_opposite = (own_met >= asked * trials) != (rest_met >= asked * trials)
    disagrees = np.zeros(size, np.bool_)
    disagrees[group[start[is_apart & is_opposite]]] = True
    return disagrees


def _is_above(met: Float64Column, other_met: Float64Column, trials: Float64Column) -> BoolColumn:
    is_above: BoolColumn = lower_bounds(met, trials, CONFIDENCE) > upper_bounds(
        other_met, trials, CONFIDENCE
    )
    return is_above


def _compare_squares(
    survey: Survey, stratum: Int64Column, policy: Policy
) -> tuple[Int64Column, Int64Column, Float64Column, Float64Column]:
    """Return group, stratum, its share and the others' share, per square that it and others entered."""
    stays = survey.stays
    square_cells = policy.place.cluster_size_m // policy.place.cell_size_m
    east, north = stays.cell_east // square_cells, stays.cell_north // square_cells
    order = order_in_groups(stays.group, east, north, stratum, stays.cell_east, stays.cell_north)
    columns = (stays.group, east, north, stratum)
    group, east, north, device = (column[order] for column in columns)
    share = stays.share[order]
    square_start, own_start = starts_of(group, east, north), starts_of(group, east, north, device)
    if not len(own_start):
        return group, device, share, share
    square_of_own = np.searchsorted(square_start, own_start, side="right") - 1
    one = np.ones(len(share))
    own_count, own_sum = np.add.reduceat(one, own_start), np.add.reduceat(share, own_start)
    rest_count = np.add.reduceat(one, square_start)[square_of_own] - own_count
    rest_sum = np.add.reduceat(share, square_start)[square_of_own] - own_sum
    both = rest_count > 0
    return (
        group[own_start][both],
        device[own_start][both],
        (own_sum / own_count)[both],
        np.clip(rest_sum[both] / rest_count[both], 0.0, 1.0),
    )
