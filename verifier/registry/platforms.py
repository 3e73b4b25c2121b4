"""The published learning platforms whose use is free: a dated list, so that a day can be rated again.

CSV with the columns `platform`, `domain`, `free_from` and `free_until` (calendar days, the last may be empty); and, where an
operator rates a platform's traffic apart, `operator` and `rating_group`, its own number for it.
"""

import csv
import io
from dataclasses import dataclass
from datetime import date

from phusong.kernels.registers import ERROR_COUNT_MAX, LineError
from phusong.kernels.route_names import SLUG

RATED = ("operator", "rating_group")
# The field of the wire has 32 bits, and 0 is none.
GROUP_MAX = 2**32 - 1
COLUMNS = ("platform", "domain", "free_from", "free_until")


@dataclass(frozen=True, slots=True)
class Platform:
    """One platform and the days on which its use is free, both included."""

    platform: str
    domain: str
    free_from: date
    free_until: date | None
    operator: str = ""
    rating_group: int | None = None


def read_platforms(content: bytes) -> list[LineError] | tuple[Platform, ...]:
    """Return the platforms in a CSV file, or every error found in it."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return [LineError(1, "", f"byte {error.start} is not UTF-8; save the file as UTF-8")]
    reader = csv.DictReader(io.StringIO(text, newline=""))
    try:
        return _read_rows(reader)
    except csv.Error as error:
        return [LineError(reader.line_num, "", f"not CSV: {error}")]


def _read_rows(reader: "csv.DictReader[str]") -> list[LineError] | tuple[Platform, ...]:
    missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
    if missing:
        return [LineError(1, missing[0], f"column missing; expected {', '.join(COLUMNS)}")]
    errors: list[LineError] = []
    platforms: list[Platform] = []
    for row in reader:
        found = _read_row(row, reader.line_num)
        if isinstance(found, Platform):
            platforms.append(found)
        else:
            errors.extend(found)
        if len(errors) >= ERROR_COUNT_MAX:
            break
    return errors or tuple(platforms)


def _read_row(row: dict[str, str], line: int) -> Platform | list[LineError]:
    errors = [
        LineError(line, column, "empty; every platform has a name and a domain")
        for column in ("platform", "domain")
        if not (row[column] or "").strip()
    ]
    days: dict[str, date | None] = {}
    for column in ("free_from", "free_until"):
        text = (row[column] or "").strip()
        try:
            days[column] = date.fromisoformat(text) if text else None
        except ValueError:
            errors.append(LineError(line, column, f"{text!r}: expected a day, 2021-10-01"))
    free_from, free_until = days.get("free_from"), days.get("free_until")
    if free_from is None and not errors:
        errors.append(LineError(line, "free_from", "empty; expected a day, 2021-10-01"))
    if free_from and free_until and free_until < free_from:
        errors.append(LineError(line, "free_until", f"{free_until} lies before {free_from}"))
    operator, group = ((row.get(name) or "").strip() for name in RATED)
    if bool(operator) != bool(group):
        errors.append(
            LineError(line, RATED[not group], "empty; operator and rating_group go together")
        )
    elif group and (SLUG.fullmatch(operator) is None):
        errors.append(LineError(line, RATED[0], f"{operator!r}: expected 1 to 64 of a-z 0-9 . _ -"))
    elif group and not (group.isascii() and group.isdigit() and 0 < int(group) <= GROUP_MAX):
        errors.append(LineError(line, RATED[1], f"{group!r}: expected 1 to {GROUP_MAX}"))
    if errors or free_from is None:
        return errors
    names = (row["platform"].strip(), row["domain"].strip())
    return Platform(*names, free_from, free_until, operator, int(group) if group else None)
