import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from phusong.kernels.clock import place_times
from phusong.kernels.columns import INT_MISSING
from reference import clock as reference

Row = tuple[int, int | None, int | None]
FLAGS = ["as observed", "ahead", "behind"]
ARRIVAL_MS = 1_633_046_400_000
MINUTE_MS = 60_000
DAY_MS = 86_400_000

rows = st.lists(
    st.tuples(
        st.integers(1, 3 * ARRIVAL_MS // 2)
        | st.integers(ARRIVAL_MS - 8 * DAY_MS, ARRIVAL_MS + DAY_MS),
        st.none() | st.integers(ARRIVAL_MS - DAY_MS, ARRIVAL_MS + DAY_MS),
        st.none() | st.integers(0, 30 * DAY_MS),
    ),
    max_size=30,
)


def is_live(received: NDArray[np.int64]) -> NDArray[np.bool_]:
    return (received > 0) & (received < 2 * ARRIVAL_MS)


def run(*batches: list[Row]) -> list[tuple[int, str]]:
    placed: list[tuple[int, str]] = []
    for batch in batches:
        observed, received, delay = (
            np.array([INT_MISSING if row[k] is None else row[k] for row in batch], np.int64)
            for k in range(3)
        )
        time_ms, flag = np.empty_like(observed), np.empty_like(observed)
        place_times(observed, received, delay, ~is_live(received), time_ms, flag)
        placed += [(int(t), FLAGS[f]) for t, f in zip(time_ms, flag, strict=True)]
    return placed


@settings(deadline=None)  # the first example compiles
@given(rows)
def test_matches_the_reference(rows: list[Row]) -> None:
    assert run(rows) == [reference.place_time(*row) for row in rows]


@settings(deadline=None)  # the first example compiles
@given(rows, st.integers(0, 30))
def test_a_batch_may_be_cut_anywhere(rows: list[Row], cut: int) -> None:
    assert run(rows[:cut], rows[cut:]) == run(rows)


def test_a_clock_days_ahead_gives_way_to_arrival_minus_delay() -> None:
    ahead_ms = ARRIVAL_MS + 257_725_000

    assert run([(ahead_ms, ARRIVAL_MS, 3_000)]) == [(ARRIVAL_MS - 3_000, "ahead")]


def test_the_bounds_themselves_are_still_believed() -> None:
    ahead_ms, behind_ms = ARRIVAL_MS + 5 * MINUTE_MS, ARRIVAL_MS - 7 * DAY_MS

    assert run([(ahead_ms, ARRIVAL_MS, None), (ahead_ms + 1, ARRIVAL_MS, None)]) == [
        (ahead_ms, "as observed"),
        (ARRIVAL_MS, "ahead"),
    ]
    assert run([(behind_ms, ARRIVAL_MS, None), (behind_ms - 1, ARRIVAL_MS, None)]) == [
        (behind_ms, "as observed"),
        (ARRIVAL_MS, "behind"),
    ]


def test_a_clock_that_starts_in_1970_gives_way_to_the_arrival() -> None:
    assert run([(5_000, ARRIVAL_MS, 60_000)]) == [(ARRIVAL_MS - 60_000, "behind")]


def test_a_stated_delay_explains_an_old_reading() -> None:
    month_ms = 30 * DAY_MS

    assert run([(ARRIVAL_MS - month_ms, ARRIVAL_MS, month_ms)]) == [
        (ARRIVAL_MS - month_ms, "as observed")
    ]


def test_an_import_without_arrival_keeps_its_own_time() -> None:
    assert run([(5_000, None, None)]) == [(5_000, "as observed")]


def test_the_ends_of_int64_do_not_wrap() -> None:
    low, high = -(2**63), 2**63 - 1

    assert run([(low, ARRIVAL_MS, high), (high, ARRIVAL_MS, low), (high, high, None)]) == [
        (ARRIVAL_MS, "behind"),
        (ARRIVAL_MS, "ahead"),
        (high, "as observed"),
    ]
