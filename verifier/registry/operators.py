"""What each operator does with a SIM whose free volume of the day is used up: cut it off, or slow it down. Never charge.

CSV with the columns `operator`, `after_quota` (`cut` or `throttle`) and, for `throttle`, `throttle_kbit_s`. An operator that
is not in it cuts, and so does every operator while no list is loaded.
"""

import csv
import io
from typing import NamedTuple

from phusong.kernels.registers import ERROR_COUNT_MAX, LineError
from phusong.kernels.source_fields import FieldError, read_slug
from phusong.v1.enforcement_pb2 import Action

COLUMNS = ("operator", "after_quota")
THROTTLE_COLUMN = "throttle_kbit_s"
ACTIONS = {"cut": Action.ACTION_CUT, "throttle": Action.ACTION_THROTTLE}
BITS_PER_KBIT = 1000
# Ten Gbit/s is no throttle.
THROTTLE_MAX_KBIT_S = 10_000_000


class AfterQuota(NamedTuple):
    """What an operator does at 100 percent; the rate is that of both directions together, 0 for a cut."""

    action: int
    throttle_bits_per_s: int


CUT = AfterQuota(Action.ACTION_CUT, 0)


class OperatorRegister:
    """What each operator does after the quota."""

    def __init__(self, behaviours: dict[str, AfterQuota] | None = None) -> None:
        """Keep what was read; without anything every operator cuts."""
        self.behaviours = behaviours or {}

    def after_quota(self, operator: str) -> AfterQuota:
        """Return what an operator does."""
        return self.behaviours.get(operator, CUT)


def read_operators(content: bytes) -> OperatorRegister | list[LineError]:
    """Return the register in a CSV file, or every error found in it."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return [LineError(line, "", f"byte {error.start} is not UTF-8; save the file as UTF-8")]
    reader = csv.DictReader(io.StringIO(text, newline=""))
    try:
        errors, behaviours = _read_rows(reader)
    except csv.Error as error:
        return [LineError(reader.line_num, "", f"not CSV: {error}")]
    return errors[:ERROR_COUNT_MAX] if errors else OperatorRegister(behaviours)


def _read_rows(
    reader: "csv.DictReader[str]",
) -> tuple[list[LineError], dict[str, AfterQuota]]:
    behaviours: dict[str, AfterQuota] = {}
    header = reader.fieldnames or ()
    errors = [
        LineError(1, column, f"column missing; expected {', '.join(COLUMNS)}")
        for column in COLUMNS
        if column not in header
    ]
    errors += [
        LineError(1, column, f"unknown column; expected {', '.join((*COLUMNS, THROTTLE_COLUMN))}")
        for column in header
        if column not in (*COLUMNS, THROTTLE_COLUMN)
    ]
    if errors:
        return errors, behaviours
    for row in reader:
        line = reader.line_num
        if len(errors) >= ERROR_COUNT_MAX:
            break
        try:
            operator = read_slug(row["operator"] or "")
        except FieldError as error:
            errors.append(LineError(line, "operator", str(error)))
            continue
        found = _read_behaviour(line, row)
        if isinstance(found, LineError):
            errors.append(found)
        elif operator in behaviours:
            errors.append(LineError(line, "operator", f"{operator} stands twice; expected once"))
        else:
            behaviours[operator] = found
    return errors, behaviours


def _read_behaviour(line: int, row: dict[str, str]) -> AfterQuota | LineError:
    word = (row["after_quota"] or "").strip().casefold()
    if word not in ACTIONS:
        return LineError(line, "after_quota", f"{word[:40]!r}: expected {' or '.join(ACTIONS)}")
    text = (row.get(THROTTLE_COLUMN) or "").strip()
    if ACTIONS[word] == Action.ACTION_CUT:
        if text:
            return LineError(line, THROTTLE_COLUMN, "a cut has no rate; leave it empty")
        return CUT
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(THROTTLE_MAX_KBIT_S))
    if not is_number or not 0 < int(text) <= THROTTLE_MAX_KBIT_S:
        message = f"{text[:40]!r}: expected kilobits a second, 1 to {THROTTLE_MAX_KBIT_S}"
        return LineError(line, THROTTLE_COLUMN, message)
    return AfterQuota(ACTIONS[word], int(text) * BITS_PER_KBIT)
