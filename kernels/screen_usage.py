"""Which usage rows are impossible in themselves. No state, no clock, no policy."""

from phusong.kernels.columns import INT_MISSING, BoolColumn, Int64Column, UsageReadings
from phusong.kernels.days import TIME_MAX_MS
from phusong.kernels.jit import kernel
from phusong.kernels.reject import TAKEN, Reject

COUNTER_KIND_DELTA = 2
COUNTER_KIND_MAX = 2
TRAFFIC_CLASS_MAX = 2
RECORD_TYPE_MAX = 3

UINT32_MAX = 2**32 - 1
# With 32 bits below, the value of a counter stays in int64.
GIGAWORDS_MAX = 2**31 - 1
# One direction of one counter: 10 Gbit/s, the fastest radio, for five months, where an entitlement lasts three. More is
# a fault, and 2^63-1 twice would wrap a SIM's day.
COUNTER_MAX_BYTES = 2**54

# Numba sees an IntEnum member as itself, so the columns get plain numbers.
KEY_MISSING = int(Reject.KEY_MISSING)
TIME_MISSING = int(Reject.TIME_MISSING)
CLOCK_FAR = int(Reject.CLOCK_FAR)
ENUM_UNKNOWN = int(Reject.ENUM_UNKNOWN)
COUNTER_OUT_OF_RANGE = int(Reject.COUNTER_OUT_OF_RANGE)
INTERVAL_INVALID = int(Reject.INTERVAL_INVALID)
SEQUENCE_MISSING = int(Reject.SEQUENCE_MISSING)


@kernel
def counter_value(counter_bytes: int, gigawords: int) -> int:
    """Return the 64-bit value of a counter; absent gigawords add nothing."""
    return counter_bytes + (0 if gigawords == INT_MISSING else gigawords * (UINT32_MAX + 1))


@kernel
def is_counter_possible(counter_bytes: int, gigawords: int, width_bits: int) -> bool:
    """Tell whether a counter of one direction fits its width and a radio; a uint64 over 2^63-1 arrives negative."""
    if counter_bytes < 0 or gigawords < INT_MISSING or gigawords > GIGAWORDS_MAX:
        return False
    if counter_bytes > UINT32_MAX and (width_bits == 32 or gigawords != INT_MISSING):
        return False
    return counter_value(counter_bytes, gigawords) <= COUNTER_MAX_BYTES


@kernel
def screen_usage(
    readings: UsageReadings, batch_has_sequence: BoolColumn, reason: Int64Column
) -> None:
    """Write a `Reject` for every row that cannot be believed whatever else is known; leave judged rows alone.

    batch_has_sequence: bool per row, whether Batch.sequence of its payload is not 0.
    """
    assert len(reason) == len(batch_has_sequence) == len(readings.subscriber_key)
    for i in range(len(reason)):
        if reason[i] != TAKEN:
            continue
        observed = readings.observed_time_ms[i]
        width = readings.counter_width_bits[i]
        up, up_high = readings.uplink_bytes[i], readings.uplink_gigawords[i]
        down, down_high = readings.downlink_bytes[i], readings.downlink_gigawords[i]
        start = readings.interval_start_time_ms[i]
        kind, traffic = readings.counter_kind[i], readings.traffic_class[i]
        record = readings.record_type[i]
        if readings.subscriber_key[i] == 0:
            reason[i] = KEY_MISSING
        elif observed <= 0:
            reason[i] = TIME_MISSING
        elif observed > TIME_MAX_MS:
            reason[i] = CLOCK_FAR
        elif (
            kind < 0
            or kind > COUNTER_KIND_MAX
            or traffic < 0
            or traffic > TRAFFIC_CLASS_MAX
            or record < 0
            or record > RECORD_TYPE_MAX
        ):
            reason[i] = ENUM_UNKNOWN
        elif width not in (0, 32, 64) or not (
            is_counter_possible(up, up_high, width) and is_counter_possible(down, down_high, width)
        ):
            reason[i] = COUNTER_OUT_OF_RANGE
        elif (
            start < INT_MISSING
            or start > observed
            or (
                readings.session_time_ms[i] < INT_MISSING
                or readings.reporting_delay_ms[i] < INT_MISSING
            )
        ):
            reason[i] = INTERVAL_INVALID
        elif kind == COUNTER_KIND_DELTA and not batch_has_sequence[i]:
            reason[i] = SEQUENCE_MISSING
