"""A meter fed with readings, and what it says, as plain values."""

import numpy as np

from phusong.kernels.meter_state import Meter
from reference.usage import Usage, columns

QUOTA = 4 * 2**30
NAMES = ("metered", "indeterminate", "zero_rated")
Entries = dict[tuple[int, int], dict[str, int]]


def meter_of(*batches: list[Usage]) -> Meter:
    meter = Meter(np.array([QUOTA // 2, QUOTA * 8 // 10, QUOTA]))
    for batch in batches:
        add(meter, batch)
    return meter


def add(
    meter: Meter,
    batch: list[Usage],
    time_ms: list[int] | None = None,
    flag: int = 0,
    *,
    is_repeated: bool = False,
) -> list[int]:
    """Add a batch, by default on the clocks of its readings; return the reasons."""
    readings = columns(batch)
    zeros = np.zeros(len(batch), np.int64)
    reason = zeros.copy()
    meter.add(
        readings,
        readings.observed_time_ms if time_ms is None else np.array(time_ms, np.int64),
        zeros + flag,
        readings.observed_time_ms,
        np.array([row.source for row in batch], np.int64),
        zeros,
        np.full(len(batch), is_repeated),
        reason,
    )
    return reason.tolist()


def used(meter: Meter) -> Entries:
    """Return (sim, day) → bytes; days without bytes left out, as in the reference ledger."""
    found = {}
    for day in meter.days().tolist():
        rows = meter.sims_of_day(day)
        bytes_of = (rows.metered_bytes, rows.indeterminate_bytes, rows.zero_rated_bytes)
        for sim, *entry in zip(rows.subscriber_key.tolist(), *bytes_of, strict=True):
            found[sim, day] = dict(zip(NAMES, map(int, entry), strict=True))
    return {key: entry for key, entry in found.items() if any(entry.values())}


def crossings(meter: Meter) -> dict[tuple[int, int], int]:
    found = {}
    for day in meter.days().tolist():
        rows = meter.sims_of_day(day)
        rows = rows.where(rows.metered_bytes != 0)
        for sim, time_ms in zip(rows.subscriber_key, rows.crossed_time_ms, strict=True):
            found[int(sim), day] = int(time_ms)
    return found


def accounts(meter: Meter) -> dict[tuple[int, int], list[int]]:
    """Return (source, day) → the counts and sums of the account."""
    rows = np.array(meter.accounts()).T.tolist()
    return {(source, day): sums for source, day, *sums in rows}
