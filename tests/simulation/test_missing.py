"""Whoever brings the evidence that `missing` asks for gets a verdict: the numbers and the places it names really decide."""

import re
from collections import Counter

import numpy as np
import pytest

from phusong.kernels.columns import Int64Column
from phusong.kernels.locate import DEGREE_M
from phusong.verifier.coverage.footprint import footprints_of, places_without
from phusong.verifier.coverage.records import SiteVerdict, Verdict
from phusong.verifier.registry.plane import degree_east_m
from phusong.verifier.registry.sites import SiteRegister, read_sites
from simulation.campaign import Campaign
from simulation.fields import CELL_M, Terrain
from simulation.measuring import POLICY, Phones, judge
from simulation.samplers import TRIP_COUNT, VISITS_PER_PLACE, Visits, joined, random_places

EXACT = Phones(offset_db=0.0, fading_paths=0.0)
SITE_COUNT = 40
SQUARE_CELLS = POLICY.place.cluster_size_m // POLICY.place.cell_size_m
ASKED = re.compile(r"(?:about )?([\d,]+) more place cells?\b")
SEED = 3667


def asked_of(row: SiteVerdict) -> int:
    """Return how many more place cells a row asks for."""
    found = (ASKED.match(words) for words in row.missing)
    return max((int(match[1].replace(",", "")) for match in found if match), default=0)


def named_cells(terrain: Terrain, surveyed: Int64Column) -> list[int]:
    """Return the place cells nobody surveyed, in the order in which the product names them, as rows of the terrain."""
    register = read_sites(
        b"site_code,name,province_code,list,operators,latitude_deg,longitude_deg,radius_m\n"
        b"S,S,02,1910,viettel,10.0,105.0,%g\n" % terrain.radius_m
    )
    assert isinstance(register, SiteRegister)
    footprints = footprints_of(register, POLICY.place.cell_size_m, SQUARE_CELLS)
    east, north = terrain.cells[surveyed].T.copy()
    row_of = {tuple(cell): row for row, cell in enumerate(terrain.cells.tolist())}
    middles = places_without(footprints, 0, east, north, SQUARE_CELLS)
    return [
        row_of[
            int((lon - 105.0) * degree_east_m(10.0) // CELL_M),
            int((lat - 10.0) * DEGREE_M // CELL_M),
        ]
        for lat, lon in middles
    ]


def follow(terrain: Terrain, visits: Visits, rows: list[SiteVerdict]) -> Visits:
    """Return the visits, and those that the rows ask for: so many of the place cells they name, each on two trips."""
    sites, cells = [], []
    for site, row in enumerate(rows):
        surveyed = np.unique(visits.cell[visits.site == site])
        more = named_cells(terrain, surveyed)[: asked_of(row)]
        sites += [site] * len(more) * VISITS_PER_PLACE
        cells += [cell for cell in more for _ in range(VISITS_PER_PLACE)]
    trip = np.arange(len(sites)) % TRIP_COUNT
    return joined([visits, Visits(np.array(sites, np.int64), np.array(cells, np.int64), trip)])


@pytest.mark.parametrize(("radius_m", "surveyed_share"), [(200, 0.5), (300, 0.31)])
def test_so_many_more_place_cells_as_are_asked_for_decide(
    radius_m: float, surveyed_share: float
) -> None:
    terrain = Terrain(radius_m, 6.0, 100.0)
    rng = np.random.default_rng(SEED)
    levels = Campaign("random", terrain, 1000, site_count=SITE_COUNT).levels_dbm(rng)
    visits = random_places(rng, terrain, SITE_COUNT, surveyed_share)
    before = judge(rng, terrain, levels, visits, EXACT)

    after = judge(rng, terrain, levels, follow(terrain, visits, before), EXACT)

    assert Counter(row.verdict for row in before) == {Verdict.INSUFFICIENT: SITE_COUNT}
    assert all(0 < asked_of(row) < len(terrain.cells) for row in before)
    assert Counter(row.verdict for row in after) == {Verdict.COVERED: SITE_COUNT}


def test_following_the_advice_leads_from_a_few_places_to_a_verdict() -> None:
    """First what a verdict asks at least, then what decides: two rounds, and a third for luck."""
    terrain = Terrain(300, 6.0, 100.0)
    rng = np.random.default_rng(SEED)
    levels = Campaign("random", terrain, 1000, site_count=SITE_COUNT).levels_dbm(rng)
    visits = random_places(rng, terrain, SITE_COUNT, 0.05)

    for _ in range(3):
        rows = judge(rng, terrain, levels, visits, EXACT)
        assert all(asked_of(row) for row in rows if row.verdict is Verdict.INSUFFICIENT)
        visits = follow(terrain, visits, rows)

    assert Counter(row.verdict for row in judge(rng, terrain, levels, visits, EXACT)) == {
        Verdict.COVERED: SITE_COUNT
    }
