"""When a frame came, of those that wait to be judged."""

from hypothesis import given
from hypothesis import strategies as st

from phusong.collector.commit_times import PLACE_COUNT_MAX, PLACE_EVERY_MS, CommitTimes


@given(st.lists(st.integers(0, 3000), min_size=1, max_size=40))
def test_a_frame_is_dated_to_the_second_it_came_in_and_never_later(steps):
    times, came_ms = CommitTimes(10, 5000), {}
    now_ms = 5000
    for sequence, step_ms in enumerate(steps, start=11):
        now_ms += step_ms
        came_ms[sequence] = now_ms
        times.note(sequence, now_ms)

    for sequence, expected_ms in came_ms.items():
        assert expected_ms - PLACE_EVERY_MS < times.time_ms(sequence) <= expected_ms


def test_frames_from_before_the_start_came_no_later_than_the_last_of_them():
    assert CommitTimes(10, 5000).time_ms(3) == 5000


def test_what_is_kept_is_bounded_and_the_oldest_time_known_stands_for_what_is_forgotten():
    times = CommitTimes(0, 0)
    for sequence in range(1, 2 * PLACE_COUNT_MAX):
        times.note(sequence, sequence * PLACE_EVERY_MS)

    assert len(times._times_ms) <= PLACE_COUNT_MAX
    assert 0 < times.time_ms(1) <= times.time_ms(PLACE_COUNT_MAX * 2)
