"""One field of the site register: its text to its value, or what was expected instead."""

import math
import re
import unicodedata
from typing import TypeAlias

from phusong.kernels.locate import EXTENT_MAX_M, LATITUDE_MAX_DEG
from phusong.kernels.plmn import OPERATORS, operator_of, plmn_number

# The 63 provinces of 2021, numbers of the General Statistics Office. Source: Decision 124/2004/QD-TTg as
# amended; the same list as the design's provinces63.csv.
PROVINCE_CODES = frozenset(
    [
        "01",
        "02",
        "04",
        "06",
        "08",
        "10",
        "11",
        "12",
        "14",
        "15",
        "17",
        "19",
        "20",
        "22",
        "24",
        "25",
        "26",
        "27",
        "30",
        "31",
        "33",
        "34",
        "35",
        "36",
        "37",
        "38",
        "40",
        "42",
        "44",
        "45",
        "46",
        "48",
        "49",
        "51",
        "52",
        "54",
        "56",
        "58",
        "60",
        "62",
        "64",
        "66",
        "67",
        "68",
        "70",
        "72",
        "74",
        "75",
        "77",
        "79",
        "80",
        "82",
        "83",
        "84",
        "86",
        "87",
        "89",
        "91",
        "92",
        "93",
        "94",
        "95",
        "96",
    ]
)

# A hamlet's houses mostly stand within it; the plan gives no radius, so a register should.
RADIUS_DEFAULT_M = 500.0
# Below it a footprint has fewer place cells of 50 m than a verdict could ever rest on.
RADIUS_MIN_M = 50.0
# A hand-drawn outline of a hamlet has dozens of corners; each is measured for each reading near it.
CORNER_COUNT_MAX = 1000
CODE_MAX_BYTES = 64  # as CellReport.site_code on the wire
NAME_LENGTH_MAX = 200
OPERATOR_COUNT_MAX = 16  # Vietnam has seven

LIST = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")

DISPLAY_NAMES = {name.casefold(): slug for slug, (_, name) in OPERATORS.items()}

Polygon: TypeAlias = tuple[tuple[float, float], ...]


class FieldError(ValueError):
    """What was found in a field and what was expected."""


def read_text(text: str, length_max: int) -> str:
    """Return a text in NFC without space around it: two spellings of one name are one name."""
    value = unicodedata.normalize("NFC", text.strip())
    if not value:
        raise FieldError("empty; expected a text")
    if len(value) > length_max or not value.isprintable():
        raise FieldError(f"{value!r:.80}: expected at most {length_max} printable characters")
    return value


def read_code(text: str) -> str:
    """Return a site code."""
    value = read_text(text, CODE_MAX_BYTES)
    if len(value.encode()) > CODE_MAX_BYTES:
        raise FieldError(f"{value!r}: expected at most {CODE_MAX_BYTES} bytes of UTF-8")
    return value


def read_name(text: str) -> str:
    """Return the name of a site or of a part."""
    return read_text(text, NAME_LENGTH_MAX)


def read_province(text: str) -> str:
    """Return a province code of 2021; a leading zero lost in a spreadsheet is put back."""
    value = text.strip()
    code = value.zfill(2)
    if code not in PROVINCE_CODES:
        raise FieldError(
            f"{value!r}: expected one of the 63 province codes of 2021, 01 (Hà Nội) to 96 (Cà Mau)"
        )
    return code


def read_list(text: str) -> str:
    """Return the name of the programme's list a site stands on."""
    value = text.strip().casefold()
    if not LIST.fullmatch(value):
        raise FieldError(f'{text!r}: expected a list such as "283" or "1910": a-z 0-9 _ -')
    return value


def read_operators(text: str) -> tuple[str, ...]:
    """Return the slugs of the responsible operators, sorted; a PLMN names a network that has no slug."""
    words = [word.strip() for word in text.split(";") if word.strip()]
    if not words:
        raise FieldError(f"empty; expected operators separated by ;: {', '.join(OPERATORS)}")
    if len(words) > OPERATOR_COUNT_MAX:
        raise FieldError(f"{len(words)} operators; expected at most {OPERATOR_COUNT_MAX}")
    return tuple(sorted({_read_operator(word) for word in words}))


def _read_operator(word: str) -> str:
    folded = word.casefold()
    if folded in OPERATORS:
        return folded
    if folded in DISPLAY_NAMES:
        return DISPLAY_NAMES[folded]
    plmn = plmn_number(word)
    if plmn <= 0:
        raise FieldError(
            f'{word!r}: expected {", ".join(OPERATORS)}, or a network code such as "452-04"'
        )
    return operator_of(plmn)


def read_number(text: str, low: float, high: float, unit: str) -> float:
    """Return a decimal number within bounds."""
    try:
        value = float(text)
    except ValueError:
        raise FieldError(f"{text!r}: expected a number, {low:g} to {high:g} {unit}") from None
    if not low <= value <= high:  # also what is not a number
        raise FieldError(f"{text!r}: expected {low:g} to {high:g} {unit}")
    return value


def read_latitude(text: str) -> float:
    """Return a latitude; the poles are refused because footprints are measured in a plane."""
    return read_number(text, -LATITUDE_MAX_DEG, LATITUDE_MAX_DEG, "degrees north")


def read_longitude(text: str) -> float:
    """Return a longitude."""
    return read_number(text, -180.0, 180.0, "degrees east")


def read_radius(text: str) -> float:
    """Return a radius, the usual one when none is given."""
    if not text.strip():
        return RADIUS_DEFAULT_M
    return read_number(text, RADIUS_MIN_M, EXTENT_MAX_M, "metres")


def read_polygon(text: str) -> Polygon:
    """Return corners as (latitude, longitude), () when none is given; a closing corner is dropped."""
    if not text.strip():
        return ()
    corners = []
    for number, corner in enumerate(text.strip().rstrip(";").split(";"), 1):
        words = corner.split()
        if len(words) != 2:
            raise FieldError(
                f'corner {number} is {corner.strip()!r}; expected "lat lon; lat lon; lat lon"'
            )
        try:
            corners.append((read_latitude(words[0]), read_longitude(words[1])))
        except FieldError as error:
            raise FieldError(f"corner {number}: {error}") from None
    if len(corners) > 1 and corners[0] == corners[-1]:
        corners.pop()
    if not 3 <= len(corners) <= CORNER_COUNT_MAX:
        raise FieldError(f"{len(corners)} corners; expected 3 to {CORNER_COUNT_MAX}")
    if math.isclose(_double_area(corners), 0.0, abs_tol=1e-12):
        raise FieldError("the corners lie on one line; expected a polygon with an area")
    return tuple(corners)


def _double_area(corners: list[tuple[float, float]]) -> float:
    behind = corners[-1:] + corners[:-1]
    return sum(x0 * y1 - x1 * y0 for (y0, x0), (y1, x1) in zip(behind, corners, strict=True))
