import random
from collections.abc import Callable

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from phusong.kernels.meter_state import Meter
from phusong.kernels.meter_tables import (
    D_DAY,
    D_INDETERMINATE,
    D_METERED,
    D_SIM,
    D_ZERO_RATED,
)
from reference import quota as reference
from reference.usage import (
    DAY_MS,
    HOUR_MS,
    METERED,
    MIDNIGHT_MS,
    MINUTE_MS,
    ZERO_RATED,
    Usage,
    columns,
)

QUOTA = 4 * 2**30
MASK = 2**32 - 1


def meter_of(*batches: list[Usage]) -> Meter:
    meter = Meter(np.array([QUOTA // 2, QUOTA * 8 // 10, QUOTA]))
    for batch in batches:
        add(meter, batch)
    return meter


def add(meter: Meter, batch: list[Usage]) -> list[int]:
    readings = columns(batch)
    zeros = np.zeros(len(batch), np.int64)
    reason = zeros.copy()
    meter.add(
        readings,
        readings.observed_time_ms,
        zeros,
        readings.observed_time_ms,
        np.array([row.source for row in batch], np.int64),
        zeros,
        np.zeros(len(batch), np.bool_),
        reason,
    )
    return reason.tolist()


def used(meter: Meter) -> dict[tuple[int, int], dict[str, int]]:
    found = {}
    for row in meter.sim_days:
        sim = int(meter.sim_keys.keys[row[D_SIM], 0])
        found[sim, int(row[D_DAY])] = {
            "metered": int(row[D_METERED]),
            "indeterminate": int(row[D_INDETERMINATE]),
            "zero_rated": int(row[D_ZERO_RATED]),
        }
    return {key: entry for key, entry in found.items() if any(entry.values())}


gaps = st.integers(10_000, 5 * HOUR_MS) | st.integers(DAY_MS, 4 * DAY_MS)
reports = st.tuples(gaps, st.integers(0, 2**31), st.integers(0, 2**32 - 1), st.booleans())


@st.composite
def counters(draw: Callable) -> list[Usage]:
    """One counter: its reports in the order in which they were made, over one or two lives."""
    has_age, width = draw(st.booleans()), draw(st.sampled_from([64, 32]))
    sim, traffic = draw(st.integers(1, 3)), draw(st.sampled_from([METERED, ZERO_RATED]))
    time_ms = MIDNIGHT_MS - draw(st.integers(0, 30)) * HOUR_MS
    history: list[Usage] = []
    for life in range(draw(st.integers(1, 2 if has_age else 1))):
        time_ms += draw(st.integers(10 * MINUTE_MS, DAY_MS))
        born, up, down = time_ms, 0, 0
        found = draw(st.lists(reports, min_size=1, max_size=6))
        for number, (gap_ms, more_up, more_down, has_high) in enumerate(found):
            # A session as old as the one before it would not be known for a new one.
            is_reboot = life > 0 and number == 0
            time_ms += min(gap_ms, history[-1].age_ms // 2) if is_reboot else gap_ms
            up, down = up + more_up, down + more_down
            is_wide = width == 64
            history.append(
                Usage(
                    time_ms,
                    up=up if is_wide else up & MASK,
                    down=down if is_wide else down & MASK,
                    up_high=None if is_wide or not has_high else up >> 32,
                    down_high=None if is_wide or not has_high else down >> 32,
                    age_ms=time_ms - born if has_age else None,
                    sim=sim,
                    traffic=traffic,
                    width=width,
                )
            )
    return history


histories = st.lists(counters(), max_size=4).map(
    lambda found: [row._replace(session=k) for k, rows in enumerate(found) for row in rows]
)


def disordered(history: list[Usage], seed: int) -> list[Usage]:
    chance = random.Random(seed)
    repeated = history + chance.choices(history, k=len(history) // 2) if history else []
    chance.shuffle(repeated)
    return repeated


@settings(deadline=None, max_examples=300)
@given(histories)
def test_matches_the_reference(history: list[Usage]) -> None:
    assert used(meter_of(history)) == reference.ledger(history)


@settings(deadline=None, max_examples=300)
@given(histories, st.integers(0, 2**32))
def test_disorder_and_repeats_change_nothing(history: list[Usage], seed: int) -> None:
    assert used(meter_of(disordered(history, seed))) == reference.ledger(history)
