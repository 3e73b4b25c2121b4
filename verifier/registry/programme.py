"""What was promised: obligations with targets and deadlines, as TOML.

[programme]
id = "3667"
title = "Sóng và máy tính cho em"

[[obligation]]
id = "coverage-283"
list = "283"            # the site list it is judged on; absent where no list judges it
target_count = 283
deadline = 2021-09-30
source = "Plan 3667/KH-BTTTT-BGDĐT"
"""

import tomllib
from dataclasses import dataclass
from datetime import date
from typing import Any

from phusong.kernels.registers import LineError

KEYS: dict[str, type] = {
    "id": str,
    "list": str,
    "target_count": int,
    "deadline": date,
    "source": str,
}
REQUIRED = ("id", "target_count", "deadline", "source")


@dataclass(frozen=True, slots=True)
class Obligation:
    """One thing that was promised by a date."""

    id: str
    list: str
    target_count: int
    deadline: date
    source: str


@dataclass(frozen=True, slots=True)
class Programme:
    """A programme and its obligations."""

    id: str
    title: str
    obligations: tuple[Obligation, ...]


def read_programme(content: bytes) -> list[LineError] | Programme:
    """Return the programme in a TOML file, or every error found in it."""
    try:
        document = tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        return [LineError(1, "", f"byte {error.start} is not UTF-8; save the file as UTF-8")]
    except tomllib.TOMLDecodeError as error:
        return [LineError(1, "", f"no TOML: {error}")]
    head = document.get("programme")
    if not isinstance(head, dict) or not isinstance(head.get("id"), str):
        return [LineError(1, "programme.id", 'missing; expected [programme] with id = "…"')]
    errors: list[LineError] = []
    obligations: list[Obligation] = []
    entries = document.get("obligation", [])
    for number, entry in enumerate(entries if isinstance(entries, list) else [entries]):
        found = _read_obligation(f"obligation[{number}]", entry)
        if isinstance(found, Obligation):
            obligations.append(found)
        else:
            errors.extend(found)
    if not obligations and not errors:
        errors.append(LineError(1, "obligation", "missing; expected at least one [[obligation]]"))
    return errors or Programme(head["id"], str(head.get("title", "")), tuple(obligations))


def _read_obligation(where: str, entry: Any) -> Obligation | list[LineError]:
    if not isinstance(entry, dict):
        return [LineError(1, where, "expected [[obligation]] with keys and values")]
    errors = [
        LineError(1, f"{where}.{key}", f"unknown key; expected {', '.join(KEYS)}")
        for key in entry
        if key not in KEYS
    ]
    errors += [LineError(1, f"{where}.{key}", "missing") for key in REQUIRED if key not in entry]
    errors += [
        LineError(1, f"{where}.{key}", f"{value!r}: expected {KEYS[key].__name__}")
        for key, value in entry.items()
        if key in KEYS and (not isinstance(value, KEYS[key]) or isinstance(value, bool))
    ]
    if not errors and entry["target_count"] < 1:
        errors.append(LineError(1, f"{where}.target_count", "expected 1 or more"))
    fields: dict[str, Any] = {"list": ""} | entry
    return errors or Obligation(**fields)
