"""Where the masts of cells stand, as far as anything says: about the parts of the sites they report to be built for."""

from typing import NamedTuple

import numpy as np

from phusong.kernels.columns import Float64Column, Int64Column
from phusong.kernels.identity import EMPTY, KeyTable
from phusong.kernels.plmn import operator_of
from phusong.kernels.wire.text import text_hash
from phusong.verifier.coverage.footprint import Footprints
from phusong.verifier.registry.sites import SiteRegister


class Masts(NamedTuple):
    """Cells by (key of the operator, cell identity), and the places about which each one's mast stands."""

    cells: KeyTable
    first: Int64Column  # places of a cell: first[cell] .. first[cell + 1]
    latitude_deg: Float64Column
    longitude_deg: Float64Column
    extent_m: Float64Column

    def places_of(
        self, operator: Int64Column, cell: Int64Column
    ) -> tuple[Int64Column, Int64Column]:
        """Return where the places of cells begin and end; nowhere for a cell that nothing is known of."""
        row = self.cells.find(operator, cell)
        is_known = row != EMPTY
        row = np.where(is_known, row, 0)
        first = np.where(is_known, self.first[:-1][row] if len(self.first) > 1 else 0, 0)
        end = np.where(is_known, self.first[1:][row] if len(self.first) > 1 else 0, 0)
        return first, end

    def is_as(self, other: "Masts") -> bool:
        """Tell whether others say the same of every cell."""
        mine, others = (self.cells.keys, *self[1:]), (other.cells.keys, *other[1:])
        return all(np.array_equal(a, b) for a, b in zip(mine, others, strict=True))


def masts_of(claim_keys: Int64Column, sites: SiteRegister, footprints: Footprints) -> Masts:
    """Return the masts of cells that claim listed sites.

    claim_keys: int64[n, 3 or more], PLMN, cell identity and hash of the site's code, as sorted by `CellState`. A
    cell that claims several sites may stand about any of them.
    """
    code = np.array([text_hash(site.code) for site in sites.sites], np.int64)
    order = np.argsort(code)
    plmn, cell, claimed = claim_keys[:, :3].T
    place = np.searchsorted(code, claimed, sorter=order)
    site = order[np.minimum(place, len(order) - 1)] if len(order) else place
    known = np.flatnonzero(code[site] == claimed) if len(order) else np.empty(0, np.int64)
    plmns, which = np.unique(plmn[known], return_inverse=True)
    operator = np.array([text_hash(operator_of(p)) for p in plmns.tolist()], np.int64)[which]
    cells = KeyTable(2)
    row = cells.rows_of(operator, cell[known])
    part_count = np.diff(footprints.part_start)[site[known]]
    owner = np.repeat(row, part_count)
    offset = np.arange(len(owner)) - np.repeat(np.cumsum(part_count) - part_count, part_count)
    part = np.repeat(footprints.part_start[site[known]], part_count) + offset
    by_cell = np.lexsort((part, owner))
    parts = footprints.parts
    part = part[by_cell]
    return Masts(
        cells,
        np.searchsorted(owner[by_cell], np.arange(cells.count + 1)).astype(np.int64),
        parts.latitude_deg[part],
        parts.longitude_deg[part],
        parts.extent_m[part],
    )
