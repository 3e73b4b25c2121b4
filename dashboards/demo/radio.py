"""The true radio field of the synthetic world: level by place, with shadows that lie across neighbouring places.

Shadowing is a sum of random waves (a Gaussian random field, 6 dB, decorrelating over some 60 m): neighbouring
readings share their shadow, as on real drives, so that counting readings as independent would be found out.
"""

import math
from dataclasses import dataclass

import numpy as np

from phusong.dashboards.demo.sites import EARTH_DEGREE_M, Part, Situation
from phusong.kernels.columns import Float64Column

LTE_FLOOR_DBM = -121.0  # of the default policy
SERVICE_LOST_DBM = -127.0  # below it phones of the demo find no cell at all

SHADOW_DB = 6.0
SHADOW_LENGTH_M = 60.0
WAVE_COUNT = 24  # fewer look like corrugated iron

LATTICE_M = 20.0  # how finely the truth is known: finer than the shadow and than a place cell

# By how much covered places lie above the floor at the worst point, so that no verdict hangs on fading.
MARGIN_MIN_DB, MARGIN_MAX_DB = 8.0, 16.0


@dataclass(frozen=True, slots=True)
class Field:
    """The level of one operator over one part of a site, by metres east and north of the part's centre."""

    wave_east: Float64Column
    wave_north: Float64Column
    phase: Float64Column
    offset_dbm: float

    def level_dbm(self, east_m: Float64Column, north_m: Float64Column) -> Float64Column:
        """Return the level at every point, before fading."""
        level = np.full(len(east_m), self.offset_dbm)
        scale_db = SHADOW_DB * math.sqrt(2 / len(self.phase))
        for east, north, phase in zip(self.wave_east, self.wave_north, self.phase, strict=True):
            level += scale_db * np.cos(east * east_m + north * north_m + phase)
        return level


def make_field(rng: np.random.Generator, part: Part, situation: Situation) -> Field:
    """Return a field in which the share of `part` at or above the floor is what the situation says."""
    waves = rng.normal(0.0, 1.0 / SHADOW_LENGTH_M, size=(2, WAVE_COUNT))
    phase = rng.uniform(0.0, 2 * math.pi, WAVE_COUNT)
    flat = Field(waves[0], waves[1], phase, 0.0)
    level_db = np.sort(flat.level_dbm(*lattice(part, LATTICE_M)))
    match situation:
        case Situation.WEAK:
            share = rng.uniform(0.2, 0.6)
        case Situation.SILENT | Situation.OLD:
            share = rng.uniform(0.0, 0.05)
        case Situation.BORDER:
            share = rng.uniform(0.92, 0.97)
        case _:
            margin_db = rng.uniform(MARGIN_MIN_DB, MARGIN_MAX_DB)
            return Field(waves[0], waves[1], phase, LTE_FLOOR_DBM + margin_db - float(level_db[0]))
    at_floor_db = float(np.quantile(level_db, 1.0 - share))
    shift_db = -8.0 if situation is Situation.SILENT else 0.0
    return Field(waves[0], waves[1], phase, LTE_FLOOR_DBM - at_floor_db + shift_db)


def true_share(field: Field, part: Part) -> float:
    """Return the share of the part's places whose level is at or above the floor."""
    return float((field.level_dbm(*lattice(part, LATTICE_M)) >= LTE_FLOOR_DBM).mean())


def lattice(part: Part, step_m: float) -> tuple[Float64Column, Float64Column]:
    """Return the points of a square lattice inside a part, in the order of somebody walking it row by row."""
    half = math.ceil(part.radius_m / step_m)
    line = np.arange(-half, half + 1) * step_m
    # Every other row backwards: the walker turns round at the end of a row.
    east_m = np.concatenate([line[:: 1 - 2 * (i % 2)] for i in range(len(line))])
    north_m = np.repeat(line, len(line))
    is_inside = np.hypot(east_m, north_m) <= part.radius_m
    return east_m[is_inside], north_m[is_inside]


def degrees(
    part: Part, east_m: Float64Column, north_m: Float64Column
) -> tuple[Float64Column, Float64Column]:
    """Return latitude and longitude of points given in metres from the part's centre."""
    latitude_deg = part.latitude_deg + north_m / EARTH_DEGREE_M
    east_degree_m = EARTH_DEGREE_M * math.cos(math.radians(part.latitude_deg))
    return latitude_deg, part.longitude_deg + east_m / east_degree_m
