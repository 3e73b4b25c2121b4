"""The time a reading counts under, when the sender's clock may lie.

The observed time is trusted within a bound of the arrival; outside it the arrival minus the stated
delay is taken instead, and flagged. A real accounting capture runs 257,725 s ahead (DOMAIN §4).
"""

from phusong.kernels.columns import INT_MISSING, BoolColumn, Int64Column
from phusong.kernels.days import DAY_MS, TIME_MAX_MS
from phusong.kernels.jit import kernel

TIME_AS_OBSERVED = 0
TIME_CLOCK_AHEAD = 1
TIME_CLOCK_BEHIND = 2

# A clock kept by the network is seconds off; five minutes is what Kerberos and most
# logging systems forgive. Nothing can be observed after it arrived.
AHEAD_MAX_MS = 5 * 60_000

# A device without service keeps its readings and sends them when it can, and need not say
# how long it held them: a week away from coverage is believed.
BEHIND_MAX_MS = 7 * DAY_MS

# A stated delay longer than a year is a fault of the sender's counter, not store and forward; it is
# read as "not stated".
DELAY_MAX_MS = 366 * DAY_MS


@kernel
def place_times(
    observed_time_ms: Int64Column,
    received_time_ms: Int64Column,
    reporting_delay_ms: Int64Column,
    is_imported: BoolColumn,
    time_ms: Int64Column,
    time_flag: Int64Column,
) -> None:
    """Write the time every row counts under, and whether it is its own or the arrival's.

    received_time_ms: the arrival by a trusted clock; INT_MISSING where an import does not know it (or
    gives what is no time): there is nothing to judge the clock by, so the observed time stands.
    A row of a live door always has an arrival.
    """
    assert len(observed_time_ms) == len(received_time_ms) == len(reporting_delay_ms)
    assert len(is_imported) == len(time_ms) == len(time_flag) == len(observed_time_ms)
    for i in range(len(observed_time_ms)):
        time_ms[i] = observed_time_ms[i]
        time_flag[i] = TIME_AS_OBSERVED
        received = received_time_ms[i]
        if received <= INT_MISSING or received > TIME_MAX_MS:
            assert is_imported[i], "what came through a live door has a time of arrival"
            continue
        delay = reporting_delay_ms[i]
        measured = received - (delay if 0 <= delay <= DELAY_MAX_MS else 0)
        if observed_time_ms[i] > measured + AHEAD_MAX_MS:
            time_ms[i] = measured
            time_flag[i] = TIME_CLOCK_AHEAD
        elif observed_time_ms[i] < measured - BEHIND_MAX_MS:
            time_ms[i] = measured
            time_flag[i] = TIME_CLOCK_BEHIND
