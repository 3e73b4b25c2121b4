import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phusong.kernels.screen_places import FreeSpace, mark_shared_positions, mark_too_loud
from reference import plausibility

FREE = FreeSpace(
    eirp_max_dbm=43.0, frequency_min_mhz=700.0, margin_db=12.0, mast_distance_max_m=10_000.0
)

small = st.integers(0, 3)


@settings(deadline=None)
@given(st.lists(st.tuples(small, small, st.integers(0, 8)), max_size=40), st.integers(1, 4))
def test_shared_positions_are_those_of_the_reference(
    bins: list[tuple[int, int, int]], device_count_max: int
) -> None:
    place, position, device = np.array(bins, np.int64).reshape(-1, 3).T
    is_out = np.zeros(len(bins), np.bool_)

    order = np.lexsort((device, position, place))
    mark_shared_positions(order, place, position, device, device_count_max, is_out)

    assert set(np.flatnonzero(is_out).tolist()) == plausibility.shared(bins, device_count_max)


def is_too_loud(level_dbm: float, *masts_km: float, extent_m: float = 500.0) -> bool:
    is_out = np.zeros(1, np.bool_)
    count = len(masts_km)
    mark_too_loud(
        np.array([21.0]),
        np.array([105.5]),
        np.array([int(level_dbm * 1000)]),
        np.zeros(1, np.int64),
        np.array([count]),
        np.array([21.0 + km * 1000 / plausibility.DEGREE_M for km in masts_km]),
        np.full(count, 105.5),
        np.full(count, extent_m),
        FREE,
        is_out,
    )
    return bool(is_out[0])


def loudest_dbm(km: float) -> float:
    """Return what free space and three standard deviations allow, the mast being as near as it may."""
    nearest_km = km - 10.5
    loss_db = 20 * math.log10(nearest_km) + 20 * math.log10(700) + 32.45
    return 43 - loss_db + 12


@pytest.mark.parametrize("km", [15.0, 40.0, 300.0])
def test_a_level_above_free_space_and_its_margin_cannot_be(km: float) -> None:
    assert is_too_loud(loudest_dbm(km) + 0.1, km)
    assert not is_too_loud(loudest_dbm(km) - 0.1, km)


def test_near_its_mast_a_level_proves_nothing() -> None:
    assert not is_too_loud(-43.0, 11.4)


def test_where_nothing_is_known_of_the_mast_nothing_is_judged() -> None:
    assert not is_too_loud(-43.0)


def test_a_cell_of_several_sites_may_stand_at_the_nearest() -> None:
    assert is_too_loud(-50.0, 300.0)
    assert not is_too_loud(-50.0, 300.0, 2.0)
