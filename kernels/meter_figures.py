"""What a meter says: column sets, so that nobody needs to know how it remembers.

One entry of `SimDays` is a SIM on a day, one of `Accounts` a source on a day, one of `LevelChanges` a SIM's day that came
to another number of thresholds.
"""

from typing import NamedTuple

import numpy as np

from phusong.kernels.columns import BoolColumn, Int64Column
from phusong.kernels.meter_tables import (
    A_DAY,
    A_RECEIVED,
    A_SOURCE,
    D_CROSSED_TIME,
    D_DAY,
    D_INDETERMINATE,
    D_MARKS,
    D_METERED,
    D_OLDER,
    D_SIM,
    D_ZERO_RATED,
    HAS_READING,
    M_NEWEST,
    M_OPERATOR,
    NONE,
    Tables,
)


class SimDays(NamedTuple):
    """SIMs on days. Bytes that are INDETERMINATE are among the metered; zero-rated ones are apart."""

    subscriber_key: Int64Column
    ict_day: Int64Column
    metered_bytes: Int64Column
    zero_rated_bytes: Int64Column
    indeterminate_bytes: Int64Column
    crossed_time_ms: (
        Int64Column  # of the reading that reached the quota, NONE (-1) where it is not reached
    )
    marks: Int64Column  # level, whether a reading lies in the day, what has been decided: see `meter_tables`
    operator: Int64Column  # the number of whoever spoke of the SIM first, NONE when nobody did

    @property
    def determinate_bytes(self) -> Int64Column:
        """The metered bytes that were used on the day for sure; these alone count towards thresholds."""
        return self.metered_bytes - self.indeterminate_bytes

    @property
    def is_heard(self) -> BoolColumn:
        """Whether a reading lies in the day, rather than only bytes that a midnight split brought, or a decision."""
        is_heard: BoolColumn = (self.marks & HAS_READING) != 0
        return is_heard

    def where(self, chosen: BoolColumn | Int64Column) -> "SimDays":
        """Return some of the entries."""
        return SimDays(*(column[chosen] for column in self))


class Accounts(NamedTuple):
    """Sources on days: received = counted + duplicate + stale + rejected + quarantined, for every entry."""

    source: Int64Column
    ict_day: Int64Column
    received: Int64Column
    counted: Int64Column
    duplicate: Int64Column
    stale: Int64Column
    rejected: Int64Column
    quarantined: Int64Column
    clock_far: Int64Column
    inferred: Int64Column
    uplink_bytes: Int64Column
    downlink_bytes: Int64Column

    def where(self, chosen: BoolColumn | Int64Column) -> "Accounts":
        """Return some of the entries."""
        return Accounts(*(column[chosen] for column in self))


class LevelChanges(NamedTuple):
    """SIMs' days that came to another level, the number of thresholds reached, by a reading of some time."""

    subscriber_key: Int64Column
    ict_day: Int64Column
    time_ms: Int64Column
    level: Int64Column

    def where(self, chosen: BoolColumn) -> "LevelChanges":
        """Return some of the changes."""
        return LevelChanges(*(column[chosen] for column in self))


def changes_of(rows: list[tuple[int, int, int, int]]) -> LevelChanges:
    """Return changes given one by one, each with the values of a `LevelChanges`."""
    return LevelChanges(*np.array(rows, np.int64).reshape(-1, 4).T.copy())


def sim_days_at(t: Tables, keys: Int64Column, rows: Int64Column) -> SimDays:
    """Return some rows of the table of SIM-days. keys: the subscriber keys in the order of `Tables.sims`."""
    days = t.sim_days[rows]
    sim = days[:, D_SIM]
    return SimDays(
        subscriber_key=keys[sim],
        ict_day=days[:, D_DAY].copy(),
        metered_bytes=days[:, D_METERED].copy(),
        zero_rated_bytes=days[:, D_ZERO_RATED].copy(),
        indeterminate_bytes=days[:, D_INDETERMINATE].copy(),
        crossed_time_ms=days[:, D_CROSSED_TIME].copy(),
        marks=days[:, D_MARKS].copy(),
        operator=t.sims[sim, M_OPERATOR],
    )


def rows_of_sim(t: Tables, sim: int, first_day: int, last_day: int) -> Int64Column:
    """Return the rows of a SIM's days from one day to another, oldest first."""
    found = []
    row = int(t.sims[sim, M_NEWEST])
    while row != NONE and t.sim_days[row, D_DAY] >= first_day:
        if t.sim_days[row, D_DAY] <= last_day:
            found.append(row)
        row = int(t.sim_days[row, D_OLDER])
    return np.array(found[::-1], np.int64)


def accounts_of(rows: Int64Column) -> Accounts:
    """Return rows of the table of accounts by day, then source."""
    rows = rows[np.lexsort((rows[:, A_SOURCE], rows[:, A_DAY]))]
    return Accounts(*rows[:, [A_SOURCE, A_DAY]].T.copy(), *rows[:, A_RECEIVED:].T.copy())
