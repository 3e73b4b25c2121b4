"""Pupils by what is stated of them (handover records) and by what telemetry shows (their SIMs were heard of)."""

from dataclasses import dataclass
from datetime import date

import numpy as np

from phusong.kernels.columns import BoolColumn, Int64Column
from phusong.kernels.meter_state import Meter
from phusong.verifier.registry.handovers import NO_PHASE, Handovers
from phusong.verifier.registry.sims import SimRegister

UNIX_DAY = date(1970, 1, 1)


@dataclass(frozen=True, slots=True, eq=False)
class Pupils:
    """One row per registered SIM whose entitlement has begun; all None without a register."""

    first_day: Int64Column | None  # days since 1970-01-01: the handover
    is_heard: BoolColumn | None  # its SIM sent or was reported on within the entitlement
    phase: Int64Column | None = (
        None  # by the record of its handover, NO_PHASE; None: no records are loaded
    )
    is_recorded: BoolColumn | None = None  # has a record of a handover

    @property
    def entitled_count(self) -> int | None:
        """How many entitlements have begun."""
        return None if self.first_day is None else len(self.first_day)

    @property
    def entitled_heard_count(self) -> int:
        """How many of them were heard of."""
        return 0 if self.is_heard is None else int(np.count_nonzero(self.is_heard))

    def handed_over(
        self, begins: str, deadline: str, phase: int | None = None
    ) -> tuple[int | None, int]:
        """Return how many handovers of some days are recorded, and how many of those SIMs were heard of.

        Where records of handovers are loaded, only these are counted, those of the phase or of none; else the days that the
        register of SIMs states.
        """
        if self.first_day is None or self.is_heard is None:
            return None, 0
        first, last = ((date.fromisoformat(text) - UNIX_DAY).days for text in (begins, deadline))
        is_within = (first <= self.first_day) & (self.first_day <= last)
        if self.phase is not None and self.is_recorded is not None:
            is_within = is_within & self.is_recorded
            if phase is not None:
                is_within &= (self.phase == phase) | (self.phase == NO_PHASE)
        return int(np.count_nonzero(is_within)), int(np.count_nonzero(is_within & self.is_heard))


def pupils_of(
    sims: SimRegister | None, handovers: Handovers | None, meter: Meter, as_of_day: int
) -> Pupils:
    """Return the pupils of a register and of records of handovers up to a day (since 1970-01-01)."""
    if sims is None:
        return Pupils(None, None)
    is_heard = np.zeros(len(sims), np.bool_)
    for day in meter.days().tolist():
        found = meter.sims_of_day(day)
        row = sims.find(found.subscriber_key[found.is_heard])
        row = row[row >= 0]
        is_heard[row[(sims.first_day[row] <= day) & (day <= sims.last_day[row])]] = True
    has_begun = sims.first_day <= as_of_day
    if handovers is None:
        return Pupils(sims.first_day[has_begun], is_heard[has_begun])
    phase, is_recorded = np.full(len(sims), NO_PHASE), np.zeros(len(sims), np.bool_)
    row = sims.find(handovers.subscriber_key)
    phase[row], is_recorded[row] = handovers.phase, True
    return Pupils(
        sims.first_day[has_begun],
        is_heard[has_begun],
        phase[has_begun],
        is_recorded[has_begun],
    )
