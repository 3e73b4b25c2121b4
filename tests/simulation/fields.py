"""Radio fields over the place cells of a footprint, whose true share of cells meeting the floor is known and can be set.

The level of a place cell is a mean that falls in one direction (the mast stands on one side) and a shadow: Gaussian in
dB, correlated exponentially (Gudmundson 1991). What a phone adds to it is no part of the truth: see `measuring`.
"""

from dataclasses import dataclass

import numpy as np

from phusong.kernels.columns import Float64Column, Int64Column
from phusong.verifier.coverage.footprint import parts_of, places_of
from phusong.verifier.registry.sites import SitePart

CELL_M = 50
# Beyond it a shadow of 200 m is forgotten to 1 %: fields are drawn on a torus this much wider than the footprint.
MARGIN_M = 1000


@dataclass(frozen=True, slots=True)
class Terrain:
    """What a footprint's field is drawn from."""

    radius_m: int
    shadow_db: float = 6.0
    correlation_m: float = 100.0
    tilt_db: float = 6.0  # at most so much the mean falls from one rim to the other

    @property
    def cells(self) -> Int64Column:
        """The product's own place cells of a circle of this radius, shape (cells, 2): east and north."""
        part = SitePart(
            name="", latitude_deg=21.0, longitude_deg=105.5, extent_m=self.radius_m, polygon=()
        )
        return np.stack(places_of(parts_of([part], CELL_M), 0), axis=1)


def draw_levels(rng: np.random.Generator, terrain: Terrain, site_count: int) -> Float64Column:
    """Return the level of every place cell of so many sites, shape (sites, cells), around 0 dB."""
    cells = terrain.cells
    width = int(np.ptp(cells[:, 0])) + 1 + MARGIN_M // CELL_M
    amplitude = _amplitude(terrain, width)
    east, north = (cells - cells.min(axis=0)).T
    shadow = np.empty((site_count + 1, len(cells)))
    for site in range(0, site_count, 2):
        noise = rng.standard_normal((width, width)) + 1j * rng.standard_normal((width, width))
        field = np.fft.fft2(amplitude * noise)
        shadow[site], shadow[site + 1] = field.real[east, north], field.imag[east, north]
    bearing = rng.uniform(0, 2 * np.pi, site_count)
    fall_db = rng.uniform(0, terrain.tilt_db, site_count) / (2 * terrain.radius_m)
    slope = np.stack((np.cos(bearing) * fall_db, np.sin(bearing) * fall_db), axis=1)
    levels: Float64Column = shadow[:site_count] + slope @ (cells.T * CELL_M)
    return levels


def _amplitude(terrain: Terrain, width: int) -> Float64Column:
    """Return the square root of the spectrum of an exponential correlation on a torus."""
    step = np.minimum(np.arange(width), width - np.arange(width)) * float(CELL_M)
    distance_m = np.hypot(step[:, None], step[None, :])
    covariance = terrain.shadow_db**2 * np.exp(-distance_m / terrain.correlation_m)
    spectrum = np.maximum(np.fft.fft2(covariance).real, 0.0) / width**2
    return np.sqrt(spectrum)


def with_share(levels: Float64Column, met_count: int, floor_dbm: float) -> Float64Column:
    """Return the fields shifted so that exactly so many cells of each site meet the floor."""
    falling = -np.sort(-levels, axis=1)
    cell_count = levels.shape[1]
    last_met = falling[:, max(met_count - 1, 0)]
    first_missed = falling[:, min(met_count, cell_count - 1)]
    edge = (last_met + first_missed) / 2
    if met_count == 0:
        edge = falling[:, 0] + 1.0
    if met_count == cell_count:
        edge = falling[:, -1] - 1.0
    shifted: Float64Column = levels - edge[:, None] + floor_dbm
    assert ((shifted >= floor_dbm).sum(axis=1) == met_count).all()
    return shifted
