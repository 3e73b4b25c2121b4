"""A meter fed with readings, and what it says, as plain values."""

import numpy as np

from phusong.kernels.meter_state import Meter
from phusong.kernels.meter_tables import (
    A_DAY,
    A_RECEIVED,
    A_SOURCE,
    D_CROSSED_TIME,
    D_DAY,
    D_INDETERMINATE,
    D_METERED,
    D_SIM,
    D_ZERO_RATED,
)
from reference.usage import Usage, columns

QUOTA = 4 * 2**30
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
    for row in meter.sim_days:
        sim = int(meter.sim_keys.keys[row[D_SIM], 0])
        found[sim, int(row[D_DAY])] = {
            "metered": int(row[D_METERED]),
            "indeterminate": int(row[D_INDETERMINATE]),
            "zero_rated": int(row[D_ZERO_RATED]),
        }
    return {key: entry for key, entry in found.items() if any(entry.values())}


def crossings(meter: Meter) -> dict[tuple[int, int], int]:
    return {
        (int(meter.sim_keys.keys[row[D_SIM], 0]), int(row[D_DAY])): int(row[D_CROSSED_TIME])
        for row in meter.sim_days
        if row[D_METERED]
    }


def accounts(meter: Meter) -> dict[tuple[int, int], list[int]]:
    """Return (source, day) → the counts and sums of the account."""
    return {
        (int(row[A_SOURCE]), int(row[A_DAY])): row[A_RECEIVED:].tolist() for row in meter.accounts
    }
