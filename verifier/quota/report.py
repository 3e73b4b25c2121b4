"""One day of the quota: every SIM that was heard of, and sums that must reconcile."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class SimState(StrEnum):
    """Where a SIM stands on a day."""

    NOT_ENTITLED = "NOT_ENTITLED"
    WITHIN = "WITHIN"
    INDETERMINATE = "INDETERMINATE"  # reaches the quota only with bytes a midnight split attributed
    EXHAUSTED = "EXHAUSTED"


@dataclass(frozen=True, slots=True)
class SimDay:
    """One SIM's day. `sim` is the subscriber key, unsigned and decimal: it has 64 bits, and JSON's numbers 53."""

    sim: str
    used_bytes: int
    zero_rated_bytes: int
    indeterminate_bytes: int
    state: SimState
    crossed_time: str | None
    thresholds_crossed: list[int]


@dataclass(frozen=True, slots=True)
class QuotaDay:
    """The report of a day.

    `used_bytes` are all metered bytes attributed to the day; `indeterminate_bytes` the part of them that lies in
    intervals with a midnight inside. Thresholds count the rest alone.
    totals: readings received = counted + duplicate + stale + rejected + quarantined.
    """

    day: str
    quota_bytes: int
    sims: list[SimDay]
    totals: dict[str, int]


def quota_record(report: QuotaDay) -> dict[str, Any]:
    """Return the report as plain lists and dicts, in the order of the documented fields."""
    return asdict(report)
