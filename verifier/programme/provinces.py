"""The 63 provinces of 2021 by their statistical code, and the 34 they have been part of since 1 July 2025.

A site's province is the one its list names. Lists of 2021 use the codes of 2021; the newer view adds up what was joined.
"""

import csv
from importlib import resources
from typing import NamedTuple


class Province(NamedTuple):
    """A province of 2021, and the one it is part of since 2025-07-01."""

    gso_code: str
    name: str
    gso_code_2025: str
    name_2025: str


def read_provinces() -> dict[str, Province]:
    """Return the provinces by their codes of 2021."""
    text = resources.files(__package__ or "").joinpath("provinces.csv").read_text(encoding="utf-8")
    rows = csv.reader(text.splitlines()[1:])
    return {row[0]: Province(*row) for row in rows}
