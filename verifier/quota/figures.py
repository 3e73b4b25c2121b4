"""A day of the quota in a handful of numbers: what metrics show of it, however many SIMs there are."""

from dataclasses import dataclass

import numpy as np

from phusong.kernels.meter_state import Meter
from phusong.verifier.quota.report import SimState
from phusong.verifier.quota.reporting import STATES, day_totals, shown_sims, states_of
from phusong.verifier.quota.settings import QuotaSettings
from phusong.verifier.registry.sims import SimRegister


@dataclass(frozen=True, slots=True)
class QuotaFigures:
    """Sums over the SIMs of one day. Bytes are floats: the sum of a million days may leave int64.

    sims: by state, every state there is. overshoot: of entitled SIMs, beyond their free volume.
    readings: by outcome; received is the sum of the others.
    """

    sims: dict[str, int]
    determinate_bytes: float
    indeterminate_bytes: float
    zero_rated_bytes: float
    overshoot_bytes: float
    overshoot_max_bytes: int
    readings: dict[str, int]


def quota_figures(
    meter: Meter, sims: SimRegister | None, settings: QuotaSettings, ict_day: int
) -> QuotaFigures:
    """Return the figures of a day: a pass over its SIMs, a third of a second for a million."""
    days = shown_sims(meter, ict_day)
    states = states_of(days, sims, settings)
    counts = np.bincount(states, minlength=len(STATES)).tolist()
    determinate = days.determinate_bytes
    over = determinate[states == STATES.index(SimState.EXHAUSTED)] - settings.quota_bytes
    return QuotaFigures(
        sims={str(state): count for state, count in zip(STATES, counts, strict=True)},
        determinate_bytes=float(determinate.sum(dtype=np.float64)),
        indeterminate_bytes=float(days.indeterminate_bytes.sum(dtype=np.float64)),
        zero_rated_bytes=float(days.zero_rated_bytes.sum(dtype=np.float64)),
        overshoot_bytes=float(over.sum(dtype=np.float64)),
        overshoot_max_bytes=int(over.max(initial=0)),
        readings=day_totals(meter, ict_day),
    )
