"""Unions of spans by naming every millisecond."""


def union(spans: list[tuple[int, int, int]]) -> dict[int, set[int]]:
    """Return the milliseconds of each key's (key, first, last), both ends included."""
    found: dict[int, set[int]] = {}
    for key, first, last in spans:
        found.setdefault(key, set()).update(range(first, last + 1))
    return found


def first_samples(rows: list[tuple[int, int, int]]) -> dict[int, tuple[int, int]]:
    """Return the earliest (time, value) of each key, the lowest value where times are equal."""
    found: dict[int, tuple[int, int]] = {}
    for key, time, value in sorted(rows):
        found.setdefault(key, (time, value))
    return found
