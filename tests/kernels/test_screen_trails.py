from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phusong.kernels.screen_trails import Heard, Stuck, mark_stuck_cells, mark_stuck_levels
from phusong.kernels.trails import Visits
from reference.plausibility import stuck_levels

LTE = 3
STUCK = Stuck(place_count=4, extent_m=1000.0, cell_reach_m=100_000.0)
STEP_DEG = 0.004  # 445 m


def run(mark: Any, rows: list[dict[str, Any]]) -> list[int]:
    count = len(rows)

    def column(name: str, default: Any) -> Any:
        return np.array([row.get(name, default) for row in rows], np.int64)

    whole, level = np.zeros(count, np.int64), [row["level"] for row in rows]
    mdbm = np.array([0 if one is None else int(one * 1000) for one in level], np.int64)
    visits = Visits(
        np.array([row["place"][0] for row in rows], np.float64),
        np.array([row["place"][1] for row in rows], np.float64),
        *[whole] * 6,
        np.array([row["cell"] << 32 for row in rows], np.int64),
    )
    heard = Heard(
        rat=column("rat", LTE),
        has_level=np.array([one is not None for one in level], np.bool_),
        quietest_mdbm=mdbm,
        loudest_mdbm=mdbm + column("spread_mdb", 0),
        cell_low=column("cell_low", -1),
        cell_high=column("cell_high", -1),
    )
    is_out = np.zeros(count, np.bool_)
    mark(np.array([0, count]), visits, heard, STUCK, is_out)
    return np.flatnonzero(is_out).tolist()


def row(step: int, level: float | None = -95.0, **fields: Any) -> dict[str, Any]:
    return {"place": (21.0 + step * STEP_DEG, 105.5), "cell": step, "level": level} | fields


rows_of_walks = st.lists(
    st.builds(
        row,
        st.integers(0, 4),
        st.sampled_from([None, -95.0, -95.0, -95.0, -94.0, -140.0, -43.0]),
    ),
    max_size=14,
)


@settings(deadline=None)
@given(rows_of_walks)
def test_matches_the_reference(rows: list[dict[str, Any]]) -> None:
    expected = stuck_levels(rows, STUCK.place_count, STUCK.extent_m, (-140.0, -43.0))

    assert run(mark_stuck_levels, rows) == sorted(expected)


@pytest.mark.parametrize(
    ("rows", "is_out"),
    [
        ([row(step) for step in range(4)], True),
        ([row(0)] * 50, False),  # nobody moves
        ([row(step) for step in range(3)], False),  # too few place cells
        ([row(step % 2) for step in range(9)], False),  # too little ground
        ([row(step, -95.0 + step % 2) for step in range(9)], False),
        ([row(step, -140.0) for step in range(9)], False),  # the end of the scale says "at most"
        ([row(step, spread_mdb=1000) for step in range(9)], False),
        ([row(step, rat=3 + step % 2) for step in range(9)], False),
        ([row(step) for step in range(2)] + [row(2, None)] + [row(3), row(4)], False),
    ],
)
def test_one_level_to_the_digit_over_much_ground_is_a_stuck_radio(
    rows: list[dict[str, Any]], is_out: bool
) -> None:
    assert run(mark_stuck_levels, rows) == (list(range(len(rows))) if is_out else [])


def served(degrees: float, cell: int, **fields: Any) -> dict[str, Any]:
    known = {"cell_low": cell, "cell_high": cell} | fields
    return {"place": (10.0 + degrees, 105.5), "cell": 0, "level": -95.0} | known


@pytest.mark.parametrize(
    ("rows", "is_out"),
    [
        ([served(0, 7), served(1.9, 7)], True),
        ([served(0, 7), served(1.7, 7)], False),  # 189 km: two ends of one cell
        ([served(0, 7), served(1.9, 8)], False),
        ([served(0, -1), served(1.9, -1)], False),  # nobody says which cell
        ([served(0, 7), served(1.9, 7, cell_high=8)], False),
    ],
)
def test_one_cell_over_more_ground_than_it_reaches_is_a_stuck_radio(
    rows: list[dict[str, Any]], is_out: bool
) -> None:
    assert run(mark_stuck_cells, rows) == (list(range(len(rows))) if is_out else [])
