"""A day of the quota in a handful of numbers: what metrics show of it, however many SIMs there are."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from phusong.verifier.quota.rating import RatingMeter
from phusong.verifier.quota.report import SimState
from phusong.verifier.quota.reporting import STATES, day_totals, only_shown, states_of
from phusong.verifier.quota.settings import QuotaSettings
from phusong.verifier.registry.sims import SimRegister

# A few milliseconds of a core: what a decision may wait for.
RUN_SIM_COUNT = 16_384


@dataclass(frozen=True, slots=True)
class QuotaFigures:
    """Sums over the SIMs of one day. Bytes are floats: the sum of a million days may leave int64.

    sims: by state, every state there is. overshoot: of entitled SIMs, beyond their free volume. charged: counted as metered by their
    source, though free by the list of their day.
    readings: by outcome; received is the sum of the others.
    """

    sims: dict[str, int]
    determinate_bytes: float
    indeterminate_bytes: float
    zero_rated_bytes: float
    overshoot_bytes: float
    overshoot_max_bytes: int
    charged_bytes: int
    readings: dict[str, int]


def quota_figures(
    meter: RatingMeter, sims: SimRegister | None, settings: QuotaSettings, ict_day: int
) -> QuotaFigures:
    """Return the figures of a day: a pass over its SIMs, a third of a second for a million."""
    *_, found = figures_in_runs(meter, sims, settings, ict_day)
    assert found is not None, "the last run has them"
    return found


def figures_in_runs(
    meter: RatingMeter, sims: SimRegister | None, settings: QuotaSettings, ict_day: int
) -> Iterator[QuotaFigures | None]:
    """Yield None after each run of SIMs, the figures at last.

    Whoever has decisions to take between two runs need not wait for the whole pass.
    """
    counts = np.zeros(len(STATES), np.int64)
    sums = np.zeros(4, np.float64)
    overshoot_max_bytes = 0
    for run in meter.runs_of_day(ict_day, RUN_SIM_COUNT):
        days = only_shown(run)
        states = states_of(days, sims, settings)
        counts += np.bincount(states, minlength=len(STATES))
        determinate = days.determinate_bytes
        over = determinate[states == STATES.index(SimState.EXHAUSTED)] - settings.quota_bytes
        columns = (determinate, days.indeterminate_bytes, days.zero_rated_bytes, over)
        sums += [column.sum(dtype=np.float64) for column in columns]
        overshoot_max_bytes = max(overshoot_max_bytes, int(over.max(initial=0)))
        yield None
    yield QuotaFigures(
        sims={str(state): count for state, count in zip(STATES, counts.tolist(), strict=True)},
        determinate_bytes=float(sums[0]),
        indeterminate_bytes=float(sums[1]),
        zero_rated_bytes=float(sums[2]),
        overshoot_bytes=float(sums[3]),
        overshoot_max_bytes=overshoot_max_bytes,
        charged_bytes=int(meter.charged_bytes(ict_day)[1].sum()),
        readings=day_totals(meter, ict_day),
    )
