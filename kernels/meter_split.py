"""An interval's bytes over the Vietnam days it touches: exact, and the parts always sum to the whole."""

from phusong.kernels.columns import Int
from phusong.kernels.days import DAY_MS, day_start_ms, ict_day
from phusong.kernels.jit import kernel

# Nobody reports yearly. A longer interval is a broken clock, and splitting it would let one row
# write to any number of days: it counts on its last day, wholly indeterminate.
SPLIT_DAYS_MAX = 366
SPLIT_MAX_MS = SPLIT_DAYS_MAX * DAY_MS

LIMB_BITS = 16


@kernel
def share_of(whole_bytes: Int, part_ms: Int, whole_ms: Int) -> Int:
    """Return floor(whole_bytes × part_ms / whole_ms) without leaving int64.

    0 <= part_ms <= whole_ms <= SPLIT_MAX_MS < 2^35. The product may need 98 bits, so it is divided in two limbs.
    """
    quotient = whole_bytes // whole_ms
    rest = whole_bytes - quotient * whole_ms
    high = rest * (part_ms >> LIMB_BITS)
    high_quotient = high // whole_ms
    low = ((high - high_quotient * whole_ms) << LIMB_BITS) + rest * (
        part_ms & ((1 << LIMB_BITS) - 1)
    )
    return quotient * part_ms + (high_quotient << LIMB_BITS) + low // whole_ms


@kernel
def part_before_day(whole_bytes: Int, from_ms: Int, until_ms: Int, day: Int) -> Int:
    """Return what of an interval's bytes lies before one of its days, by time, rounded at the midnight."""
    return share_of(whole_bytes, max(day_start_ms(day), from_ms) - from_ms, until_ms - from_ms)


@kernel
def last_day_of(from_ms: Int, until_ms: Int) -> Int:
    """Return the day an interval ends in. One that ends at the very midnight ends in the day before it."""
    return ict_day(until_ms - 1) if from_ms < until_ms else ict_day(until_ms)


@kernel
def is_split(from_ms: Int, until_ms: Int) -> bool:
    """Tell whether an interval has a midnight inside it, which makes its parts a guess."""
    return bool(from_ms < until_ms and ict_day(from_ms) != last_day_of(from_ms, until_ms))
