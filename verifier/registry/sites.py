"""The register of sites: what is listed, who is responsible, and the ground each verdict is about.

CSV, UTF-8, one line per part of a site. Columns, in any order:

    site_code,name,province_code,list,operators,part,latitude_deg,longitude_deg,radius_m,polygon

`operators` are separated by ";". `part` may be left out ("centre"), `radius_m` too (RADIUS_DEFAULT_M). `polygon`
("lat lon; lat lon; …") replaces the circle; the position may then be left out. A site with residential
clusters has several lines, which agree in everything but the part.

The province is the one written here, never one derived from the position. Nothing of a register with an error
is applied; every error is named with line and column, up to ERROR_COUNT_MAX of them.
"""

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from phusong.kernels.locate import DEGREE_M, EXTENT_MAX_M, LATITUDE_MAX_DEG
from phusong.kernels.registers import ERROR_COUNT_MAX, LineError
from phusong.verifier.registry.plane import degree_east_m, extent_of, middle_of
from phusong.verifier.registry.site_fields import (
    FieldError,
    Polygon,
    read_code,
    read_latitude,
    read_list,
    read_longitude,
    read_name,
    read_operators,
    read_polygon,
    read_province,
    read_radius,
)

READERS: dict[str, Callable[[str], Any]] = {
    "site_code": read_code,
    "name": read_name,
    "province_code": read_province,
    "list": read_list,
    "operators": read_operators,
    "part": read_name,
    "latitude_deg": read_latitude,
    "longitude_deg": read_longitude,
    "radius_m": read_radius,
    "polygon": read_polygon,
}
OPTIONAL = {"part": "centre", "radius_m": "", "polygon": ""}
ALIASES = {
    "code": "site_code",
    "site": "site_code",
    "province": "province_code",
    "operator": "operators",
    "latitude": "latitude_deg",
    "lat": "latitude_deg",
    "longitude": "longitude_deg",
    "lon": "longitude_deg",
    "lng": "longitude_deg",
    "radius": "radius_m",
}

# The plan lists 2,193 sites; a line takes about 100 bytes.
CONTENT_MAX_BYTES = 64 << 20
LINE_COUNT_MAX = 100_000


class SitePart(NamedTuple):
    """A circle of `extent_m` around the position, or a polygon that lies within it."""

    name: str
    latitude_deg: float
    longitude_deg: float
    extent_m: float
    polygon: Polygon


@dataclass(frozen=True, slots=True)
class Site:
    """One listed place."""

    code: str
    name: str
    province_code: str
    list: str
    operators: tuple[str, ...]
    parts: tuple[SitePart, ...]


@dataclass(frozen=True, slots=True)
class SiteRegister:
    """The sites in the order of their codes."""

    sites: tuple[Site, ...]

    @classmethod
    def empty(cls) -> "SiteRegister":
        """Return a register without sites."""
        return cls(())


class SiteLine(NamedTuple):
    """A line that could be read."""

    line: int
    site: tuple[str, str, str, str, tuple[str, ...]]
    part: SitePart


def read_sites(content: bytes) -> SiteRegister | list[LineError]:
    """Return the register in a CSV file, or every error found in it."""
    if len(content) > CONTENT_MAX_BYTES:
        return [LineError(1, "", f"{len(content)} bytes; expected at most {CONTENT_MAX_BYTES}")]
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return [LineError(line, "", f"byte {error.start} is not UTF-8; save the file as UTF-8")]
    errors: list[LineError] = []
    lines: list[SiteLine] = []
    try:
        for found in _read_lines(csv.reader(io.StringIO(text, newline=""), strict=True), errors):
            lines.append(found)
            if len(errors) >= ERROR_COUNT_MAX:
                break
    except csv.Error as error:
        errors.append(LineError(text.count("\n"), "", f"not CSV: {error}"))
    register = _join_parts(lines, errors)
    return errors[:ERROR_COUNT_MAX] if errors else register


def _read_lines(reader: Any, errors: list[LineError]) -> Iterator[SiteLine]:
    columns = _read_header(next(reader, []), errors)
    if errors:
        return
    line = reader.line_num + 1
    for count, row in enumerate(reader, 1):
        if count > LINE_COUNT_MAX:
            errors.append(LineError(line, "", f"expected at most {LINE_COUNT_MAX} lines"))
            return
        if any(field.strip() for field in row):
            found = _read_line(line, columns, row, errors)
            if found is not None:
                yield found
        if len(errors) >= ERROR_COUNT_MAX:
            return
        line = reader.line_num + 1


def _read_header(header: list[str], errors: list[LineError]) -> list[str]:
    words = [word.strip().casefold() for word in header]
    columns = [ALIASES.get(word, word) for word in words]
    for column in READERS:
        if column not in columns and column not in OPTIONAL:
            found = ", ".join(word for word in words if word) or "nothing"
            errors.append(LineError(1, column, f"column missing; found {found}"))
    for position, column in enumerate(columns):
        if column not in READERS:
            expected = ", ".join(READERS)
            errors.append(LineError(1, header[position], f"unknown column; expected {expected}"))
        elif column in columns[:position]:
            errors.append(LineError(1, column, "column given twice"))
    return columns


def _read_line(
    line: int, columns: list[str], row: list[str], errors: list[LineError]
) -> SiteLine | None:
    if len(row) != len(columns):
        message = f"{len(row)} fields; expected {len(columns)} as in the header"
        errors.append(LineError(line, "", message))
        return None
    texts = OPTIONAL | {c: t for c, t in zip(columns, row, strict=True) if t.strip()}
    has_polygon = bool(texts["polygon"].strip())
    fields: dict[str, Any] = {}
    found: list[LineError] = []
    for column, read in READERS.items():
        if has_polygon and column not in texts and column in ("latitude_deg", "longitude_deg"):
            fields[column] = None
            continue
        try:
            fields[column] = read(texts.get(column, ""))
        except FieldError as error:
            found.append(LineError(line, column, str(error)))
    if not found:
        try:
            part = _part_of(fields)
        except FieldError as error:
            found.append(LineError(line, "polygon" if has_polygon else "longitude_deg", str(error)))
        else:
            site = tuple(fields[column] for column in list(READERS)[:5])
            return SiteLine(line, site, part)
    errors.extend(found)
    return None


def _part_of(fields: dict[str, Any]) -> SitePart:
    """Return the part a line describes; raise FieldError where the plane of `kernels.locate` would not hold."""
    polygon: Polygon = fields["polygon"]
    latitude, longitude, extent_m = (
        fields["latitude_deg"],
        fields["longitude_deg"],
        fields["radius_m"],
    )
    if polygon:
        if latitude is None or longitude is None:
            latitude, longitude = middle_of(polygon)
        extent_m = extent_of(polygon, latitude, longitude)
        if extent_m > EXTENT_MAX_M:
            raise FieldError(
                f"a corner lies {extent_m:.0f} m from the middle; expected at most {EXTENT_MAX_M:g} m"
            )
    part = SitePart(fields["part"], latitude, longitude, extent_m, polygon)
    if abs(latitude) + extent_m / DEGREE_M > LATITUDE_MAX_DEG:
        raise FieldError(f"the footprint reaches beyond {LATITUDE_MAX_DEG:g} degrees of latitude")
    if abs(longitude) + extent_m / degree_east_m(latitude) > 180.0:
        raise FieldError("the footprint crosses the antimeridian; expected it on one side")
    return part


def _join_parts(lines: list[SiteLine], errors: list[LineError]) -> SiteRegister:
    """Return the sites, noting lines that contradict an earlier line of the same site."""
    first: dict[str, SiteLine] = {}
    parts: dict[str, list[SitePart]] = {}
    for line in lines:
        code = line.site[0]
        before = first.setdefault(code, line)
        for column, here, there in zip(
            list(READERS)[1:5], line.site[1:], before.site[1:], strict=True
        ):
            if here != there:
                message = f"{here!r}, but line {before.line} of site {code} has {there!r}"
                errors.append(LineError(line.line, column, message))
        same_name = [part for part in parts.get(code, []) if part.name == line.part.name]
        if same_name:
            message = f"site {code} has a part {line.part.name!r} already; expected another name"
            errors.append(LineError(line.line, "part", message))
        parts.setdefault(code, []).append(line.part)
    sites = (Site(*first[code].site, parts=tuple(sorted(parts[code]))) for code in sorted(first))
    return SiteRegister(tuple(sites))
