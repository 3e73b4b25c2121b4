"""Locate and bin: which readings lie in which of 2,193 sites, and how many in each place cell.

SciPy's cKDTree answers "which sites are near" in metres of a plane, on two threads; NumPy then does what is left: the
place cell, whether its middle lies in the footprint, and the counts. The kernels run on one. Both give the same (site, cell, count) rows, which
is asserted. Positions come as a day's would: most within a walk of some site, one in five anywhere in the country.
"""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from phusong.kernels.locate import DEGREE_M, Located, PartIndex, Parts, index_parts, locate_readings
from phusong.kernels.tally import Tally

SITE_COUNT = 2193
READING_COUNT = 1_000_000
RADIUS_M = 1000.0
CELL_M = 50.0
BATCH = 100_000  # about what the readings of one commit of 4 MiB come to


def make_parts(rng: np.random.Generator) -> Parts:
    latitude = rng.uniform(8.5, 23.3, SITE_COUNT)
    return Parts(
        latitude_deg=latitude,
        longitude_deg=rng.uniform(102.2, 109.4, SITE_COUNT),
        extent_m=np.full(SITE_COUNT, RADIUS_M),
        degree_east_m=DEGREE_M * np.cos(np.radians(latitude)),
        vertex_start=np.zeros(SITE_COUNT + 1, np.int64),
        vertex_east_m=np.empty(0),
        vertex_north_m=np.empty(0),
        cell_size_m=CELL_M,
    )


def make_positions(rng: np.random.Generator, parts: Parts) -> tuple[np.ndarray, np.ndarray]:
    site = rng.integers(0, SITE_COUNT, READING_COUNT)
    north_m, east_m = rng.normal(0.0, RADIUS_M / 2, (2, READING_COUNT))
    latitude = parts.latitude_deg[site] + north_m / DEGREE_M
    longitude = parts.longitude_deg[site] + east_m / parts.degree_east_m[site]
    is_anywhere = rng.random(READING_COUNT) < 0.2
    count = int(is_anywhere.sum())
    latitude[is_anywhere] = rng.uniform(8.5, 23.3, count)
    longitude[is_anywhere] = rng.uniform(102.2, 109.4, count)
    return latitude, longitude


RNG = np.random.default_rng(2021)
PARTS = make_parts(RNG)
LATITUDE, LONGITUDE = make_positions(RNG, PARTS)
INDEX = index_parts(PARTS)


LOAD = f"{READING_COUNT:,} readings, {SITE_COUNT:,} sites"


@pytest.fixture
def binning(benchmark):
    benchmark.group = f"locate and bin: {LOAD}"
    benchmark.extra_info["rows"] = READING_COUNT
    return benchmark


@pytest.fixture
def locating(benchmark):
    benchmark.group = f"locate: {LOAD}"
    benchmark.extra_info["rows"] = READING_COUNT
    return benchmark


def locate_all(parts: Parts, index: PartIndex) -> list[Located]:
    return [
        locate_readings(LATITUDE[i : i + BATCH], LONGITUDE[i : i + BATCH], parts, index)
        for i in range(0, READING_COUNT, BATCH)
    ]


def kernel_bins() -> tuple[np.ndarray, np.ndarray]:
    tally = Tally(3)
    for located in locate_all(PARTS, INDEX):
        tally.add(located.part, located.cell_east, located.cell_north)
    return tally.export()


def tree_pairs() -> tuple[np.ndarray, ...]:
    """Return site, cell east and cell north of every reading in a footprint."""
    scale = np.array([DEGREE_M, float(PARTS.degree_east_m.max())])
    tree = cKDTree(np.stack((PARTS.latitude_deg, PARTS.longitude_deg), axis=1) * scale)
    sites, cells = [], []
    # The plane of the tree has one width of a degree for all; the footprint is measured by each site's own.
    reach_m = (RADIUS_M + CELL_M) * float((scale[1] / PARTS.degree_east_m).max())
    for i in range(0, READING_COUNT, BATCH):
        latitude, longitude = LATITUDE[i : i + BATCH], LONGITUDE[i : i + BATCH]
        points = np.stack((latitude, longitude), axis=1) * scale
        near = tree.query_ball_point(points, reach_m, workers=2, return_sorted=False)
        count = np.fromiter(map(len, near), np.int64, len(near))
        site = np.concatenate([found for found in near if found]).astype(np.int64)
        row = np.repeat(np.arange(len(near)), count)
        north_m = (latitude[row] - PARTS.latitude_deg[site]) * DEGREE_M
        east_m = (longitude[row] - PARTS.longitude_deg[site]) * PARTS.degree_east_m[site]
        east, north = np.floor(east_m / CELL_M), np.floor(north_m / CELL_M)
        middle_m = (np.stack((east, north)) + 0.5) * CELL_M
        is_inside = (middle_m**2).sum(axis=0) <= RADIUS_M**2
        sites.append(site[is_inside])
        cells.append(np.stack((east, north)).astype(np.int64)[:, is_inside])
    east, north = np.concatenate(cells, axis=1)
    return np.concatenate(sites), east, north


def tree_bins() -> tuple[np.ndarray, np.ndarray]:
    site, east, north = tree_pairs()
    # One number per bin, because NumPy finds distinct numbers far quicker than distinct rows.
    code, count = np.unique((site * 64 + east + 32) * 64 + north + 32, return_counts=True)
    keys = np.stack((code // 4096, code // 64 % 64 - 32, code % 64 - 32), axis=1)
    return keys, count


def test_kernels(binning) -> None:
    kernel_bins()  # compiles

    keys, count = binning(kernel_bins)

    other_keys, other_count = tree_bins()
    assert (keys == other_keys).all()
    assert (count == other_count).all()


def test_scipy(binning) -> None:
    keys, _ = binning.pedantic(tree_bins, rounds=3, warmup_rounds=1)

    assert len(keys)


def test_kernels_locate(locating) -> None:
    located = locating(locate_all, PARTS, INDEX)

    assert sum(len(batch.reading) for batch in located) > READING_COUNT / 2


def test_scipy_locate(locating) -> None:
    site, _, _ = locating.pedantic(tree_pairs, rounds=3, warmup_rounds=1)

    assert len(site) > READING_COUNT / 2
