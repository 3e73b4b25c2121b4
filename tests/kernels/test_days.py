from hypothesis import given, settings
from hypothesis import strategies as st

from phusong.kernels.days import day_start_ms, ict_day
from reference import days as reference

# Vietnam has kept UTC+7 without a break since 13 June 1975.
times = st.integers(175_000_000_000, 4_102_444_800_000)


@settings(deadline=None)  # the first example compiles
@given(times)
def test_matches_the_time_zone_database(time_ms: int) -> None:
    assert ict_day(time_ms) == reference.ict_day(time_ms)


@settings(deadline=None)  # the first example compiles
@given(st.integers(2_100, 47_000))
def test_a_day_begins_where_the_time_zone_database_says(day: int) -> None:
    assert day_start_ms(day) == reference.day_start_ms(day)


@settings(deadline=None)  # the first example compiles
@given(times)
def test_every_time_lies_in_its_day(time_ms: int) -> None:
    day = ict_day(time_ms)

    assert day_start_ms(day) <= time_ms < day_start_ms(day + 1)


def test_the_day_turns_at_midnight_in_vietnam() -> None:
    turn_ms = 1_633_021_200_000  # 2021-09-30T17:00:00Z

    assert ict_day(turn_ms - 1) == 18_900  # 30 September 2021
    assert ict_day(turn_ms) == 18_901  # 1 October 2021
    assert day_start_ms(18_901) == turn_ms
