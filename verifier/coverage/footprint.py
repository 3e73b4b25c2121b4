"""The ground of all sites as arrays: parts to locate readings in, and how many place cells each has."""

from dataclasses import dataclass

import numpy as np

from phusong.kernels.columns import Int64Column
from phusong.kernels.identity import KeyTable
from phusong.kernels.locate import DEGREE_M, PartIndex, Parts, index_parts, write_places
from phusong.verifier.registry.plane import corners_m, degree_east_m
from phusong.verifier.registry.sites import SitePart, SiteRegister


@dataclass(frozen=True, slots=True, eq=False)
class Footprints:
    """Parts of all sites in the order of sites and then of parts; rows of `Parts` throughout."""

    parts: Parts
    index: PartIndex
    names: tuple[str, ...]
    site_row: Int64Column  # into SiteRegister.sites
    part_start: Int64Column  # parts of a site: part_start[site] .. part_start[site + 1]
    place_count: Int64Column  # place cells of each part: the finite population of its verdict
    squares: KeyTable  # the larger squares of all parts, by (part, square east, square north)
    square_place_count: Int64Column  # place cells of a part's footprint in each of its squares
    square_start: Int64Column  # squares of a part: square_start[part] .. square_start[part + 1]


def footprints_of(register: SiteRegister, cell_size_m: int, square_cells: int) -> Footprints:
    """Return the ground of a register; a square is `square_cells` place cells wide."""
    site_row = [row for row, site in enumerate(register.sites) for _ in site.parts]
    part_count = np.array([len(site.parts) for site in register.sites], np.int64)
    named = [part for site in register.sites for part in site.parts]
    parts = parts_of(named, cell_size_m)
    squares = KeyTable(3)
    place_count = np.zeros(len(named), np.int64)
    square_row = [np.empty(0, np.int64)]
    square_start = np.zeros(len(named) + 1, np.int64)
    for p in range(len(named)):
        east, north = places_of(parts, p)
        place_count[p] = len(east)
        part = np.full(len(east), p, np.int64)
        square_row.append(squares.rows_of(part, east // square_cells, north // square_cells))
        square_start[p + 1] = squares.count
    return Footprints(
        parts=parts,
        index=index_parts(parts),
        names=tuple(part.name for part in named),
        site_row=np.array(site_row, np.int64),
        part_start=np.concatenate((np.zeros(1, np.int64), np.cumsum(part_count))),
        place_count=place_count,
        squares=squares,
        square_place_count=np.bincount(np.concatenate(square_row)).astype(np.int64),
        square_start=square_start,
    )


def places_of(parts: Parts, part: int) -> tuple[Int64Column, Int64Column]:
    """Return the place cells of a part's footprint, as cells east and north of its centre."""
    nothing = np.empty(0, np.int64)
    count = write_places(part, parts, nothing, nothing)
    east, north = np.empty(count, np.int64), np.empty(count, np.int64)
    write_places(part, parts, east, north)
    return east, north


def squares_without(
    footprints: Footprints, part: int, east: Int64Column, north: Int64Column, square_cells: int
) -> list[tuple[float, float]]:
    """Return the middles, (latitude, longitude), of a part's squares in which none of some place cells lies.

    Those with the most ground first, then from south-west to north-east.
    """
    keys = footprints.squares.keys
    row = np.arange(footprints.square_start[part], footprints.square_start[part + 1])
    entered = set(
        zip((east // square_cells).tolist(), (north // square_cells).tolist(), strict=True)
    )
    parts, square_m = footprints.parts, square_cells * footprints.parts.cell_size_m
    found = sorted(
        (-int(footprints.square_place_count[r]), int(keys[r, 2]), int(keys[r, 1]))
        for r in row.tolist()
        if (int(keys[r, 1]), int(keys[r, 2])) not in entered
    )
    return [
        (
            float(parts.latitude_deg[part] + (n + 0.5) * square_m / DEGREE_M),
            float(parts.longitude_deg[part] + (e + 0.5) * square_m / parts.degree_east_m[part]),
        )
        for _, n, e in found
    ]


def places_without(
    footprints: Footprints, part: int, east: Int64Column, north: Int64Column, square_cells: int
) -> list[tuple[float, float]]:
    """Return the middles, (latitude, longitude), of a part's place cells that are none of some place cells.

    One of each square in turn, squares with the most such ground first: places far apart say more than neighbours.
    """
    all_east, all_north = places_of(footprints.parts, part)
    surveyed = np.isin(_one_number(all_east, all_north), _one_number(east, north))
    east, north = all_east[~surveyed], all_north[~surveyed]
    square = _one_number(east // square_cells, north // square_cells)
    _, square, count = np.unique(square, return_inverse=True, return_counts=True)
    order = np.lexsort((east, north, square))
    turn = np.empty(len(order), np.int64)
    start = np.cumsum(count) - count
    turn[order] = np.arange(len(order)) - start[square[order]]
    parts = footprints.parts
    return [
        (
            float(parts.latitude_deg[part] + (n + 0.5) * parts.cell_size_m / DEGREE_M),
            float(
                parts.longitude_deg[part]
                + (e + 0.5) * parts.cell_size_m / parts.degree_east_m[part]
            ),
        )
        for e, n in zip(
            *(
                column[np.lexsort((square, -count[square], turn))].tolist()
                for column in (east, north)
            ),
            strict=True,
        )
    ]


def _one_number(east: Int64Column, north: Int64Column) -> Int64Column:
    """Return cells as one number each: a footprint is far narrower than 2³¹ cells."""
    return (east << 32) + north


def parts_of(parts: list[SitePart], cell_size_m: int) -> Parts:
    """Return parts as arrays, polygon corners in metres of each part's own plane."""
    corners = [corners_m(p.polygon, p.latitude_deg, p.longitude_deg) for p in parts]
    flat = np.array([corner for part in corners for corner in part], np.float64).reshape(-1, 2)
    corner_count = np.array([len(part) for part in corners], np.int64)
    return Parts(
        latitude_deg=np.array([part.latitude_deg for part in parts], np.float64),
        longitude_deg=np.array([part.longitude_deg for part in parts], np.float64),
        extent_m=np.array([part.extent_m for part in parts], np.float64),
        degree_east_m=np.array([degree_east_m(part.latitude_deg) for part in parts], np.float64),
        vertex_start=np.concatenate((np.zeros(1, np.int64), np.cumsum(corner_count))),
        vertex_east_m=flat[:, 0].copy(),
        vertex_north_m=flat[:, 1].copy(),
        cell_size_m=float(cell_size_m),
    )
