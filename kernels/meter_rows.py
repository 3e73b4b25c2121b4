"""Usage rows as the meter wants them: one line of int64 a row, whatever of the columns matters side by side.

A first pass over the columns in their order, so that the second, which jumps through the meter's tables,
reads one place and passes few things on.
"""

from typing import NamedTuple

import numpy as np

from phusong.kernels.clock import TIME_AS_OBSERVED
from phusong.kernels.columns import INT_MISSING, BoolColumn, Int, Int64Column, UsageReadings
from phusong.kernels.days import TIME_MAX_MS, ict_day
from phusong.kernels.jit import kernel
from phusong.kernels.meter_tables import NONE
from phusong.kernels.screen_usage import COUNTER_KIND_DELTA, counter_value

RECORD_TYPE_START = 1
TRAFFIC_CLASS_ZERO_RATED = 2
NARROW_BITS = 32

# B_OWNER: row of its session in Tables.sessions, or of its SIM in Tables.sims for a delta.
B_OWNER, B_SOURCE, B_DAY, B_TIME, B_LIFE, B_START, B_UP, B_DOWN, B_MARKS = range(9)
B_SUBSCRIBER, B_SESSION_KEY, B_EPOCH, B_UP_HIGH, B_DOWN_HIGH, B_SEQUENCE, B_AGE = range(9, 16)
BATCH_WIDTH = 16

IS_REPEATED = 1
IS_CLOCK_FAR = 2
IS_DELTA = 4
IS_ZERO_RATED = 8
IS_INFERRED = 16  # the high word of a 32-bit counter is unknown
HAS_TIME = 32


class UsageRows(NamedTuple):
    """What is known of the rows of a batch besides their columns, one entry a row."""

    source: Int64Column
    time_ms: Int64Column
    time_flag: Int64Column
    received_time_ms: Int64Column
    is_repeated: BoolColumn


@kernel
def life_start_ms(time_ms: Int, age_ms: Int, record_type: Int) -> Int:
    """Return when the counter of a row started, INT_MISSING if the row does not say.

    It comes from the session's own age, which no wrong clock can shift.
    """
    if age_ms != INT_MISSING:
        return max(time_ms - age_ms, np.int64(0))
    return time_ms if record_type == RECORD_TYPE_START else np.int64(INT_MISSING)


@kernel
def counted_since_ms(time_ms: Int, observed_ms: Int, interval_start_ms: Int, life_ms: Int) -> Int:
    """Return since when a row counts, INT_MISSING if the row does not say.

    The start of an interval is kept as a length, so that a corrected clock corrects both ends. It may be that of the last
    report only, so it says nothing about resets.
    """
    if interval_start_ms == INT_MISSING:
        return life_ms
    return max(time_ms - (observed_ms - interval_start_ms), np.int64(0))


@kernel
def write_rows(readings: UsageReadings, rows: UsageRows, batch: Int64Column) -> None:
    """Write every row of a batch into a line of `batch`, int64[n, BATCH_WIDTH]."""
    assert len(batch) == len(rows.source) == len(readings.uplink_bytes)
    for i in range(len(batch)):
        time_ms = rows.time_ms[i]
        age_ms, record_type = readings.session_time_ms[i], readings.record_type[i]
        up, down = readings.uplink_bytes[i], readings.downlink_bytes[i]
        up_high, down_high = readings.uplink_gigawords[i], readings.downlink_gigawords[i]
        has_time = 0 < time_ms <= TIME_MAX_MS
        # A start with no bytes is known to be 0.
        is_empty_start = record_type == RECORD_TYPE_START and up == 0 and down == 0
        marks = 0
        if rows.is_repeated[i]:
            marks |= IS_REPEATED
        if rows.time_flag[i] != TIME_AS_OBSERVED:
            marks |= IS_CLOCK_FAR
        if readings.counter_kind[i] == COUNTER_KIND_DELTA:
            marks |= IS_DELTA
        if readings.traffic_class[i] == TRAFFIC_CLASS_ZERO_RATED:
            marks |= IS_ZERO_RATED
        if readings.counter_width_bits[i] == NARROW_BITS and not is_empty_start:
            if min(up_high, down_high) == INT_MISSING:
                marks |= IS_INFERRED
        if has_time:
            marks |= HAS_TIME
        life_ms = life_start_ms(time_ms, age_ms, record_type)
        line = batch[i]
        line[B_OWNER] = NONE
        line[B_SOURCE] = rows.source[i]
        line[B_DAY] = ict_day(
            time_ms if has_time else min(max(rows.received_time_ms[i], 0), TIME_MAX_MS)
        )
        line[B_TIME] = time_ms
        line[B_LIFE] = life_ms
        line[B_START] = counted_since_ms(
            time_ms, readings.observed_time_ms[i], readings.interval_start_time_ms[i], life_ms
        )
        if marks & IS_INFERRED:
            line[B_UP] = up
            line[B_DOWN] = down
        else:
            line[B_UP] = counter_value(up, up_high)
            line[B_DOWN] = counter_value(down, down_high)
        line[B_UP_HIGH] = up_high
        line[B_DOWN_HIGH] = down_high
        line[B_SEQUENCE] = readings.sequence[i]
        line[B_AGE] = age_ms
        line[B_MARKS] = marks
        line[B_SUBSCRIBER] = readings.subscriber_key[i]
        line[B_SESSION_KEY] = readings.session[i]
        line[B_EPOCH] = readings.counter_epoch[i]
