"""How bins lie in memory: one record each, so that a reading touches three cache lines and not twelve.

The key is three words, compared whole:

    ┌──────────────────┬───────────────────────────────────────┬────────────────────────────────────────────┐
    │ device_key <8b>  │ where: part <28b> operator <28b> rat  │ when: cell_east <16b> cell_north <16b>     │
    │                  │        <8b>                           │       window <32b>                         │
    └──────────────────┴───────────────────────────────────────┴────────────────────────────────────────────┘

`operator` is the row of a 64-bit key in a table of the bins. A record leaves the process only as columns.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from phusong.kernels.columns import Int, Int32Column, Int64Column
from phusong.kernels.jit import kernel

# Floors a level is compared with: the policy's own, four for its sensitivity, and what is also reported.
# Fixed, because it is the width of an array that is stored.
FLOOR_COUNT = 8
PART_COUNT_MAX = 1 << 28
OPERATOR_COUNT_MAX = 1 << 28  # twenty times the networks a PLMN can name
CELL_MAX = (1 << 15) - 1  # a part reaches 20 km and a place cell 10 m: 2,000 cells
# 2^31 readings of one device in one place cell and window are 150,000 a second; past that a bin counts no more.
COUNT_MAX = 2**31 - 1

RECORD = np.dtype(
    [
        ("device_key", np.int64),
        ("where", np.int64),
        ("when", np.int64),
        ("heard_count", np.int32),
        ("silent_count", np.int32),
        ("met_count", np.int32, FLOOR_COUNT),
        ("quietest_mdbm", np.int32),
        ("loudest_mdbm", np.int32),
        ("first_time_ms", np.int64),
        ("last_time_ms", np.int64),
        ("level_sum_mdb", np.int64),
        ("presence", np.int64),
        ("position_low", np.int64),
        ("cell_low", np.int64),
        ("cell_high", np.int64),
        ("loudest_cell", np.int64),
        ("is_released", np.int32),
        ("trail", np.int32),
        ("next_of_trail", np.int32),
        ("next_of_part", np.int32),
    ]
)


class BinColumns(NamedTuple):
    """The fields of all records as columns over the same memory."""

    device_key: Int64Column
    where: Int64Column
    when: Int64Column
    heard_count: Int32Column  # readings, those without service too
    silent_count: Int32Column  # readings without service
    met_count: Int32Column  # shape (n, FLOOR_COUNT): readings at or above each floor
    quietest_mdbm: (
        Int32Column  # thousandths of a dBm; NO_LEVEL_LOW, NO_LEVEL_HIGH while nothing was heard
    )
    loudest_mdbm: Int32Column
    first_time_ms: Int64Column
    last_time_ms: Int64Column
    level_sum_mdb: Int64Column  # of the readings that are not silent
    presence: Int64Column  # a bit for each 64th of the window that holds a reading
    position_low: Int64Column  # the lowest hash of the exact coordinates of a reading
    cell_low: (
        Int64Column  # lowest and highest serving cell, INT_MISSING where a reading does not say
    )
    cell_high: Int64Column
    loudest_cell: Int64Column  # of the loudest reading; of several, the highest
    is_released: Int32Column  # whether an auditor released a reading of it
    trail: Int32Column  # which operator and device, dense
    next_of_trail: Int32Column  # the bin of the trail that came before it, EMPTY for the first
    next_of_part: Int32Column


Records = NDArray[np.void]


def columns_of(records: Records) -> BinColumns:
    """Return the columns of records, without copying."""
    return BinColumns(*(records[name] for name in BinColumns._fields))


@kernel
def where_word(part: Int, operator: Int, rat: Int) -> Int:
    """Return the second word of a key."""
    return np.int64(part) << 36 | np.int64(operator) << 8 | np.int64(rat)


@kernel
def when_word(cell_east: Int, cell_north: Int, window: Int) -> Int:
    """Return the third word of a key; words sort as their fields do."""
    return (
        np.int64(cell_east) << 48
        | (np.int64(cell_north) + CELL_MAX + 1) << 32
        | (np.int64(window) + (1 << 31))
    )


@kernel
def part_of(where: Int) -> Int:
    """Return the part in the second word."""
    return where >> 36


@kernel
def operator_of_word(where: Int) -> Int:
    """Return the row of the operator in the second word."""
    return (where >> 8) & (OPERATOR_COUNT_MAX - 1)


@kernel
def rat_of(where: Int) -> Int:
    """Return the technology in the second word."""
    return where & 0xFF


@kernel
def cell_east_of(when: Int) -> Int:
    """Return the place cell's column in the third word."""
    return when >> 48


@kernel
def cell_north_of(when: Int) -> Int:
    """Return the place cell's row in the third word."""
    return ((when >> 32) & 0xFFFF) - CELL_MAX - 1


@kernel
def window_of(when: Int) -> Int:
    """Return the window in the third word."""
    return (when & 0xFFFFFFFF) - (1 << 31)
