"""The plausibility screen as its rules are written down: plain loops over what bins remember."""

import itertools
import math
from collections import defaultdict
from typing import Any, NamedTuple

DEGREE_M = 111_195.08


class Visit(NamedTuple):
    """A bin of one device; `bits` are the 64ths of its window in which there were readings."""

    latitude: float
    longitude: float
    first_ms: int
    last_ms: int
    window_ms: int  # its start
    bits: tuple[int, ...]
    weight: int
    name: tuple[int, int]  # where, when


class Pace(NamedTuple):
    """What a step may imply."""

    speed: float
    slack_m: float
    slack_ms: float


def distance_m(one: Any, other: Any) -> float:
    """Return how far apart two places are."""
    middle = math.radians((one.latitude + other.latitude) / 2)
    east = abs(other.longitude - one.longitude)
    return math.hypot(
        (other.latitude - one.latitude) * DEGREE_M,
        min(east, 360 - east) * DEGREE_M * math.cos(middle),
    )


def moments(visits: list[Visit], window_length_ms: int) -> list[tuple[int, int, int]]:
    """Return (time, unsure, visit) of all that is remembered, in order."""
    found = []
    slot = window_length_ms // 64
    for i, visit in enumerate(visits):
        found.append((visit.first_ms, 0, visit.name, i))
        if visit.last_ms == visit.first_ms:
            continue
        found.append((visit.last_ms, 0, visit.name, i))
        for bit in visit.bits:
            start = visit.window_ms + bit * window_length_ms // 64
            if visit.first_ms < start and start + slot < visit.last_ms:
                found.append((start + slot // 2, slot // 2 + 1, visit.name, i))
    return [(time, unsure, i) for time, unsure, _, i in sorted(found)]


def unwalkable(visits: list[Visit], pace: Pace, window_length_ms: int) -> set[int]:
    """Return which visits are not in the heaviest succession of moments; of equals the earlier stays."""
    order = moments(visits, window_length_ms)

    def can_follow(j: int, k: int) -> bool:
        (t, u, v), (s, w, x) = order[j], order[k]
        reach = pace.slack_m + pace.speed * (s - t + u + w + pace.slack_ms) / 1000
        return v == x or distance_m(visits[v], visits[x]) <= reach

    best: list[tuple[int, list[int]]] = []
    for k, (_, _, v) in enumerate(order):
        weight, chain = 0, []
        for j in range(k):
            if best[j][0] > weight and can_follow(j, k):
                weight, chain = best[j]
        best.append((weight + visits[v].weight, [*chain, k]))
    if not best:
        return set()
    heaviest = max(weight for weight, _ in best)
    kept = next(chain for weight, chain in best if weight == heaviest)
    return {order[k][2] for k in range(len(order)) if k not in kept}


def stuck_levels(
    visits: list[dict[str, Any]], places_min: int, extent_m: float, ends: tuple[float, float]
) -> set[int]:
    """Return the visits of runs of one level; visits are in the order of time."""
    out: set[int] = set()
    run: list[int] = []
    for i, visit in enumerate([*visits, {"level": None}]):
        is_one = visit["level"] is not None and visit["level"] not in ends
        same = is_one and run and visits[run[-1]]["level"] == visit["level"]
        if not same:
            changes = 1 + sum(
                visits[a]["cell"] != visits[b]["cell"] for a, b in itertools.pairwise(run)
            )
            if run and changes >= places_min and across(visits, run) >= extent_m:
                out |= set(run)
            run = []
        if is_one:
            run.append(i)
    return out


def across(visits: list[dict[str, Any]], run: list[int]) -> float:
    """Return the diagonal of what visits span."""
    places = [visits[i]["place"] for i in run]
    corners = [Place(*(pick(c) for c in zip(*places, strict=True))) for pick in (min, max)]
    return distance_m(*corners)


class Place(NamedTuple):
    """Degrees."""

    latitude: float
    longitude: float


def shared(bins: list[tuple[int, int, int]], device_count_max: int) -> set[int]:
    """Return which bins, (place, position, device), share their position with too many devices."""
    devices = defaultdict(set)
    for place, position, device in bins:
        devices[place, position].add(device)
    return {
        i
        for i, (place, position, _) in enumerate(bins)
        if len(devices[place, position]) > device_count_max
    }
