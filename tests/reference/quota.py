"""The quota ledger as a clerk would keep it: sort the whole history, write down every difference.

Knows sane histories only: in each life of a counter a later reading is not lower.
"""

from collections import defaultdict
from fractions import Fraction
from math import floor

from reference.days import calendar_day, day_start_ms, ict_day
from reference.usage import DELTA, START, ZERO_RATED, Usage

WRAP = 2**32
Entry = dict[str, int]


def ledger(history: list[Usage]) -> dict[tuple[int, int], Entry]:
    """Return (sim, day) → metered, indeterminate and zero-rated bytes; days without bytes left out."""
    entries: dict[tuple[int, int], Entry] = defaultdict(
        lambda: {"metered": 0, "indeterminate": 0, "zero_rated": 0}
    )
    counters: dict[tuple[int, ...], list[Usage]] = defaultdict(list)
    for reading in history:
        if reading.kind == DELTA:
            begin = reading.time_ms if reading.start_ms is None else reading.start_ms
            spread(entries, reading, value(reading), begin, reading.time_ms)
        else:
            key = (reading.sim, reading.source, reading.session, reading.traffic, reading.epoch)
            counters[key].append(reading)
    for readings in counters.values():
        for life in lives(set(readings)):
            write_differences(entries, life)
    return {key: entry for key, entry in entries.items() if any(entry.values())}


def lives(readings: set[Usage]) -> list[list[tuple[Usage, int]]]:
    """Split a counter's readings where its source says that it started again, and work out their values.

    It started again when its session began after all that came before and is younger, or lower, than it was.
    """
    ordered = sorted(readings, key=lambda r: (r.time_ms, r.age_ms or 0, r.sequence, value(r)))
    found: list[list[tuple[Usage, int]]] = []
    ups = downs = 0
    for reading in ordered:
        if not found or has_started_again(found[-1], reading):
            found.append([])
            ups = downs = 0
        ups = whole_counter(reading.up, reading.up_high, ups, reading.width)
        downs = whole_counter(reading.down, reading.down_high, downs, reading.width)
        found[-1].append((reading, ups + downs))
    return found


def has_started_again(life: list[tuple[Usage, int]], reading: Usage) -> bool:
    last, total = life[-1]
    born = birth(reading)
    if born is None or any(same_birth(born, birth(known)) for known, _ in life):
        return False
    is_younger = last.age_ms is not None and reading.time_ms - born < last.age_ms
    return born >= last.time_ms - 60_000 and (value(reading) < total or is_younger)


def birth(reading: Usage) -> int | None:
    if reading.age_ms is not None:
        return reading.time_ms - reading.age_ms
    return reading.time_ms if reading.record == START else None


def same_birth(one: int, other: int | None) -> bool:
    return other is not None and abs(one - other) <= 60_000


def value(reading: Usage) -> int:
    return reading.up + reading.down + WRAP * ((reading.up_high or 0) + (reading.down_high or 0))


def whole_counter(low: int, high: int | None, before: int, width: int) -> int:
    if high is not None or width != 32:
        return low + WRAP * (high or 0)
    while low < before:
        low += WRAP
    return low


def write_differences(entries: dict, life: list[tuple[Usage, int]]) -> None:
    first = life[0][0]
    born = first.start_ms if first.start_ms is not None else birth(first)
    before, since = 0, first.time_ms if born is None else born
    for reading, total in life:
        spread(entries, reading, total - before, since, reading.time_ms)
        before, since = total, reading.time_ms


def spread(entries: dict, reading: Usage, whole: int, begin: int, end: int) -> None:
    """Give each calendar day its part of an interval, rounded down at every midnight."""
    last = ict_day(end - 1) if begin < end else ict_day(end)
    days = range(ict_day(begin), last + 1) if begin < end else [last]
    done = 0
    for day in days:
        until = min(day_start_ms(day + 1), end)
        share = Fraction(until - begin, end - begin) if begin < end else Fraction(1)
        upto = floor(whole * share)
        entry = entries[reading.sim, day]
        if reading.traffic == ZERO_RATED:
            entry["zero_rated"] += upto - done
        else:
            entry["metered"] += upto - done
            entry["indeterminate"] += upto - done if len(days) > 1 else 0
        done = upto
    assert done == whole, f"the days of {calendar_day(begin)} to {calendar_day(end)} sum up"
