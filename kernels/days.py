"""Vietnam's calendar as arithmetic: UTC+7 all year, no daylight saving since 1975.

Midnight in Vietnam is 17:00Z of the day before. Days are numbers, counted from 1970-01-01 in Vietnam.
"""

from phusong.kernels.columns import Int
from phusong.kernels.jit import kernel

DAY_MS = 86_400_000
ICT_OFFSET_MS = 7 * 3_600_000

# 2100-01-01T00:00:00Z. A later time is a unit mistake (microseconds for milliseconds), and
# an unbounded one would let a single row claim millions of days.
TIME_MAX_MS = 4_102_444_800_000


@kernel
def ict_day(time_ms: Int) -> Int:
    """Return the Vietnam calendar day of a Unix time, counted from 1970-01-01 in Vietnam."""
    return (time_ms + ICT_OFFSET_MS) // DAY_MS


@kernel
def day_start_ms(ict_day: Int) -> Int:
    """Return the Unix time of the midnight at which a Vietnam day begins."""
    return ict_day * DAY_MS - ICT_OFFSET_MS
