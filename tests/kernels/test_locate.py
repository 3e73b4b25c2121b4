import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phusong.kernels.locate import DEGREE_M, Parts, index_parts, locate_readings, write_places
from reference import places
from reference.places import Part

CELL_M = 50.0


def parts_of(found: list[Part]) -> Parts:
    east_m = [places.degree_east_m(part) for part in found]
    corners = [
        [((lon - p.longitude) * m, (lat - p.latitude) * DEGREE_M) for lat, lon in p.polygon]
        for p, m in zip(found, east_m, strict=True)
    ]
    flat = np.array([c for part in corners for c in part], np.float64).reshape(-1, 2)
    extent = [
        max((math.hypot(*c) for c in part), default=p.radius_m) * (1 + 1e-9 * bool(part))
        for p, part in zip(found, corners, strict=True)
    ]
    return Parts(
        np.array([p.latitude for p in found]),
        np.array([p.longitude for p in found]),
        np.array(extent, np.float64),
        np.array(east_m, np.float64),
        np.cumsum([0] + [len(part) for part in corners]),
        flat[:, 0].copy(),
        flat[:, 1].copy(),
        CELL_M,
    )


def run(positions: list[tuple[float, float]], found: list[Part]) -> set[tuple[int, int, int, int]]:
    parts = parts_of(found)
    latitude = np.array([p[0] for p in positions], np.float64)
    longitude = np.array([p[1] for p in positions], np.float64)
    pairs = locate_readings(latitude, longitude, parts, index_parts(parts))
    rows = list(zip(*(column.tolist() for column in pairs), strict=True))
    assert len(rows) == len(set(rows)), "no pair twice"
    return set(rows)


HAMLET = Part(21.0, 105.5, 500.0)
CORK = Part(51.89, -8.47, 1500.0)
TRIANGLE = Part(21.01, 105.51, 0.0, ((21.0, 105.5), (21.02, 105.505), (21.005, 105.52)))
PARTS = [
    HAMLET,
    Part(21.004, 105.503, 800.0),  # overlaps the hamlet
    CORK,
    TRIANGLE,
    Part(-33.0, -70.0, 20_000.0),
    Part(84.5, 30.0, 1000.0),
    Part(0.0, 0.0, 50.0),
    Part(10.0, 179.9, 500.0),
]


def near(part: Part) -> st.SearchStrategy[tuple[float, float]]:
    offset = st.floats(-1.2, 1.2)
    reach = max(part.radius_m, 2500.0 * bool(part.polygon))
    return st.tuples(offset, offset).map(
        lambda o: (
            part.latitude + o[0] * reach / DEGREE_M,
            part.longitude + o[1] * reach / places.degree_east_m(part),
        )
    )


anywhere = st.tuples(
    st.floats(-90, 90) | st.just(math.nan), st.floats(-180, 180) | st.just(math.inf)
)
positions = st.lists(st.one_of(*(near(part) for part in PARTS), anywhere), max_size=40)


@settings(deadline=None)
@given(positions, st.sets(st.integers(0, len(PARTS) - 1)))
def test_matches_the_reference(found: list[tuple[float, float]], chosen: set[int]) -> None:
    parts = [PARTS[i] for i in sorted(chosen)]

    assert run(found, parts) == places.located(found, parts, CELL_M)


@settings(deadline=None)
@given(positions, st.integers(0, 40))
def test_a_batch_may_be_cut_anywhere(found: list[tuple[float, float]], cut: int) -> None:
    cut = min(cut, len(found))
    behind = {(i + cut, *rest) for i, *rest in run(found[cut:], PARTS)}

    assert run(found[:cut], PARTS) | behind == run(found, PARTS)


def test_a_reading_may_lie_in_several_parts() -> None:
    assert {pair[:2] for pair in run([(21.002, 105.5015)], PARTS)} == {(0, 0), (0, 1), (0, 3)}


def test_more_pairs_than_readings_fit() -> None:
    assert len(run([(21.0, 105.5)] * 10, [HAMLET] * 5)) == 50


def test_the_centre_is_the_south_west_corner_of_cell_0_0() -> None:
    metre = 1 / DEGREE_M

    assert run([(21.0, 105.5)], [HAMLET]) == {(0, 0, 0, 0)}
    assert run([(21.0 - metre, 105.5 - metre)], [HAMLET]) == {(0, 0, -1, -1)}


@pytest.mark.parametrize("part", [part for part in PARTS if part.radius_m < 5000])
def test_the_footprint_is_the_cells_whose_middle_lies_in_it(part: Part) -> None:
    parts = parts_of([part])
    nothing = np.empty(0, np.int64)
    count = write_places(0, parts, nothing, nothing)
    east, north = np.empty(count, np.int64), np.empty(count, np.int64)
    write_places(0, parts, east, north)
    reach = range(-60, 60)

    expected = {
        (e, n)
        for e in reach
        for n in reach
        if places.is_in_outline(part, (e + 0.5) * CELL_M, (n + 0.5) * CELL_M)
    }

    assert len(expected) == count
    assert set(zip(east.tolist(), north.tolist(), strict=True)) == expected


def test_a_circle_of_500_m_has_316_place_cells() -> None:
    nothing = np.empty(0, np.int64)

    assert write_places(0, parts_of([HAMLET]), nothing, nothing) == 316


@pytest.mark.parametrize(
    "part",
    [Part(84.999, 0.0, 500.0), Part(10.0, 179.999, 500.0), Part(10.0, 10.0, 30_000.0)],
)
def test_poles_antimeridian_and_districts_are_refused_not_mismeasured(part: Part) -> None:
    with pytest.raises(AssertionError):
        index_parts(parts_of([part]))
