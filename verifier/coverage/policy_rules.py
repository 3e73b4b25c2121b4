"""What each key of a policy file may hold."""

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import fields
from typing import Any, NamedTuple

from phusong.kernels.bins import TIER_COUNT_MAX
from phusong.kernels.radio import (
    RAT_NAMES,
    RSCP_MAX_DBM,
    RSCP_MIN_DBM,
    RSRP_MAX_DBM,
    RSRP_MIN_DBM,
    RXLEV_MAX_DBM,
    RXLEV_MIN_DBM,
    SS_RSRP_MAX_DBM,
    SS_RSRP_MIN_DBM,
)
from phusong.kernels.registers import LineError
from phusong.verifier.coverage.terms import Service
from phusong.verifier.registry.site_fields import PROVINCE_CODES
from phusong.verifier.registry.toml_file import Place, TomlFile

POLICY_ID = re.compile(r"[a-z0-9][a-z0-9.-]{0,63}")
TEXT_LENGTH_MAX = 1000
OPEN = "open"
HOURS_PER_DAY = 24

FLOOR_BOUNDS_DBM = {
    "GSM": (int(RXLEV_MIN_DBM), int(RXLEV_MAX_DBM)),
    "UMTS": (int(RSCP_MIN_DBM), int(RSCP_MAX_DBM)),
    "LTE": (int(RSRP_MIN_DBM), int(RSRP_MAX_DBM)),
    "NR": (int(SS_RSRP_MIN_DBM), int(SS_RSRP_MAX_DBM)),
}


class Bounds(NamedTuple):
    """The lowest and highest possible value of a whole number, and its unit."""

    low: int
    high: int
    unit: str


BOUNDS = {
    # The level of each technology has tighter bounds of its own, checked once the technology is known.
    "floor_dbm": Bounds(-160, -20, "dBm"),
    "permille": Bounds(500, 1000, "permille"),
    "confidence_permille": Bounds(500, 999, "permille"),
    "cell_size_m": Bounds(10, 500, "metres"),
    "cluster_size_m": Bounds(10, 5000, "metres"),
    "position_accuracy_max_m": Bounds(1, 10_000, "metres"),
    "window_hours": Bounds(1, HOURS_PER_DAY, "hours, dividing the day"),
    "measuring_hour_first": Bounds(0, HOURS_PER_DAY - 1, "o'clock"),
    "measuring_hour_end": Bounds(1, HOURS_PER_DAY, "o'clock"),
    "validity_days": Bounds(1, 3660, "days"),
    "devices": Bounds(1, 1000, "devices"),
    "windows": Bounds(1, 1000, "windows"),
    "window_gap_hours": Bounds(0, 240, "hours"),
    "days": Bounds(1, 366, "days"),
    "places_permille": Bounds(0, 1000, "permille"),
    "reach_permille": Bounds(0, 1000, "permille"),
    "windows_per_place_max": Bounds(1, 1000, "windows"),
    "share_permille": Bounds(500, 1000, "permille"),
    "access_failure_permille_max": Bounds(1, 500, "permille"),
    "access_samples_min": Bounds(1, 1_000_000, "attempts"),
    "download_min_bits_per_s": Bounds(0, 10**11, "bit/s, 0 for none"),
    "latency_max_ms": Bounds(0, 60_000, "ms, 0 for none"),
    "limit_days": Bounds(1, 36_500, "days"),
    "speed_max_m_per_s": Bounds(10, 1000, "metres a second"),
    "stuck_places_min": Bounds(2, 10_000, "place cells"),
    "stuck_extent_min_m": Bounds(100, 100_000, "metres"),
    "cell_reach_max_m": Bounds(1000, 500_000, "metres"),
    "devices_at_position_max": Bounds(1, 10_000, "devices"),
    "eirp_max_dbm": Bounds(0, 100, "dBm"),
    "frequency_min_mhz": Bounds(100, 100_000, "MHz"),
    "free_space_sigma_db": Bounds(0, 30, "dB"),
    "free_space_sigmas": Bounds(0, 10, "standard deviations"),
    "mast_distance_max_m": Bounds(0, 100_000, "metres"),
}


class KeyErrors:
    """Errors of a policy file, each with the place of its value, or of its key where no value could be right."""

    def __init__(self, file: TomlFile) -> None:
        """Start without errors in a file."""
        self.found: list[LineError] = []
        self._file = file

    def add(self, key: str, found: object, expected: str) -> None:
        """Note what was found under a key and what was expected."""
        shown = "nothing" if found is None else f"{found!r:.200}"
        self._note(key, self._file.place_of_value(key), f"found {shown}; expected {expected}")

    def add_unknown(self, key: str, expected: str) -> None:
        """Note a key that means nothing."""
        self._note(key, self._file.place_of_key(key), f"unknown key; expected {expected}")

    def _note(self, key: str, place: Place, message: str) -> None:
        self.found.append(LineError(place.line, key, message, place.character))


def read_table(name: str, record: type, table: object, errors: KeyErrors) -> dict[str, Any]:
    """Return the values of a record's fields, None for those that are wrong."""
    values: dict[str, Any] = dict.fromkeys(field.name for field in fields(record))
    if not isinstance(table, dict):
        errors.add(name, table, f"a table [{name}] with {', '.join(values)}")
        return values
    prefix = f"{name}." if name else ""
    for key in table:
        if key not in values:
            errors.add_unknown(prefix + key, f"one of {', '.join(values)}")
    for key in values:
        expected = _wrong(key, table.get(key))
        if expected:
            errors.add(prefix + key, table.get(key), expected)
        else:
            values[key] = _kept(key, table[key])
    return values


def check_together(terms: dict[str, Any], errors: KeyErrors) -> None:
    """Note values that are possible alone and not together."""
    time, place, until = terms["time"], terms["place"], terms["effective_until"]
    if until is not None and until <= terms["effective_from"]:
        errors.add("effective_until", until.isoformat(), "a date after effective_from")
    if HOURS_PER_DAY % time.window_hours:
        errors.add("time.window_hours", time.window_hours, "a number of hours that divides 24")
    if time.measuring_hour_end <= time.measuring_hour_first:
        errors.add("time.measuring_hour_end", time.measuring_hour_end, "after measuring_hour_first")
    if place.cluster_size_m % place.cell_size_m:
        errors.add("place.cluster_size_m", place.cluster_size_m, "a multiple of cell_size_m")
    technologies = terms["technologies"]
    for i, technology in enumerate(technologies):
        low, high = FLOOR_BOUNDS_DBM[technology.rat]
        for level in (technology.floor_dbm, *technology.reported_tiers_dbm):
            if not low <= level <= high:
                errors.add(f"technologies[{i}].floor_dbm", level, f"{low} to {high} dBm")
        if technology.rat in [other.rat for other in technologies[:i]]:
            errors.add(f"technologies[{i}].rat", technology.rat, "each technology once")
    _check_service(terms["service"], {t.rat for t in technologies if t.counts}, errors)
    if not any(technology.counts for technology in technologies):
        errors.add("technologies", "none that counts", "at least one with counts = true")


def _check_service(service: Service | None, rats: set[str], errors: KeyErrors) -> None:
    """Note floors that no reading is compared with, or two for the same."""
    asked: set[tuple[str, str]] = set()
    for i, floor in enumerate(service.floors if service else ()):
        name = f"service.floors[{i}]"
        if floor.rat not in rats:
            errors.add(f"{name}.rat", floor.rat, "a technology that counts")
        if not floor.download_min_bits_per_s and not floor.latency_max_ms:
            errors.add(name, "nothing asked", "download_min_bits_per_s or latency_max_ms above 0")
        places = {(floor.rat, code) for code in floor.provinces or ("",)}
        if places & asked:
            errors.add(
                f"{name}.provinces", list(floor.provinces), "each province once for each technology"
            )
        asked |= places


def _wrong(key: str, value: object) -> str:
    """Return what was expected of a key alone, "" when the value is possible."""
    if key in BOUNDS:
        low, high, unit = BOUNDS[key]
        is_possible = type(value) is int and low <= value <= high
        return "" if is_possible else f"a whole number, {low} to {high} {unit}"
    is_possible_word, expected = WORDS.get(key, ANY_TEXT)
    return "" if is_possible_word(value) else expected


def _is_text(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value.strip()) <= TEXT_LENGTH_MAX


def _is_id(value: object) -> bool:
    return isinstance(value, str) and POLICY_ID.fullmatch(value) is not None


def _is_date(value: object) -> bool:
    return isinstance(value, dt.date) and not isinstance(value, dt.datetime)


def _is_list_of_int(value: object) -> bool:
    if not isinstance(value, list) or len(value) > TIER_COUNT_MAX:
        return False
    return all(type(level) is int for level in value)


def _is_list_of_provinces(value: object) -> bool:
    if not isinstance(value, list) or len(set(map(str, value))) < len(value):
        return False
    return all(isinstance(code, str) and code in PROVINCE_CODES for code in value)


def _kept(key: str, value: object) -> object:
    if key == "effective_until" and value == OPEN:
        return None
    return tuple(value) if isinstance(value, list) else value


WORDS: dict[str, tuple[Callable[[object], bool], str]] = {
    "counts": (lambda value: isinstance(value, bool), "true or false"),
    "verified": (lambda value: isinstance(value, bool), "true or false"),
    "rat": (lambda value: value in RAT_NAMES[1:], f"one of {', '.join(RAT_NAMES[1:])}"),
    "in_favour_when_silent": (
        lambda value: value in ("filer", "respondent"),
        '"filer" or "respondent"',
    ),
    "decides": (lambda value: isinstance(value, bool), "true or false"),
    "provinces": (
        _is_list_of_provinces,
        "a list of different province codes of 2021, or [] for all others",
    ),
    "effective_from": (_is_date, "a date such as 2021-09-21"),
    "effective_until": (
        lambda value: value == OPEN or _is_date(value),
        f'a date such as 2022-09-21, or "{OPEN}"',
    ),
    "reported_tiers_dbm": (
        _is_list_of_int,
        f"a list of at most {TIER_COUNT_MAX} whole numbers, dBm",
    ),
    "id": (_is_id, "1 to 64 characters of a-z 0-9 . -"),
}
ANY_TEXT = (_is_text, f"a text of 1 to {TEXT_LENGTH_MAX} characters")
