"""The plane a footprint is measured in: see `kernels.locate`."""

import math

from phusong.kernels.locate import DEGREE_M
from phusong.verifier.registry.site_fields import Polygon

# What rounding may lose of the distance to a corner must not cut the corner off.
EXTENT_MARGIN = 1 + 1e-9


def degree_east_m(latitude_deg: float) -> float:
    """Return the length of a degree of longitude at a latitude."""
    return DEGREE_M * math.cos(math.radians(latitude_deg))


def middle_of(polygon: Polygon) -> tuple[float, float]:
    """Return the middle of a polygon's bounding box, (latitude, longitude)."""
    latitudes, longitudes = zip(*polygon, strict=True)
    return (min(latitudes) + max(latitudes)) / 2, (min(longitudes) + max(longitudes)) / 2


def corners_m(
    polygon: Polygon, latitude_deg: float, longitude_deg: float
) -> list[tuple[float, float]]:
    """Return corners as metres east and north of a position."""
    east_m = degree_east_m(latitude_deg)
    return [
        ((lon - longitude_deg) * east_m, (lat - latitude_deg) * DEGREE_M) for lat, lon in polygon
    ]


def extent_of(polygon: Polygon, latitude_deg: float, longitude_deg: float) -> float:
    """Return the distance from a position to the farthest corner, metres."""
    corners = corners_m(polygon, latitude_deg, longitude_deg)
    return max(math.hypot(*corner) for corner in corners) * EXTENT_MARGIN
