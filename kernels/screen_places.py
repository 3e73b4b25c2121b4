"""What cannot be at one place: many devices at exactly the same coordinates, levels above free space."""

from typing import NamedTuple

import numpy as np

from phusong.kernels.columns import BoolColumn, Float64Column, Int64Column
from phusong.kernels.jit import kernel
from phusong.kernels.trails import distance_m

# Free-space path loss in dB: this, 20 log10 of MHz, and 20 log10 of km. Source: ITU-R P.525.
FREE_SPACE_DB = 32.45
NEAR_M = 1000.0  # nearer than this to where its mast may stand a level proves nothing


class FreeSpace(NamedTuple):
    """The loudest a level can be."""

    eirp_max_dbm: float  # of one resource element
    frequency_min_mhz: float
    margin_db: float
    mast_distance_max_m: float  # of a mast from the site it was built for


@kernel
def mark_shared_positions(
    order: Int64Column,
    place: Int64Column,
    position: Int64Column,
    trail: Int64Column,
    device_count_max: int,
    is_out: BoolColumn,
) -> None:
    """Mark bins of more than `device_count_max` devices with exactly the same coordinates in one place.

    `order` sorts the bins by place, position and trail; a place is a number of a part's place cell.
    """
    first = 0
    count = len(order)
    while first < count:
        a = order[first]
        end, devices = first, 0
        while end < count and place[order[end]] == place[a] and position[order[end]] == position[a]:
            if end == first or trail[order[end]] != trail[order[end - 1]]:
                devices += 1
            end += 1
        if devices > device_count_max:
            for k in range(first, end):
                is_out[order[k]] = True
        first = end


@kernel
def mark_too_loud(
    latitude_deg: Float64Column,
    longitude_deg: Float64Column,
    loudest_mdbm: Int64Column,
    first_place: Int64Column,
    end_place: Int64Column,
    place_latitude_deg: Float64Column,
    place_longitude_deg: Float64Column,
    place_extent_m: Float64Column,
    free: FreeSpace,
    is_out: BoolColumn,
) -> None:
    """Mark bins whose loudest level is above what its cell can cause there in free space.

    The cell's mast stands somewhere about one of the places first_place .. end_place; none where that is not known.
    """
    for i in range(len(loudest_mdbm)):
        nearest_m = np.inf
        for p in range(first_place[i], end_place[i]):
            apart_m = distance_m(
                latitude_deg[i], longitude_deg[i], place_latitude_deg[p], place_longitude_deg[p]
            )
            nearest_m = min(nearest_m, apart_m - place_extent_m[p] - free.mast_distance_max_m)
        if nearest_m < NEAR_M or nearest_m == np.inf:
            continue
        loss_db = FREE_SPACE_DB + 20.0 * np.log10(free.frequency_min_mhz * nearest_m / 1000.0)
        is_out[i] = loudest_mdbm[i] > 1000.0 * (free.eirp_max_dbm - loss_db + free.margin_db)
