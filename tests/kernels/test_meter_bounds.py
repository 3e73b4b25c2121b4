"""What a source may send without end: sums stay within int64, and one row costs no more than its bounds."""

import pytest

from phusong.kernels.meter_infer import INFER_STEPS_MAX
from phusong.kernels.meter_state import Meter
from phusong.kernels.meter_tables import (
    C_WAIT,
    NODE_COUNT_MAX,
    S_INFER_STEPS,
    S_NODE_COUNT,
    SUM_MAX_BYTES,
    WAIT_COUNT_MAX,
)
from phusong.kernels.reject import Reject
from phusong.kernels.screen_usage import COUNTER_MAX_BYTES
from reference.metering import Entries, accounts, add, meter_of, used
from reference.usage import DAY_MS, DELTA, HOUR_MS, MIDNIGHT_MS, MINUTE_MS, ZERO_RATED, Usage

NOON_MS = MIDNIGHT_MS + 12 * HOUR_MS
READINGS_TO_THE_END = SUM_MAX_BYTES // (2 * COUNTER_MAX_BYTES)
HUGE = Usage(NOON_MS, up=COUNTER_MAX_BYTES, down=COUNTER_MAX_BYTES)


def first_session(meter: Meter, column: int) -> int:
    return int(meter.tables.sessions[0, column])


def figures(entries: Entries) -> list[int]:
    return [figure for entry in entries.values() for figure in entry.values()]


@pytest.mark.parametrize("kind", [{}, {"kind": DELTA}, {"traffic": ZERO_RATED}])
def test_the_sum_of_a_day_stops_where_int64_would_wrap(kind: dict[str, int]) -> None:
    rows = [HUGE._replace(session=k, **kind) for k in range(5 * READINGS_TO_THE_END)]

    meter = meter_of(rows)

    assert max(figures(used(meter))) == SUM_MAX_BYTES
    assert next(iter(accounts(meter).values()))[-2:] == [SUM_MAX_BYTES, SUM_MAX_BYTES]


def test_a_sum_that_stopped_is_not_taken_back() -> None:
    rows = [HUGE._replace(session=k) for k in range(2 * READINGS_TO_THE_END)]
    meter = meter_of(rows)

    for row in rows[:10]:  # the interval is now known to reach back over a midnight
        add(meter, [row._replace(up=0, down=0, time_ms=NOON_MS - DAY_MS)])

    assert min(figures(used(meter))) >= 0
    assert min(figure for account in accounts(meter).values() for figure in account) >= 0


def test_bytes_a_split_attributed_never_pass_the_bytes_of_their_day() -> None:
    whole_day = HUGE._replace(time_ms=MIDNIGHT_MS + DAY_MS, start_ms=MIDNIGHT_MS - 1)
    meter = meter_of([whole_day._replace(session=k) for k in range(3 * READINGS_TO_THE_END)])

    for entry in used(meter).values():
        assert 0 <= entry["indeterminate"] <= entry["metered"] <= SUM_MAX_BYTES


def test_the_quickest_way_to_count_stops_there_too() -> None:
    meter = meter_of([HUGE._replace(session=k, down=0) for k in range(4 * READINGS_TO_THE_END)])

    add(meter, [HUGE])
    add(meter, [HUGE._replace(session=2)])

    assert max(figures(used(meter))) == SUM_MAX_BYTES


def test_merged_sums_stop_there_too() -> None:
    rows = [HUGE._replace(session=k) for k in range(5 * READINGS_TO_THE_END)]
    meter = meter_of(rows)

    for sim in range(8, 13):
        meter.merge(meter_of([row._replace(sim=sim) for row in rows]))

    assert next(iter(accounts(meter).values()))[-2:] == [SUM_MAX_BYTES, SUM_MAX_BYTES]


@pytest.mark.slow
def test_a_counter_starts_again_only_so_often() -> None:
    lives = [Usage(NOON_MS + k * DAY_MS // 8, down=1, age_ms=0) for k in range(3_000)]
    meter = meter_of()

    refused = add(meter, lives).count(Reject.COUNTER_WENT_BACK)

    assert refused == len(lives) - NODE_COUNT_MAX
    assert first_session(meter, S_NODE_COUNT) == NODE_COUNT_MAX


@pytest.mark.slow
def test_a_counter_read_for_years_goes_on_counting() -> None:
    days = [Usage(NOON_MS + k * DAY_MS, down=k) for k in range(NODE_COUNT_MAX + 100)]
    meter = meter_of()

    assert set(add(meter, days)) == {0}
    assert sum(entry["metered"] for entry in used(meter).values()) == NODE_COUNT_MAX + 99


@pytest.mark.slow
def test_readings_without_gigawords_may_come_backwards_only_so_often() -> None:
    backwards = [Usage(NOON_MS - k, down=k, width=32) for k in range(3_000)]
    meter = meter_of()

    assert add(meter, backwards).count(Reject.COUNTER_WENT_BACK) == len(backwards) - WAIT_COUNT_MAX
    assert meter.tables.used[C_WAIT] <= WAIT_COUNT_MAX


@pytest.mark.slow
def test_readings_without_gigawords_in_order_cost_no_memory_past_their_bound() -> None:
    forwards = [Usage(NOON_MS + k * MINUTE_MS, down=k, width=32) for k in range(3_000)]
    meter = meter_of(forwards)

    assert sum(entry["metered"] for entry in used(meter).values()) == len(forwards) - 1
    assert meter.tables.used[C_WAIT] == WAIT_COUNT_MAX


@pytest.mark.slow
def test_implausible_readings_are_not_kept_past_their_bound() -> None:
    falling = [Usage(NOON_MS + k, down=2**32 - 1 - k * 10**6, width=32) for k in range(3_000)]
    meter = meter_of(falling)

    assert meter.tables.used[C_WAIT] == WAIT_COUNT_MAX


@pytest.mark.slow
def test_a_session_is_inferred_again_only_so_often() -> None:
    waits = [
        Usage(NOON_MS - day * DAY_MS - k, down=(250 - day) * 10**6 - k, width=32)
        for k in range(900)
        for day in [k % 250]
    ]
    exact = Usage(NOON_MS - 300 * DAY_MS, down=0, down_high=0, up_high=0, width=32)
    meter = meter_of(waits, [exact._replace(down=k) for k in range(60)])
    steps = first_session(meter, S_INFER_STEPS)
    metered = sum(entry["metered"] for entry in used(meter).values())

    assert INFER_STEPS_MAX <= steps < 2 * INFER_STEPS_MAX
    add(meter, [exact._replace(down=k) for k in range(60, 90)])
    assert first_session(meter, S_INFER_STEPS) == steps
    assert add(meter, [exact._replace(time_ms=NOON_MS + MINUTE_MS, down=250 * 10**6 + 5)]) == [0]
    assert sum(entry["metered"] for entry in used(meter).values()) == metered + 5


def test_an_exact_reading_that_says_nothing_new_infers_nothing() -> None:
    exact = Usage(NOON_MS - MINUTE_MS, down=3, down_high=0, up_high=0, width=32)
    meter = meter_of([Usage(NOON_MS, down=5, width=32), exact])
    steps = first_session(meter, S_INFER_STEPS)

    add(meter, [exact] * 5)

    assert first_session(meter, S_INFER_STEPS) == steps > 0
