"""Amounts that come to a SIM's day, or leave it, by another road than a reading: rated apart, and rated again."""

from phusong.kernels.columns import Int, Int64Column
from phusong.kernels.jit_uncounted import uncounted_kernel
from phusong.kernels.meter_amounts import add_sum, weigh_day
from phusong.kernels.meter_tables import (
    C_CHANGED,
    C_REVISED,
    C_SIM_DAY,
    D_INDETERMINATE,
    D_MARKS,
    D_METERED,
    D_ZERO_RATED,
    HAS_READING,
    SUM_MAX_BYTES,
    Tables,
    note_revised,
    sim_day_of,
)

# Columns of an amount. X_SIM: row in Tables.sims; X_TIME: of the reading, or of the decision to rate otherwise.
X_SIM, X_DAY, X_METERED, X_INDETERMINATE, X_ZERO_RATED, X_TIME = range(6)
SHIFT_WIDTH = 6


@uncounted_kernel
def add_amount(t: Tables, amount: Int64Column) -> None:
    """Add one amount, positive or negative, to a SIM's day, and compare the day with the thresholds."""
    row: Int = sim_day_of(t, amount[X_SIM], amount[X_DAY])
    note_revised(t, row)
    add_sum(t.sim_days, row, D_METERED, amount[X_METERED])
    add_sum(t.sim_days, row, D_ZERO_RATED, amount[X_ZERO_RATED])
    if t.sim_days[row, D_METERED] < SUM_MAX_BYTES:
        guessed = t.sim_days[row, D_INDETERMINATE] + amount[X_INDETERMINATE]
        t.sim_days[row, D_INDETERMINATE] = min(guessed, t.sim_days[row, D_METERED])
    t.sim_days[row, D_MARKS] |= HAS_READING
    weigh_day(t, row, amount[X_TIME])


@uncounted_kernel
def add_amounts(t: Tables, amounts: Int64Column, first: int) -> int:
    """Add amounts (int64[n, SHIFT_WIDTH]) from row `first` on; return how many are done, less when a table is full."""
    for i in range(first, len(amounts)):
        is_full = (
            t.used[C_SIM_DAY] == len(t.sim_days)
            or t.used[C_CHANGED] == len(t.changed)
            or t.used[C_REVISED] == len(t.revised)
        )
        if is_full:
            return i
        add_amount(t, amounts[i])
    return len(amounts)
