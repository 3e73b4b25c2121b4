"""When the rows of a frame count, and which of them lie within a horizon. Counts nothing."""

from typing import Any, NamedTuple, TypeVar

import numpy as np

from phusong.kernels.clock import place_times
from phusong.kernels.columns import (
    INT_MISSING,
    BoolColumn,
    CellReports,
    Int64Column,
    SignalReadings,
    UsageReadings,
)
from phusong.kernels.reject import TAKEN
from phusong.kernels.row_bounds import RowBounds
from phusong.verifier.opened import OpenedFrame
from phusong.verifier.tallies import RouteKey

Readings = TypeVar("Readings", SignalReadings, UsageReadings, CellReports)


class Horizon(NamedTuple):
    """Up to when events are judged, and by when they must have arrived; None is without bound."""

    as_of_ms: int | None = None
    known_at_ms: int | None = None

    def knows(self, received_time_ms: int) -> bool:
        """Tell whether what arrived at a time had arrived by the horizon."""
        return self.known_at_ms is None or received_time_ms <= self.known_at_ms

    def includes(self, time_ms: int) -> bool:
        """Tell whether what happened at a time is judged."""
        return self.as_of_ms is None or time_ms <= self.as_of_ms


class PayloadFacts(NamedTuple):
    """Per payload of a frame, what its rows need to know."""

    is_repeated: BoolColumn
    is_imported: BoolColumn
    has_sequence: BoolColumn
    source: Int64Column
    operator: Int64Column
    key: Int64Column  # by which its rows are tallied, a place in `keys`
    keys: list[RouteKey]
    bound: Int64Column  # int64[n, 2]: which of `bounds` hold for its rows
    bounds: RowBounds | None  # of the register in force, None without one


class PlacedRows(NamedTuple):
    """Per row: when it arrived, the time it counts under, whether it came before, and why it does not count."""

    received_time_ms: Int64Column
    time_ms: Int64Column
    time_flag: Int64Column
    is_repeated: BoolColumn
    reason: Int64Column


def readable_rows(opened: OpenedFrame, readings: Readings) -> Readings:
    """Return the rows of payloads that are not refused as a whole."""
    is_readable = opened.decoded.payloads.reject[readings.payload_row] == TAKEN
    return readings if is_readable.all() else rows_where(readings, is_readable)


def rows_within(
    readings: Readings, placed: PlacedRows, horizon: Horizon
) -> tuple[Readings, PlacedRows, int]:
    """Return the rows inside the horizon, and how many lie beyond."""
    if horizon == Horizon():
        return readings, placed, 0
    inside = np.ones(len(placed.time_ms), np.bool_)
    if horizon.as_of_ms is not None:
        inside &= placed.time_ms <= horizon.as_of_ms
    if horizon.known_at_ms is not None:
        inside &= placed.received_time_ms <= horizon.known_at_ms
    beyond_count = int(np.count_nonzero(~inside))
    if beyond_count:
        readings = rows_where(readings, inside)
        columns: Any = (column[inside] for column in placed)
        placed = PlacedRows(*columns)
    return readings, placed, beyond_count


def rows_where(readings: Readings, mask: BoolColumn) -> Readings:
    """Return the rows for which the mask is true."""
    columns: Any = (column[mask] for column in readings)
    return type(readings)(*columns)


def place_rows(
    opened: OpenedFrame, facts: PayloadFacts, readings: Readings, reason: Int64Column
) -> PlacedRows:
    """Work out when rows arrived and under which time they count.

    A live row arrived with its frame. An imported row arrived when its importer says; where it does not
    say, its clock cannot be checked, and for the horizon it arrived with its frame.
    """
    is_imported = facts.is_imported[readings.payload_row]
    arrived = np.where(is_imported, readings.received_time_ms, opened.frame.received_time_ms)
    time_ms = np.empty(len(arrived), np.int64)
    time_flag = np.empty(len(arrived), np.int64)
    place_times(
        readings.observed_time_ms,
        arrived,
        readings.reporting_delay_ms,
        is_imported,
        time_ms,
        time_flag,
    )
    received = np.where(arrived == INT_MISSING, opened.frame.received_time_ms, arrived)
    is_repeated = facts.is_repeated[readings.payload_row]
    return PlacedRows(received, time_ms, time_flag, is_repeated, reason)
