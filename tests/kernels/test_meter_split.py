from fractions import Fraction
from math import floor

from hypothesis import given, settings
from hypothesis import strategies as st

from phusong.kernels.days import ict_day
from phusong.kernels.meter_split import SPLIT_MAX_MS, last_day_of, part_before_day, share_of

times = st.integers(0, 4_000_000_000_000)


@settings(deadline=None)  # the first example compiles
@given(st.integers(-(2**62), 2**63 - 1), st.integers(1, SPLIT_MAX_MS), st.data())
def test_a_share_is_exact_where_the_product_leaves_64_bits(
    whole: int, whole_ms: int, data: st.DataObject
) -> None:
    part_ms = data.draw(st.integers(0, whole_ms))

    assert share_of(whole, part_ms, whole_ms) == floor(whole * Fraction(part_ms, whole_ms))


@settings(deadline=None)
@given(st.integers(0, 2**63 - 1), times, st.integers(1, 40 * 86_400_000))
def test_no_day_of_an_interval_has_a_negative_part(whole: int, from_ms: int, length: int) -> None:
    until_ms = from_ms + length

    days = range(ict_day(from_ms), last_day_of(from_ms, until_ms) + 1)
    before = [int(part_before_day(whole, from_ms, until_ms, day)) for day in days]

    assert before[0] == 0
    assert [*before, whole] == sorted([*before, whole])
