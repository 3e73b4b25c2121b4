"""The provinces of 2021 and their inland circles."""

import itertools
import json
import math
from pathlib import Path

import pytest

from phusong.dashboards.demo.provinces import read_provinces

SHARED = Path(__file__).parents[3] / "shared" / "data" / "geo"
OUTLINES = SHARED / "vn-provinces-63.draft.geojson"
DEGREE_M = 111_195.0


def test_there_are_63_provinces_and_34_since_july_2025() -> None:
    provinces = read_provinces()

    assert len({province.gso_code for province in provinces}) == 63
    assert len({province.gso_code_2025 for province in provinces}) == 34


def test_a_province_that_was_merged_is_part_of_another() -> None:
    merged_into = {province.name_vi: province.gso_code_2025 for province in read_provinces()}

    assert merged_into["Hà Nội"] == "01"
    assert merged_into["Hà Giang"] == "08"  # Tuyên Quang


def test_every_circle_has_room_for_sites() -> None:
    assert min(province.radius_m for province in read_provinces()) > 5_000


@pytest.mark.skipif(not OUTLINES.is_file(), reason=f"{OUTLINES.name} is not beside the repository")
def test_every_circle_lies_inside_its_province() -> None:
    outlines = {
        feature["properties"]["gso"]: feature["geometry"]
        for feature in json.loads(OUTLINES.read_text(encoding="utf-8"))["features"]
    }

    for province in read_provinces():
        rings = [ring for polygon in polygons(outlines[province.gso_code]) for ring in polygon]
        for bearing in range(0, 360, 5):
            turn = math.radians(bearing)
            latitude = province.latitude_deg + province.radius_m * math.cos(turn) / DEGREE_M
            east_m = DEGREE_M * math.cos(math.radians(province.latitude_deg))
            longitude = province.longitude_deg + province.radius_m * math.sin(turn) / east_m
            assert is_inside(rings, longitude, latitude), (province.name_vi, bearing)


def polygons(geometry: dict) -> list:
    is_single = geometry["type"] == "Polygon"
    return [geometry["coordinates"]] if is_single else geometry["coordinates"]


def is_inside(rings: list, x: float, y: float) -> bool:
    crossings = 0
    for ring in rings:
        for (x0, y0, *_), (x1, y1, *_) in itertools.pairwise(ring):
            if (y0 > y) != (y1 > y) and x < (x1 - x0) * (y - y0) / (y1 - y0) + x0:
                crossings += 1
    return crossings % 2 == 1
