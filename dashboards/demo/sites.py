"""Synthetic sites: where they lie, who is to build there, and how each operator really serves them.

Names and places are invented; only the provinces are real.
"""

import math
from dataclasses import dataclass
from enum import Enum

import numpy as np

from phusong.dashboards.demo.provinces import Province

# More would put neighbouring sites of the smallest province (circle of 6.9 km) into each other's footprint.
SITE_COUNT_MAX = 1_000
PART_COUNT_MAX = 3

LIST_URGENT = "283"
LIST_NATIONWIDE = "1910"
# Of 2,193 points on both lists 283 are urgent: they lie in provinces under Directive 16, here the south and Hà Nội.
DIRECTIVE_16_CODES = frozenset(
    (
        *("01", "70", "72", "74", "75", "77", "79", "80", "82", "83"),
        *("84", "86", "87", "89", "91", "92", "93", "94", "95", "96"),
    )
)
URGENT_SHARE = (
    0.4  # of the sites in those provinces, so that about one site in eight is on the short list
)

BUILDERS = ("viettel", "vinaphone", "mobifone")
OPERATORS = (*BUILDERS, "itelecom")
VIRTUAL_HOST = {"itelecom": "vinaphone"}  # whose network serves a virtual operator's customers

EARTH_DEGREE_M = 111_195.0
GOLDEN_ANGLE = math.pi * (3 - math.sqrt(5))

# How many meeting places, hamlets and clusters are called.
HAMLET_WORDS = ("Thôn", "Bản", "Ấp", "Buôn", "Xóm", "Khóm")


class Situation(Enum):
    """How an operator really serves a site, and how well that has been measured."""

    COVERED = "LTE well above the floor everywhere"
    WEAK = "LTE below the floor in much of the footprint"
    SILENT = "no service in most of the footprint"
    OLD = "only 2G and 3G"
    HARDLY = "a handful of readings"
    UNTESTED = "no reading at all"
    BORDER = "so near the border that any verdict may be right"


# Shares of pairs of site and operator. BORDER is not compared with the truth, so it is kept small.
SITUATION_SHARES = {
    Situation.COVERED: 0.46,
    Situation.WEAK: 0.15,
    Situation.SILENT: 0.11,
    Situation.OLD: 0.05,
    Situation.HARDLY: 0.11,
    Situation.UNTESTED: 0.10,
    Situation.BORDER: 0.02,
}


@dataclass(frozen=True, slots=True)
class Part:
    """One circle of a site's footprint: the centre, or a residential cluster."""

    name: str
    latitude_deg: float
    longitude_deg: float
    radius_m: float


@dataclass(frozen=True, slots=True)
class Site:
    """One listed point. `situations` is parallel to `operators`."""

    site_code: str
    name: str
    province_code: str
    list_slug: str
    operators: tuple[str, ...]
    situations: tuple[Situation, ...]
    parts: tuple[Part, ...]


def make_sites(rng: np.random.Generator, provinces: list[Province], site_count: int) -> list[Site]:
    """Return `site_count` sites spread over the provinces, the same for the same generator state."""
    assert 0 < site_count <= SITE_COUNT_MAX
    order = rng.permutation(len(provinces))
    homes = [provinces[order[i % len(provinces)]] for i in range(site_count)]
    per_province = math.ceil(site_count / len(provinces))
    operators = [_draw_operators(rng) for _ in range(site_count)]
    situations = iter(_draw_situations(rng, sum(map(len, operators))))
    sites = []
    for i, (home, builders) in enumerate(zip(homes, operators, strict=True)):
        place = i // len(provinces)
        latitude_deg, longitude_deg = _spiral_point(home, place, per_province)
        word = HAMLET_WORDS[int(rng.integers(len(HAMLET_WORDS)))]
        is_urgent = home.gso_code in DIRECTIVE_16_CODES and rng.random() < URGENT_SHARE
        sites.append(
            Site(
                site_code=f"DEMO-{home.gso_code}-{place + 1:03d}",
                name=f"{word} {place + 1}, {home.name_vi}",
                province_code=home.gso_code,
                list_slug=LIST_URGENT if is_urgent else LIST_NATIONWIDE,
                operators=builders,
                situations=tuple(next(situations) for _ in builders),
                parts=_make_parts(rng, latitude_deg, longitude_deg),
            )
        )
    return sites


def moved(
    latitude_deg: float, longitude_deg: float, east_m: float, north_m: float
) -> tuple[float, float]:
    """Return the point so many metres east and north: good to a metre over the few kilometres of a site."""
    return (
        latitude_deg + north_m / EARTH_DEGREE_M,
        longitude_deg + east_m / (EARTH_DEGREE_M * math.cos(math.radians(latitude_deg))),
    )


def _draw_operators(rng: np.random.Generator) -> tuple[str, ...]:
    count = 1 + int(rng.choice(3, p=(0.6, 0.3, 0.1)))
    chosen = rng.permutation(len(BUILDERS))[:count]
    return tuple(BUILDERS[i] for i in sorted(chosen))


def _draw_situations(rng: np.random.Generator, count: int) -> list[Situation]:
    # Exact shares, then shuffled: even twenty sites then show every situation that fits in.
    edges = np.cumsum(list(SITUATION_SHARES.values()))
    position = np.searchsorted(edges, (np.arange(count) + 0.5) / count * edges[-1])
    kinds = list(SITUATION_SHARES)
    return [kinds[i] for i in rng.permutation(position)]


def _spiral_point(province: Province, place: int, place_count: int) -> tuple[float, float]:
    # A sunflower's spiral keeps neighbours apart: over 2 km here for 16 sites in the smallest circle.
    radius_m = 0.85 * province.radius_m * math.sqrt((place + 0.5) / place_count)
    angle = place * GOLDEN_ANGLE + int(province.gso_code)
    east_m, north_m = radius_m * math.cos(angle), radius_m * math.sin(angle)
    return moved(province.latitude_deg, province.longitude_deg, east_m, north_m)


def _make_parts(
    rng: np.random.Generator, latitude_deg: float, longitude_deg: float
) -> tuple[Part, ...]:
    parts = [Part("centre", latitude_deg, longitude_deg, float(rng.integers(260, 361)))]
    cluster_count = int(rng.choice(PART_COUNT_MAX, p=(0.55, 0.3, 0.15)))
    bearing = rng.random() * 2 * math.pi
    for i in range(cluster_count):
        # Half a turn or so between clusters, and no overlap with the centre's circle.
        angle = bearing + i * (2.0 + rng.random())
        east_m, north_m = 750 * math.cos(angle), 750 * math.sin(angle)
        point = moved(latitude_deg, longitude_deg, east_m, north_m)
        parts.append(Part(f"cluster-{i + 1}", *point, float(rng.integers(200, 281))))
    return tuple(
        Part(part.name, round(part.latitude_deg, 6), round(part.longitude_deg, 6), part.radius_m)
        for part in parts
    )
