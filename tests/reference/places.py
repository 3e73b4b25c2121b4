"""Where readings lie, and what bins hold: plain loops in the same plane."""

import math
from collections import defaultdict
from typing import Any, NamedTuple

DEGREE_M = 111_195.08


class Part(NamedTuple):
    """A circle, or a polygon of (latitude, longitude)."""

    latitude: float
    longitude: float
    radius_m: float
    polygon: tuple[tuple[float, float], ...] = ()


def is_in_outline(part: Part, east_m: float, north_m: float) -> bool:
    """Tell whether a point lies in a part."""
    if not part.polygon:
        return east_m**2 + north_m**2 <= part.radius_m**2
    corners = [
        ((lon - part.longitude) * degree_east_m(part), (lat - part.latitude) * DEGREE_M)
        for lat, lon in part.polygon
    ]
    crossings = 0
    for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1], strict=True):
        if (y0 <= north_m < y1) or (y1 <= north_m < y0):
            crossings += east_m < x0 + (north_m - y0) * (x1 - x0) / (y1 - y0)
    return crossings % 2 == 1


def degree_east_m(part: Part) -> float:
    """Return the length of a degree of longitude at a part's centre."""
    return DEGREE_M * math.cos(math.radians(part.latitude))


def located(
    positions: list[tuple[float, float]], parts: list[Part], cell_m: float
) -> set[tuple[int, int, int, int]]:
    """Return (reading, part, cell east, cell north) of every reading in a part."""
    found = set()
    for i, (latitude, longitude) in enumerate(positions):
        for p, part in enumerate(parts):
            east_m = (longitude - part.longitude) * degree_east_m(part)
            north_m = (latitude - part.latitude) * DEGREE_M
            if math.isnan(east_m) or math.isnan(north_m) or max(abs(east_m), abs(north_m)) > 1e5:
                continue
            cell = math.floor(east_m / cell_m), math.floor(north_m / cell_m)
            if is_in_outline(part, (cell[0] + 0.5) * cell_m, (cell[1] + 0.5) * cell_m):
                found.add((i, p, *cell))
    return found


def binned(rows: list[dict[str, Any]], floors: dict[int, list[float]]) -> dict[tuple, dict]:
    """Return what each bin holds; a level of None is silence."""
    bins: dict[tuple, dict] = defaultdict(
        lambda: {"heard": 0, "silent": 0, "met": [0] * 8, "times": []}
    )
    for row in rows:
        found = bins[row["key"]]
        found["heard"] += 1
        found["times"].append(row["time"])
        if row["level"] is None:
            found["silent"] += 1
            continue
        for f, floor in enumerate(floors[row["key"][2]]):
            found["met"][f] += row["level"] >= floor
    return dict(bins)
