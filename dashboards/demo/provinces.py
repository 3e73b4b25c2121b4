"""The 63 provinces of 2021, each with one inland circle that lies wholly inside it.

The circle is for placing synthetic sites. It decides nothing: a real site's province is the one its list names.
"""

import csv
from importlib import resources
from typing import NamedTuple


class Province(NamedTuple):
    """A province by its code of 2021 (GSO), and the code of the province it has been part of since 2025-07-01."""

    gso_code: str
    name_vi: str
    gso_code_2025: str
    latitude_deg: float
    longitude_deg: float
    radius_m: float


def read_provinces() -> list[Province]:
    """Return the provinces in the order of their codes."""
    text = resources.files(__package__).joinpath("provinces.csv").read_text(encoding="utf-8")
    return [
        Province(
            row["gso_code"],
            row["name_vi"],
            row["gso_code_2025"],
            float(row["latitude_deg"]),
            float(row["longitude_deg"]),
            float(row["radius_m"]),
        )
        for row in csv.DictReader(text.splitlines())
    ]
