"""One campaign: many sites drawn alike, surveyed alike, judged by the product."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from phusong.kernels.columns import Float64Column
from phusong.verifier.coverage.records import SiteVerdict, Verdict
from simulation.fields import Terrain, draw_levels, with_share
from simulation.measuring import FLOOR_DBM, POLICY, Phones, judge
from simulation.samplers import SAMPLERS

# How far apart the two halves of a footprint lie that is good in the west and bad in the east.
HALVES_DB = 40.0


@dataclass(frozen=True, slots=True)
class Campaign:
    """What is drawn, how it is surveyed, and how much of it meets the floor."""

    sampler: str
    terrain: Terrain
    met_permille: int  # true share of place cells meeting the floor
    is_below: bool = (
        False  # the most cells that are still less than the share; else the fewest that reach it
    )
    surveyed_share: float = 0.4
    phones: Phones = field(default_factory=Phones)
    is_halved: bool = False  # the bad ground lies in the eastern half
    site_count: int = 400

    def met_count(self, cell_count: int) -> int:
        """Return how many place cells of each site meet the floor."""
        reached = -(-self.met_permille * cell_count // 1000)
        return reached - 1 if self.is_below else reached

    def levels_dbm(self, rng: np.random.Generator) -> Float64Column:
        """Return the true level of every place cell, shape (sites, cells)."""
        levels = draw_levels(rng, self.terrain, self.site_count)
        if self.is_halved:
            levels = levels - HALVES_DB * (self.terrain.cells[:, 0] >= 0)
        return with_share(levels, self.met_count(levels.shape[1]), FLOOR_DBM)

    def rows(self, seed: int) -> list[SiteVerdict]:
        """Return the verdicts of all sites."""
        rng = np.random.default_rng(seed)
        levels = self.levels_dbm(rng)
        visits = SAMPLERS[self.sampler](rng, self.terrain, self.site_count, self.surveyed_share)
        return judge(rng, self.terrain, levels, visits, self.phones, POLICY)

    def verdicts(self, seed: int) -> Counter[Verdict]:
        """Return how many sites came out how."""
        return Counter(row.verdict for row in self.rows(seed))
