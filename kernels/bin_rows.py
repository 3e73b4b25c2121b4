"""From located readings to rows of bins: which window and technology each speaks of, and whether that is judged."""

from typing import NamedTuple

import numpy as np

from phusong.kernels.bins import BinKeys, BinReadings
from phusong.kernels.columns import BoolColumn, Float64Column, Int, Int64Column, SignalReadings
from phusong.kernels.days import ICT_OFFSET_MS
from phusong.kernels.identity import mix64
from phusong.kernels.jit import kernel
from phusong.kernels.locate import Located
from phusong.kernels.radio import SERVICE_EMERGENCY_ONLY, SERVICE_NONE

HOUR_MS = 3_600_000
HOURS_PER_DAY = 24


class Hours(NamedTuple):
    """Windows of the Vietnam day, hours that are judged, and the technologies that count."""

    window_hours: int
    measuring_hour_first: int
    measuring_hour_end: int
    first_rat: int  # on which silence is heard
    is_counted: BoolColumn  # by technology


class Said(NamedTuple):
    """What is known of each reading beside its own columns."""

    level_dbm: Float64Column  # in the field of its technology
    operator: Int64Column  # key of the one it speaks of
    time_ms: Int64Column  # it counts under
    is_released: BoolColumn


class AsideKeys(NamedTuple):
    """Of a reading that is taken and not judged."""

    part: Int64Column
    operator: Int64Column
    rat: Int64Column
    window: Int64Column


class BinRows(NamedTuple):
    """Readings that are judged, one row for each part they lie in; `reading` is the row of `SignalReadings`."""

    reading: Int64Column
    keys: BinKeys
    heard: BinReadings


@kernel
def write_bin_rows(
    taken: Int64Column,
    located: Located,
    readings: SignalReadings,
    said: Said,
    position: Int64Column,
    hours: Hours,
    rows: BinRows,
    aside: AsideKeys,
) -> tuple[int, int]:
    """Write what each located reading says; return how many are judged and how many are set aside.

    `taken` are the readings that were located. A reading without service is silence on the technology asked for first.
    """
    count, aside_count = 0, 0
    for i in range(len(located.reading)):
        r = taken[located.reading[i]]
        state = readings.service_state[r]
        is_silent = state in (SERVICE_NONE, SERVICE_EMERGENCY_ONLY)
        rat = np.int64(hours.first_rat) if is_silent else readings.rat[r]
        hour = (said.time_ms[r] + ICT_OFFSET_MS) // HOUR_MS
        hour_of_day = hour % HOURS_PER_DAY
        window = hour // hours.window_hours
        if not (
            hours.measuring_hour_first <= hour_of_day < hours.measuring_hour_end
            and hours.is_counted[rat]
        ):
            aside.part[aside_count] = located.part[i]
            aside.operator[aside_count] = said.operator[r]
            aside.rat[aside_count] = rat
            aside.window[aside_count] = window
            aside_count += 1
            continue
        rows.reading[count] = r
        rows.keys.part[count] = located.part[i]
        rows.keys.operator[count] = said.operator[r]
        rows.keys.rat[count] = rat
        rows.keys.cell_east[count] = located.cell_east[i]
        rows.keys.cell_north[count] = located.cell_north[i]
        rows.keys.device_key[count] = readings.device_key[r]
        rows.keys.window[count] = window
        rows.heard.level_dbm[count] = np.nan if is_silent else said.level_dbm[r]
        rows.heard.time_ms[count] = said.time_ms[r]
        rows.heard.cell_identity[count] = readings.cell_identity[r]
        rows.heard.position[count] = position[r]
        rows.heard.is_released[count] = said.is_released[r]
        count += 1
    return count, aside_count


@kernel
def write_positions(
    latitude_bits: Int64Column, longitude_bits: Int64Column, position: Int64Column
) -> None:
    """Write a hash of exact coordinates, given as the bits of their floats."""
    for i in range(len(position)):
        position[i] = position_of(latitude_bits[i], longitude_bits[i])


@kernel
def position_of(latitude_bits: Int, longitude_bits: Int) -> Int:
    """Return a hash of exact coordinates. No secret: who finds two of one hash gains nothing."""
    return mix64(mix64(latitude_bits) ^ longitude_bits)


def no_bin_rows(size: int) -> BinRows:
    """Return room for so many rows."""
    return BinRows(
        np.empty(size, np.int64),
        BinKeys(*(np.empty(size, np.int64) for _ in BinKeys._fields)),
        BinReadings(
            level_dbm=np.empty(size, np.float64),
            time_ms=np.empty(size, np.int64),
            cell_identity=np.empty(size, np.int64),
            position=np.empty(size, np.int64),
            is_released=np.empty(size, np.bool_),
        ),
    )


def bin_rows(
    taken: Int64Column,
    located: Located,
    readings: SignalReadings,
    said: Said,
    hours: Hours,
) -> tuple[BinRows, AsideKeys]:
    """Return what located readings say to their bins, and those that are set aside."""
    size = len(located.reading)
    rows = no_bin_rows(size)
    aside = AsideKeys(*(np.empty(size, np.int64) for _ in AsideKeys._fields))
    position = np.empty(len(readings.row), np.int64)
    write_positions(
        readings.latitude_deg.view(np.int64), readings.longitude_deg.view(np.int64), position
    )
    count, aside_count = write_bin_rows(
        taken, located, readings, said, position, hours, rows, aside
    )
    return (
        BinRows(
            rows.reading[:count],
            BinKeys(*(column[:count] for column in rows.keys)),
            BinReadings(
                rows.heard.level_dbm[:count],
                rows.heard.time_ms[:count],
                rows.heard.cell_identity[:count],
                rows.heard.position[:count],
                rows.heard.is_released[:count],
            ),
        ),
        AsideKeys(*(column[:aside_count] for column in aside)),
    )
