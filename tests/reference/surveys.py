"""What sorted bins say, by dicts."""

from collections import defaultdict
from itertools import combinations
from typing import Any

DAY_MS = 86_400_000


def most_apart(times: list[int], gap: int) -> int:
    """Return the most moments of which any two lie a gap apart, by trying all choices."""
    choices = (c for n in range(len(times) + 1) for c in combinations(times, n))
    return max(len(c) for c in choices if all(abs(a - b) >= gap for a, b in combinations(c, 2)))


def group_of(bins: list[dict[str, Any]], window_ms: int, gap_ms: int) -> dict[str, int]:
    """Return what the bins of one group amount to."""
    firsts: dict[int, list[int]] = defaultdict(list)
    for one in bins:
        firsts[one["window"]].append(one["first"])
    return {
        "raw_count": sum(one["heard"] for one in bins),
        "bin_count": len(bins),
        "silent_bin_count": sum(2 * one["silent"] > one["heard"] for one in bins),
        "device_count": len({one["device"] for one in bins}),
        "window_count": len(firsts),
        "spaced_count": most_apart([min(times) for times in firsts.values()], gap_ms),
        "day_count": len({window * window_ms // DAY_MS for window in firsts}),
        "first_time_ms": min(one["first"] for one in bins),
        "last_time_ms": max(one["last"] for one in bins),
    }


def stays_of(bins: list[dict[str, Any]], windows_max: int) -> dict[tuple, tuple[int, float]]:
    """Return weight and share of every device in a place cell."""
    found: dict[tuple, list[bool]] = defaultdict(list)
    for one in bins:
        key = (one["group"], one["east"], one["north"], one["device"])
        found[key].append(2 * one["met"] >= one["heard"])
    return {key: (min(len(met), windows_max), sum(met) / len(met)) for key, met in found.items()}


def places_of(stays: dict[tuple, tuple[int, float]]) -> dict[tuple, float]:
    """Return the share of every place cell."""
    found: dict[tuple, list[tuple[int, float]]] = defaultdict(list)
    for (*place, _), stay in stays.items():
        found[tuple(place)].append(stay)
    return {
        place: sum(weight * share for weight, share in mine) / sum(weight for weight, _ in mine)
        for place, mine in found.items()
    }
