"""Which parts of which sites a position lies in, and in which place cell of them.

A part is a circle or a polygon around a centre. Distances are measured in its own plane: metres east
and north of the centre, a degree of longitude being as long as at the centre's latitude. Over a footprint
of a few kilometres that is exact to a few metres, and nothing here works across the antimeridian or
near a pole: `index_parts` refuses such parts instead.

A place cell is a square of that plane: cell (0, 0) has the centre as its south-west corner. The footprint of a part
is the place cells whose middle lies in it, and a reading lies in the part when its place cell does: so the ground
that is surveyed and the ground that is counted are one finite set, to the cell.

The index is a hash of a coarse grid in degrees: `start[bucket] .. start[bucket + 1]` are the entries of
`part` whose bounding box touches a grid cell that falls into the bucket. Two grid cells may share a bucket;
that costs time and changes nothing, for a part stands in a bucket once and is always measured.
"""

from typing import NamedTuple

import numpy as np

from phusong.kernels.columns import Float64Column, Int, Int64Column
from phusong.kernels.identity import mix64
from phusong.kernels.jit import kernel

# Length of a degree of latitude on the sphere of the earth's mean radius, 6,371,008.8 m.
DEGREE_M = 111_195.08

# Beyond it a degree of longitude shrinks too fast for a plane; no programme lists places there.
LATITUDE_MAX_DEG = 85.0

# Larger footprints are districts, not hamlets, and the plane would bend.
EXTENT_MAX_M = 20_000.0

# About 2.2 km: a footprint of 500 m touches one to four grid cells, and few share one with a neighbour.
GRID_DEG = 0.02
SLOTS_PER_ENTRY = 4
SLOT_COUNT_FIRST = 64


class Parts(NamedTuple):
    """Footprints, one row per part; polygon corners lie at vertex_start[part] .. vertex_start[part + 1].

    A part without corners is a circle of `extent_m`; a part with corners lies within `extent_m` of its centre.
    """

    latitude_deg: Float64Column
    longitude_deg: Float64Column
    extent_m: Float64Column
    degree_east_m: Float64Column  # length of a degree of longitude at the centre
    vertex_start: Int64Column  # one longer than the others
    vertex_east_m: Float64Column
    vertex_north_m: Float64Column
    cell_size_m: float  # of every place cell


class PartIndex(NamedTuple):
    """The grid over the parts."""

    start: Int64Column
    part: Int64Column


@kernel
def is_in_part(parts: Parts, part: Int, east_m: float, north_m: float) -> bool:
    """Tell whether a point of the part's plane lies in its outline; the rim of a circle does."""
    if east_m * east_m + north_m * north_m > parts.extent_m[part] * parts.extent_m[part]:
        return False
    first, last = parts.vertex_start[part], parts.vertex_start[part + 1]
    if first == last:
        return True
    is_inside = False
    j = last - 1
    for i in range(first, last):
        y_i, y_j = parts.vertex_north_m[i], parts.vertex_north_m[j]
        if (y_i > north_m) != (y_j > north_m):
            x_i, x_j = parts.vertex_east_m[i], parts.vertex_east_m[j]
            if east_m < x_i + (north_m - y_i) * (x_j - x_i) / (y_j - y_i):
                is_inside = not is_inside
        j = i
    return is_inside


@kernel
def bucket_of(grid_north: Int, grid_east: Int, slot_count: Int) -> Int:
    """Return the bucket of a grid cell; `slot_count` is a power of two."""
    return mix64(grid_north * np.int64(1 << 20) + grid_east) & (slot_count - 1)


@kernel
def locate(
    latitude_deg: Float64Column,
    longitude_deg: Float64Column,
    parts: Parts,
    index: PartIndex,
    pair_reading: Int64Column,
    pair_part: Int64Column,
    pair_cell_east: Int64Column,
    pair_cell_north: Int64Column,
) -> int:
    """Write every (reading, part) of a reading that lies in a part, with its place cell; return how many.

    In the order of readings, then of parts in a bucket. When there are more than fit into the pair columns, those
    that fit are written and the number of all is returned: call again with longer columns. Positions
    that are no numbers lie nowhere.
    """
    assert len(latitude_deg) == len(longitude_deg)
    slot_count = len(index.start) - 1
    cell_size_m = parts.cell_size_m
    room = len(pair_reading)
    count = 0
    for i in range(len(latitude_deg)):
        latitude, longitude = latitude_deg[i], longitude_deg[i]
        if not (abs(latitude) <= LATITUDE_MAX_DEG and abs(longitude) <= 180.0):
            continue
        grid_north = np.int64(np.floor(latitude / GRID_DEG))
        grid_east = np.int64(np.floor(longitude / GRID_DEG))
        bucket = bucket_of(grid_north, grid_east, slot_count)
        for entry in range(index.start[bucket], index.start[bucket + 1]):
            part = index.part[entry]
            north_m = (latitude - parts.latitude_deg[part]) * DEGREE_M
            east_m = (longitude - parts.longitude_deg[part]) * parts.degree_east_m[part]
            cell_east = np.floor(east_m / cell_size_m)
            cell_north = np.floor(north_m / cell_size_m)
            middle_east_m = (cell_east + 0.5) * cell_size_m
            middle_north_m = (cell_north + 0.5) * cell_size_m
            if not is_in_part(parts, part, middle_east_m, middle_north_m):
                continue
            if count < room:
                pair_reading[count] = i
                pair_part[count] = part
                pair_cell_east[count] = np.int64(cell_east)
                pair_cell_north[count] = np.int64(cell_north)
            count += 1
    return count


@kernel
def write_places(
    part: int,
    parts: Parts,
    cell_east: Int64Column,
    cell_north: Int64Column,
) -> int:
    """Write the place cells of one part, south to north and west to east; return how many there are.

    Those that do not fit are counted only, so empty columns count.
    """
    cell_size_m = parts.cell_size_m
    reach = np.int64(np.ceil(parts.extent_m[part] / cell_size_m))
    count = 0
    for north in range(-reach, reach):
        for east in range(-reach, reach):
            if is_in_part(parts, part, (east + 0.5) * cell_size_m, (north + 0.5) * cell_size_m):
                if count < len(cell_east):
                    cell_east[count] = east
                    cell_north[count] = north
                count += 1
    return count


@kernel
def add_entries(parts: Parts, slot_count: int, bucket: Int64Column, part: Int64Column) -> int:
    """Write (bucket, part) for every grid cell a part's bounding box touches; return how many.

    Those that do not fit are counted only.
    """
    count = 0
    for p in range(len(parts.latitude_deg)):
        # A reading may lie outside while the middle of its place cell lies inside.
        half_m = parts.extent_m[p] + parts.cell_size_m
        half_north = half_m / DEGREE_M
        half_east = half_m / parts.degree_east_m[p]
        south = np.int64(np.floor((parts.latitude_deg[p] - half_north) / GRID_DEG))
        north = np.int64(np.floor((parts.latitude_deg[p] + half_north) / GRID_DEG))
        west = np.int64(np.floor((parts.longitude_deg[p] - half_east) / GRID_DEG))
        east = np.int64(np.floor((parts.longitude_deg[p] + half_east) / GRID_DEG))
        for grid_north in range(south, north + 1):
            for grid_east in range(west, east + 1):
                if count < len(bucket):
                    bucket[count] = bucket_of(grid_north, grid_east, slot_count)
                    part[count] = p
                count += 1
    return count


class Located(NamedTuple):
    """One row per (reading, part) that belong together."""

    reading: Int64Column
    part: Int64Column
    cell_east: Int64Column
    cell_north: Int64Column


def index_parts(parts: Parts) -> PartIndex:
    """Return the grid index of parts that `assert_locatable` accepts."""
    assert_locatable(parts)
    nothing = np.empty(0, np.int64)
    entry_count = add_entries(parts, 1, nothing, nothing)
    slot_count = 1 << (max(SLOT_COUNT_FIRST, SLOTS_PER_ENTRY * entry_count) - 1).bit_length()
    bucket = np.empty(entry_count, np.int64)
    part = np.empty(entry_count, np.int64)
    add_entries(parts, slot_count, bucket, part)
    # Sorted and once each: a part whose grid cells share a bucket must not be met twice.
    entries = np.unique(np.stack((bucket, part), axis=1), axis=0).reshape(-1, 2)
    start = np.searchsorted(entries[:, 0], np.arange(slot_count + 1)).astype(np.int64)
    return PartIndex(start, entries[:, 1].copy())


def assert_locatable(parts: Parts) -> None:
    """Assert what the plane needs: no part reaches a pole, the antimeridian, or too far."""
    half_east = parts.extent_m / parts.degree_east_m
    half_north = parts.extent_m / DEGREE_M
    assert np.all(parts.extent_m <= EXTENT_MAX_M), "parts are bounded by the register"
    assert np.all(np.abs(parts.latitude_deg) + half_north <= LATITUDE_MAX_DEG), "no pole"
    assert np.all(np.abs(parts.longitude_deg) + half_east <= 180.0), "no antimeridian"


def locate_readings(
    latitude_deg: Float64Column,
    longitude_deg: Float64Column,
    parts: Parts,
    index: PartIndex,
) -> Located:
    """Return every (reading, part) of a reading that lies in a part, with its place cell."""
    room = len(latitude_deg)
    while True:
        pairs = Located(*(np.empty(room, np.int64) for _ in Located._fields))
        count = locate(latitude_deg, longitude_deg, parts, index, *pairs)
        if count <= room:
            return Located(*(column[:count] for column in pairs))
        room = count


@kernel
def distinct_count(reading: Int64Column) -> int:
    """Return how many readings stand in the pairs that `locate` wrote, which it did in their order."""
    count = 0
    for i in range(len(reading)):
        if i == 0 or reading[i] != reading[i - 1]:
            count += 1
    return count
