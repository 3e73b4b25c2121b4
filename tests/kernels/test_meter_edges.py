"""The edges of DOMAIN §3 that a meter must get right, each as one fact."""

import pytest

from phusong.kernels.clock import TIME_CLOCK_AHEAD
from phusong.kernels.reject import Reject
from reference.metering import accounts, add, meter_of, used
from reference.usage import (
    DAY_MS,
    DELTA,
    FIRST_OF_OCTOBER,
    HOUR_MS,
    MIDNIGHT_MS,
    MINUTE_MS,
    START,
    STOP,
    ZERO_RATED,
    Usage,
)

NOON_MS = MIDNIGHT_MS + 12 * HOUR_MS
TODAY = FIRST_OF_OCTOBER
WRAP = 2**32


def metered(*rows: Usage) -> int:
    return sum(entry["metered"] for entry in used(meter_of(list(rows))).values())


def by_day(*rows: Usage) -> dict[int, tuple[int, int]]:
    """Return day (0 is 1 October) → metered and indeterminate bytes."""
    found = used(meter_of(list(rows)))
    return {
        day - TODAY: (entry["metered"], entry["indeterminate"]) for (_, day), entry in found.items()
    }


# 1. Widths and Gigawords


@pytest.mark.parametrize("total", [2**31, 4 * 10**9, WRAP - 1, WRAP, WRAP + 1])
def test_a_wide_counter_and_gigawords_are_exact_around_the_wrap(total: int) -> None:
    wide = Usage(NOON_MS, down=total, width=64)
    narrow = Usage(NOON_MS, down=total % WRAP, down_high=total // WRAP, up_high=0, width=32)

    assert metered(wide) == metered(narrow) == total


def test_the_sum_of_both_directions_passes_the_wrap_before_either_wraps() -> None:
    assert metered(Usage(NOON_MS, up=3 * 10**9, down=3 * 10**9, width=32)) == 6 * 10**9


def test_missing_gigawords_are_unknown_not_zero() -> None:
    meter = meter_of(
        [
            Usage(NOON_MS, down=4 * 10**9, width=32),
            Usage(NOON_MS + MINUTE_MS, down=10**9, width=32),
        ]
    )

    assert used(meter)[7, TODAY]["metered"] == WRAP + 10**9
    inferred = 7
    assert accounts(meter)[0, TODAY][inferred] == 2


def test_gigawords_absent_once_are_inferred_from_the_reading_before() -> None:
    assert (
        metered(
            Usage(NOON_MS, down=5, down_high=2, up_high=0, width=32),
            Usage(NOON_MS + MINUTE_MS, down=9, width=32),
        )
        == 2 * WRAP + 9
    )


def test_gigawords_absent_until_they_matter_are_believed_when_they_come() -> None:
    rows = [
        Usage(NOON_MS, down=4 * 10**9, width=32),
        Usage(NOON_MS + MINUTE_MS, down=10**8, down_high=1, up_high=0, width=32),
        Usage(NOON_MS + 2 * MINUTE_MS, down=10**9, down_high=1, up_high=0, width=32),
    ]

    assert metered(*rows) == metered(*reversed(rows)) == WRAP + 10**9


def test_a_wrap_that_no_radio_could_carry_is_not_inferred() -> None:
    meter = meter_of([Usage(NOON_MS, down=4 * 10**9, width=32)])

    assert add(meter, [Usage(NOON_MS + 1, down=3 * 10**9, width=32)]) == [Reject.COUNTER_WENT_BACK]
    assert used(meter)[7, TODAY]["metered"] == 4 * 10**9


def test_a_reading_from_before_the_wrap_may_come_after_it() -> None:
    first, second, third = (
        Usage(NOON_MS + k * MINUTE_MS, down=down, width=32, age_ms=(k + 1) * MINUTE_MS)
        for k, down in enumerate((4_200_000_000, 4_290_000_000, 25_000_000))
    )

    for order in ((first, third, second), (third, first, second), (third, second, first)):
        assert metered(*order) == WRAP + 25_000_000


# 2. Clocks


def test_a_reading_counts_on_the_day_of_its_corrected_time() -> None:
    meter = meter_of()
    ahead = Usage(NOON_MS + 257_725_000, down=5, start_ms=NOON_MS + 257_725_000 - HOUR_MS)

    add(meter, [ahead], [NOON_MS], TIME_CLOCK_AHEAD)

    assert used(meter) == {(7, TODAY): {"metered": 5, "indeterminate": 0, "zero_rated": 0}}
    clock_far = 6
    assert accounts(meter)[0, TODAY][clock_far] == 1


def test_a_time_beyond_the_calendar_is_quarantined() -> None:
    meter = meter_of()

    assert add(meter, [Usage(NOON_MS, down=5)], [-1]) == [Reject.CLOCK_FAR]
    assert accounts(meter)[0, TODAY][:6] == [1, 0, 0, 0, 0, 1]


# 3. Duplicates in disguise


def test_a_repeated_reading_adds_nothing_whatever_else_differs() -> None:
    reading = Usage(NOON_MS, down=5, sequence=1)

    assert metered(reading, reading._replace(sequence=2, delay_ms=7), reading) == 5
    assert metered(reading, reading._replace(time_ms=NOON_MS + 1)) == 5


def test_keys_are_compared_whole() -> None:
    """("a-b", "c") is not ("a", "b-c"): joined they would be one session."""
    assert (
        metered(Usage(NOON_MS, 5, source=12, session=3), Usage(NOON_MS, 7, source=1, session=23))
        == 12
    )


def test_versions_of_a_counter_sum_up() -> None:
    """The worked example of the domain page: received 30, sent 140."""
    meter = meter_of(
        [
            Usage(NOON_MS, up=10, down=20, epoch=1),
            Usage(NOON_MS + 1, up=25, down=35, epoch=1),
            Usage(NOON_MS + 2, up=5, down=105, epoch=2),
        ]
    )

    assert accounts(meter)[0, TODAY][-2:] == [30, 140]
    assert used(meter)[7, TODAY]["metered"] == 170


def test_a_delta_is_counted_once_for_every_batch() -> None:
    meter = meter_of()
    delta = Usage(NOON_MS, down=5, kind=DELTA)

    add(meter, [delta])
    add(meter, [delta], is_repeated=True)
    add(meter, [delta])

    assert used(meter)[7, TODAY]["metered"] == 10
    assert accounts(meter)[0, TODAY][:3] == [3, 2, 1]


# 5. Late, early and after the end


def test_a_lower_interim_that_comes_late_is_stale() -> None:
    meter = meter_of([Usage(NOON_MS, down=1), Usage(NOON_MS + 2, down=9)])

    add(meter, [Usage(NOON_MS + 1, down=5)])

    assert used(meter)[7, TODAY]["metered"] == 9
    assert accounts(meter)[0, TODAY][:4] == [3, 2, 0, 1]


def test_a_lower_counter_later_in_time_is_quarantined() -> None:
    meter = meter_of([Usage(NOON_MS, down=9)])

    assert add(meter, [Usage(NOON_MS + 1, down=5)]) == [Reject.COUNTER_WENT_BACK]
    assert used(meter)[7, TODAY]["metered"] == 9
    assert accounts(meter)[0, TODAY][:6] == [2, 1, 0, 0, 0, 1]


def test_an_interim_after_the_stop_and_a_second_stop_change_nothing_twice() -> None:
    stop = Usage(NOON_MS, down=9, record=STOP)

    assert metered(stop, Usage(NOON_MS - 1, down=8), stop) == 9
    assert (
        metered(stop, Usage(NOON_MS + 1, down=11), stop._replace(time_ms=NOON_MS + 2, down=12))
        == 12
    )


def test_a_stop_may_come_before_its_start() -> None:
    start = Usage(MIDNIGHT_MS - HOUR_MS, record=START)
    stop = Usage(MIDNIGHT_MS + HOUR_MS, down=10, record=STOP)

    assert by_day(stop, start) == by_day(start, stop) == {-1: (5, 5), 0: (5, 5)}


# 6. Resets


def test_a_reboot_with_the_same_session_counts_both_lives() -> None:
    rows = [
        Usage(NOON_MS, down=900, age_ms=HOUR_MS),
        Usage(NOON_MS + 30 * MINUTE_MS, down=100, age_ms=10 * MINUTE_MS),
    ]

    assert metered(*rows) == metered(*reversed(rows)) == 1000


def test_a_start_record_begins_a_new_life() -> None:
    assert (
        metered(
            Usage(NOON_MS - HOUR_MS, record=START),
            Usage(NOON_MS, down=900),
            Usage(NOON_MS + 5 * MINUTE_MS, record=START),
            Usage(NOON_MS + HOUR_MS, down=100),
        )
        == 1000
    )


def test_a_session_whose_age_stands_still_while_idle_has_not_started_again() -> None:
    assert (
        metered(
            Usage(NOON_MS, down=900, age_ms=HOUR_MS),
            Usage(NOON_MS + 5 * HOUR_MS, down=950, age_ms=HOUR_MS + MINUTE_MS),
        )
        == 950
    )


def test_a_stop_with_zero_after_interims_takes_nothing_back() -> None:
    meter = meter_of([Usage(NOON_MS, down=900, age_ms=HOUR_MS)])

    reasons = add(meter, [Usage(NOON_MS + 1_000, age_ms=HOUR_MS + 1_000, record=STOP)])

    assert reasons == [Reject.COUNTER_WENT_BACK]
    assert used(meter)[7, TODAY]["metered"] == 900


# 7. Midnights


def test_midnight_in_vietnam_is_17_utc_of_the_day_before() -> None:
    assert by_day(
        Usage(MIDNIGHT_MS - 1, down=5, session=1), Usage(MIDNIGHT_MS, down=7, session=2)
    ) == {-1: (5, 0), 0: (7, 0)}


def test_what_was_used_up_to_the_very_midnight_is_of_the_day_before() -> None:
    rows = (Usage(MIDNIGHT_MS - HOUR_MS, down=5), Usage(MIDNIGHT_MS, down=12))

    assert by_day(*rows) == {-1: (12, 0)}


def test_an_interval_over_midnight_is_split_by_time_and_marked() -> None:
    rows = (Usage(MIDNIGHT_MS - HOUR_MS, down=100), Usage(MIDNIGHT_MS + 2 * HOUR_MS, down=110))

    assert by_day(*rows) == {-1: (103, 3), 0: (7, 7)}


def test_a_session_over_several_midnights_fills_every_day() -> None:
    rows = (Usage(NOON_MS, down=0), Usage(NOON_MS + 3 * DAY_MS, down=6_000))

    assert by_day(*rows) == {0: (1000, 1000), 1: (2000, 2000), 2: (2000, 2000), 3: (1000, 1000)}


def test_a_reading_inside_a_split_interval_mends_the_split() -> None:
    before, after = Usage(MIDNIGHT_MS - HOUR_MS, down=100), Usage(MIDNIGHT_MS + HOUR_MS, down=900)
    meter = meter_of([before, after])
    assert used(meter)[7, TODAY]["metered"] == 400

    add(meter, [Usage(MIDNIGHT_MS - 1, down=800)])

    assert used(meter)[7, TODAY - 1]["metered"] == 800
    assert used(meter)[7, TODAY]["metered"] == 100


def test_the_first_reading_counts_from_its_known_start() -> None:
    reading = Usage(MIDNIGHT_MS + HOUR_MS, down=10)

    assert by_day(reading) == {0: (10, 0)}
    assert by_day(reading._replace(start_ms=MIDNIGHT_MS - HOUR_MS)) == {-1: (5, 5), 0: (5, 5)}
    assert by_day(reading._replace(age_ms=2 * HOUR_MS)) == {-1: (5, 5), 0: (5, 5)}


def test_a_delta_over_midnight_is_split_too() -> None:
    delta = Usage(MIDNIGHT_MS + HOUR_MS, down=9, kind=DELTA, start_ms=MIDNIGHT_MS - HOUR_MS)

    assert by_day(delta) == {-1: (4, 4), 0: (5, 5)}


def test_an_interval_of_more_than_a_year_is_not_spread_over_it() -> None:
    rows = (Usage(MIDNIGHT_MS - 400 * DAY_MS, down=1), Usage(NOON_MS, down=10))

    assert by_day(*rows) == {-400: (1, 0), 0: (9, 9)}


# 8. and 9. Sessions and classes side by side


def test_sessions_of_one_sim_add_up() -> None:
    assert metered(*(Usage(NOON_MS, down=5, session=k) for k in range(3))) == 15


def test_both_classes_of_one_session_are_metered_apart() -> None:
    meter = meter_of([Usage(NOON_MS, down=9), Usage(NOON_MS, down=5, traffic=ZERO_RATED)])

    assert used(meter) == {(7, TODAY): {"metered": 9, "indeterminate": 0, "zero_rated": 5}}
    assert accounts(meter)[0, TODAY][-2:] == [0, 14]


def test_rows_of_a_repeated_batch_are_accounted_for_and_not_counted() -> None:
    meter = meter_of()

    add(meter, [Usage(NOON_MS, down=5)], is_repeated=True)

    assert used(meter) == {}
    assert accounts(meter)[0, TODAY][:3] == [1, 0, 1]


@pytest.mark.parametrize("has_age", [False, True])
def test_readings_without_gigawords_that_come_in_order_may_go_on_for_ever(*, has_age: bool) -> None:
    rows = [
        Usage(
            NOON_MS + k * MINUTE_MS,
            down=k * 3 * 10**7 % WRAP,
            width=32,
            age_ms=k * MINUTE_MS if has_age else None,
        )
        for k in range(3_000)
    ]

    assert metered(*rows) == 2_999 * 3 * 10**7
