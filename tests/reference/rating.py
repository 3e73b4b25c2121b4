"""Zero rating as a clerk does it: each group's bytes by day from the whole history, then the class of that day."""

from collections import defaultdict

from reference import quota
from reference.usage import METERED, ZERO_RATED, Usage

# (rating group) → free days, first and last included
FreeDays = dict[int, list[tuple[int, int]]]


def class_of(group: int, sent: int, day: int, free_days: FreeDays) -> int:
    if group == 0 or group not in free_days:
        return sent
    is_free = any(first <= day <= last for first, last in free_days[group])
    return ZERO_RATED if is_free else METERED


def rated(history: list[Usage], free_days: FreeDays) -> dict[tuple[int, int], dict[str, int]]:
    """Return (sim, day) → metered, indeterminate and zero-rated bytes; days without bytes left out."""
    found: dict[tuple[int, int], dict[str, int]] = defaultdict(
        lambda: {"metered": 0, "indeterminate": 0, "zero_rated": 0}
    )
    for group, sent in sorted({(row.group, row.traffic) for row in history}):
        rows = [
            row._replace(traffic=METERED)
            for row in history
            if (row.group, row.traffic) == (group, sent)
        ]
        for (sim, day), entry in quota.ledger(rows).items():
            if class_of(group, sent, day, free_days) == ZERO_RATED:
                found[sim, day]["zero_rated"] += entry["metered"]
            else:
                found[sim, day]["metered"] += entry["metered"]
                found[sim, day]["indeterminate"] += entry["indeterminate"]
    return {key: entry for key, entry in found.items() if any(entry.values())}
