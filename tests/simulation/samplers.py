"""Ways to survey a footprint: who stands in which place cell on which trip.

A trip is one device in one window of one day. Every sampler returns the visits of all sites at once.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from phusong.kernels.columns import BoolColumn, Int64Column
from simulation.fields import CELL_M, Terrain

DEVICE_COUNT = 4
TRIP_COUNT = 4  # two mornings and two afternoons
VISITS_PER_PLACE = 2
HOME_TRIP_COUNT = 200  # readings of a phone that stays: the same place in ever new windows
HOME_COUNT_MAX = 3
STRETCH_COUNT_MAX = 400  # of straight road in one footprint


class Visits(NamedTuple):
    """One row per visit of a place cell."""

    site: Int64Column
    cell: Int64Column  # row of Terrain.cells
    trip: Int64Column


Sampler = Callable[[np.random.Generator, Terrain, int, float], Visits]


def random_places(
    rng: np.random.Generator, terrain: Terrain, site_count: int, share: float
) -> Visits:
    """Survey a share of the place cells, each as likely as any other, each on two of the trips."""
    cell_count = len(terrain.cells)
    chosen_count = int(np.ceil(share * cell_count))
    order = np.argsort(rng.random((site_count, cell_count)), axis=1)[:, :chosen_count]
    site = np.repeat(np.arange(site_count), chosen_count)
    return _visited(rng, site, order.ravel())


def roads(rng: np.random.Generator, terrain: Terrain, site_count: int, share: float) -> Visits:
    """Drive straight roads across the footprint until a share of its place cells is surveyed; a road a trip, in turn."""
    middles_m = (terrain.cells + 0.5) * CELL_M
    wanted = share * len(middles_m)
    visits = []
    for site in range(site_count):
        done, road = np.zeros(len(middles_m), np.bool_), 0
        while done.sum() < wanted and road < STRETCH_COUNT_MAX:
            on_road = _on_a_road(rng, terrain, middles_m)
            cell = np.flatnonzero(on_road)
            visits.append(np.stack((np.full(len(cell), site), cell, cell * 0 + road % TRIP_COUNT)))
            done |= on_road
            road += 1
    return Visits(*np.concatenate(visits, axis=1))


def mixed(rng: np.random.Generator, terrain: Terrain, site_count: int, share: float) -> Visits:
    """Survey half by road, as much again at places no road passes, and have three phones stay at home."""
    driven = roads(rng, terrain, site_count, share / 2)
    cell_count = len(terrain.cells)
    is_driven = np.zeros((site_count, cell_count), np.bool_)
    is_driven[driven.site, driven.cell] = True
    # The rest is drawn from what no road passes: driven places come last.
    order = np.argsort(rng.random((site_count, cell_count)) + is_driven, axis=1)
    wanted = np.maximum(np.ceil(share * cell_count) - is_driven.sum(axis=1), 0)
    site, rank = np.nonzero(np.arange(cell_count) < wanted[:, None])
    walked = _visited(rng, site, order[site, rank])
    homes = (_at_home(rng, terrain, site_count, home) for home in range(HOME_COUNT_MAX))
    return joined([driven, walked, *homes])


def stationary(rng: np.random.Generator, terrain: Terrain, site_count: int, share: float) -> Visits:
    """Have one phone send for weeks from one place. The share asked for is of no concern to it."""
    return _at_home(rng, terrain, site_count)


def home_and_rest(
    rng: np.random.Generator, terrain: Terrain, site_count: int, share: float
) -> Visits:
    """Survey random places, and have one phone send hundreds of readings from home."""
    return joined(
        [random_places(rng, terrain, site_count, share), _at_home(rng, terrain, site_count)]
    )


def western_half(
    rng: np.random.Generator, terrain: Terrain, site_count: int, share: float
) -> Visits:
    """Survey every place cell of the western half, and nothing else."""
    west = np.flatnonzero(terrain.cells[:, 0] < 0)
    site = np.repeat(np.arange(site_count), len(west))
    return _visited(rng, site, np.tile(west, site_count))


def census(rng: np.random.Generator, terrain: Terrain, site_count: int, share: float) -> Visits:
    """Survey every place cell."""
    return random_places(rng, terrain, site_count, 1.0)


SAMPLERS: dict[str, Sampler] = {
    "random": random_places,
    "road": roads,
    "mixed": mixed,
    "stationary": stationary,
    "home": home_and_rest,
    "half": western_half,
    "census": census,
}


def joined(parts: list[Visits]) -> Visits:
    """Return the visits of several surveys of the same sites."""
    return Visits(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def device_of(trip: Int64Column) -> Int64Column:
    """Return who made a trip: surveyors take turns, and each phone at home is one more device."""
    home = (trip - TRIP_COUNT) // HOME_TRIP_COUNT
    return np.where(trip >= TRIP_COUNT, DEVICE_COUNT + home, trip % DEVICE_COUNT)


def _visited(rng: np.random.Generator, site: Int64Column, cell: Int64Column) -> Visits:
    """Return two visits of each place, on different trips."""
    first = rng.integers(0, TRIP_COUNT, len(site))
    later = first + rng.integers(1, TRIP_COUNT, len(site))
    trip = np.concatenate((first, later % TRIP_COUNT))
    return Visits(
        np.tile(site, VISITS_PER_PLACE), np.tile(cell, VISITS_PER_PLACE), trip.astype(np.int64)
    )


def _at_home(rng: np.random.Generator, terrain: Terrain, site_count: int, home: int = 0) -> Visits:
    cell = rng.integers(0, len(terrain.cells), site_count)
    trip = TRIP_COUNT + home * HOME_TRIP_COUNT + np.arange(HOME_TRIP_COUNT)
    return Visits(
        np.repeat(np.arange(site_count), HOME_TRIP_COUNT),
        np.repeat(cell, HOME_TRIP_COUNT),
        np.tile(trip, site_count),
    )


def _on_a_road(rng: np.random.Generator, terrain: Terrain, middles_m: Int64Column) -> BoolColumn:
    """Tell which place cells a straight road of any bearing passes."""
    bearing = rng.uniform(0, np.pi)
    aside_m = middles_m @ np.array([np.cos(bearing), np.sin(bearing)])
    passed: BoolColumn = (
        np.abs(aside_m - rng.uniform(-terrain.radius_m, terrain.radius_m)) <= CELL_M / 2
    )
    return passed
