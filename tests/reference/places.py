"""Where readings lie, and what bins hold: plain loops in the same plane."""

import math
from collections import defaultdict
from typing import Any, NamedTuple

DEGREE_M = 111_195.08
WINDOW_MS = 14_400_000  # windows of the bins, from time 0


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
    bins: dict[tuple, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        bins[row["key"]].append(row)
    return {key: held(key, of_bin, floors[key[2]]) for key, of_bin in bins.items()}


def held(key: tuple, rows: list[dict[str, Any]], floors: list[float]) -> dict[str, Any]:
    """Return what one bin holds of its readings."""
    heard = [row for row in rows if row["level"] is not None]
    mdb = [math.floor(row["level"] * 1000 + 0.5) for row in heard]
    loudest = max(mdb, default=-(2**31))
    bits = {max(0, min(63, (row["time"] - key[6] * WINDOW_MS) * 64 // WINDOW_MS)) for row in rows}
    presence = sum(1 << bit for bit in bits)
    return {
        "heard_count": len(rows),
        "silent_count": len(rows) - len(heard),
        "met_count": [sum(row["level"] >= floor for row in heard) for floor in floors],
        "first_time_ms": min(row["time"] for row in rows),
        "last_time_ms": max(row["time"] for row in rows),
        "level_sum_mdb": sum(mdb),
        "presence": presence - (1 << 64) if presence >= 1 << 63 else presence,
        "quietest_mdbm": min(mdb, default=2**31 - 1),
        "loudest_mdbm": loudest,
        "position_low": min(row["position"] for row in rows),
        "cell_low": min(row["cell"] for row in rows),
        "cell_high": max(row["cell"] for row in rows),
        "loudest_cell": max(
            (row["cell"] for row, level in zip(heard, mdb, strict=True) if level == loudest),
            default=-1,
        ),
        "is_released": int(any(row["released"] for row in rows)),
    }
