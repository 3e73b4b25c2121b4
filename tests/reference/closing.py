"""The quota ledger as a clerk keeps it: after every frame all sums anew, from the whole history so far."""

from reference import quota
from reference.days import day_start_ms
from reference.usage import Usage

Sums = tuple[int, int, int]
Key = tuple[int, int]  # day, sim


def sums(history: list[Usage]) -> dict[Key, Sums]:
    """Return metered, indeterminate and zero-rated bytes."""
    return {
        (day, sim): (entry["metered"], entry["indeterminate"], entry["zero_rated"])
        for (sim, day), entry in quota.ledger(history).items()
    }


def keep(
    frames: list[tuple[int, list[Usage]]], grace_ms: int
) -> tuple[dict[int, tuple[int, dict[int, Sums]]], list[tuple[int, int, int, Sums]]]:
    """Return day → (last frame known, sim → sums) as each day closed, and adjustments: day, sim, frame, change.

    A day closes `grace_ms` after its midnight, or after it was first heard of if that was later.
    """
    history: list[Usage] = []
    heard: dict[int, int] = {}
    closed: dict[int, tuple[int, dict[int, Sums]]] = {}
    adjustments = []
    before: dict[Key, Sums] = {}
    for sequence, (time_ms, rows) in enumerate(frames, 1):
        for day in sorted(heard):
            end_ms = day_start_ms(day + 1) + grace_ms
            close_ms = end_ms if heard[day] < end_ms else heard[day] + grace_ms
            if day not in closed and time_ms >= close_ms:
                entries = {sim: entry for (of, sim), entry in before.items() if of == day}
                if entries:
                    closed[day] = sequence - 1, entries
                else:
                    del heard[day]
        history += rows
        after = sums(history)
        for key in sorted(before.keys() | after.keys()):
            one, other = before.get(key, (0, 0, 0)), after.get(key, (0, 0, 0))
            if one == other:
                continue
            day, sim = key
            heard.setdefault(day, time_ms)
            if day in closed:
                change = tuple(b - a for a, b in zip(one, other, strict=True))
                adjustments.append((day, sim, sequence, change))
        before = after
    return closed, adjustments
