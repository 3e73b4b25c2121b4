"""People walking a footprint: readings at the middle of chosen place cells, by devices, at times."""

from collections.abc import Callable, Iterable
from typing import Any

from reference.places import DEGREE_M, Part, degree_east_m

CELL_M = 50
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
# From one end of a hamlet to the other on foot it is longer; in a car, and for the plausibility screen, it will do.
STEP_MS = 15_000
NINE_MS = 1_633_053_600_000  # 2021-10-01T02:00:00Z, 09:00 in Vietnam
# Two mornings and two afternoons, by two devices: what the default policy asks at least, and more.
VISITS = ((7, 0), (8, 5 * HOUR_MS), (7, DAY_MS), (8, DAY_MS + 5 * HOUR_MS))

HAMLET = Part(21.0, 105.5, 500.0)


def cells_of(part: Part) -> list[tuple[int, int]]:
    """Return the place cells of a circle, from its middle outwards in no particular direction."""
    reach = int(part.radius_m // CELL_M) + 1
    cells = [
        (east, north)
        for east in range(-reach, reach)
        for north in range(-reach, reach)
        if ((east + 0.5) * CELL_M) ** 2 + ((north + 0.5) * CELL_M) ** 2 <= part.radius_m**2
    ]
    # A fixed scatter: neighbours in the list are far apart on the ground.
    return sorted(cells, key=lambda c: (c[0] * 7919 + c[1] * 104_729) % 1009)


def walk(
    cells: Iterable[tuple[int, int]],
    level_dbm: Callable[[int, int], float | None] = lambda _east, _north: -90.0,
    visits: Iterable[tuple[int, int]] = VISITS,
    part: Part = HAMLET,
    **fields: Any,
) -> list[dict[str, Any]]:
    """Return a reading of each visit in each cell; a level of None is "no service"."""
    cells = list(cells)
    rows = []
    # Other people walk other ground: nobody is in two places at once.
    others = 10 * round(100 * abs(part.latitude - HAMLET.latitude))
    for device_key, after_ms in visits:
        for i, (east, north) in enumerate(cells):
            level = level_dbm(east, north)
            service = {"rsrp_dbm": level} if level is not None else {"service_state": 2, "rat": 0}
            rows.append(
                {
                    "device_key": device_key + others,
                    "observed_time_ms": NINE_MS + after_ms + i * STEP_MS,
                    "latitude_deg": part.latitude + (north + 0.5) * CELL_M / DEGREE_M,
                    "longitude_deg": part.longitude + (east + 0.5) * CELL_M / degree_east_m(part),
                    **service,
                    **fields,
                }
            )
    return rows
