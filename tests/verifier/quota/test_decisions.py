import pytest
from hypothesis import given
from hypothesis import strategies as st

from phusong.v1.enforcement_pb2 import Action
from phusong.verifier.quota.decisions import (
    DecisionRecord,
    decision_key,
    decision_message,
    has_decided_all,
    implied_steps,
    join_marks,
    mark_step,
    parse_decision_key,
)

NOTIFY, CUT, RESTORE = Action.ACTION_NOTIFY, Action.ACTION_CUT, Action.ACTION_RESTORE
levels = st.lists(st.integers(0, 3), max_size=20)


@given(
    st.integers(0, 40_000),
    st.integers(0, 2**64 - 1),
    st.sampled_from([NOTIFY, CUT, RESTORE]),
    st.integers(1, 100),
)
def test_a_key_says_what_was_decided(day: int, sim: int, action: int, number: int) -> None:
    assert parse_decision_key(decision_key(day, sim, action, number)) == (day, sim, action, number)


def test_a_key_that_is_not_ours_is_our_bug() -> None:
    with pytest.raises(AssertionError, match="not a decision key"):
        parse_decision_key("something else")


@given(levels)
def test_a_sim_is_cut_exactly_while_it_has_exhausted_its_quota(history: list[int]) -> None:
    marks, is_cut, notified = 0, False, []
    for level in history:
        marks = marks & ~3 | level
        for action, percent, number in implied_steps(marks):
            if action == NOTIFY:
                notified.append(percent)
            else:
                assert is_cut == (action == RESTORE)
                is_cut = action == CUT
            marks = mark_step(marks, action, number)

        assert is_cut == (level == 3)
        assert implied_steps(marks) == []
    assert notified == sorted(set(notified))
    assert len(notified) == max(history, default=0)


@given(levels, levels)
def test_joined_marks_know_the_decisions_of_both(one: list[int], other: list[int]) -> None:
    marks = []
    for history in (one, other):
        mark = 0
        for level in history:
            mark = mark & ~3 | level
            for action, _, number in implied_steps(mark):
                mark = mark_step(mark, action, number)
        marks.append(mark)

    joined = join_marks(*marks)

    assert has_decided_all(joined, marks[0])
    assert has_decided_all(joined, marks[1])
    assert joined & 3 == marks[0] & 3


def test_a_decision_travels_with_everything_the_enforcement_point_needs() -> None:
    record = DecisionRecord("viettel", 7, CUT, 100, 18_901, 5, 4, 3, "key")

    message = decision_message(record, 9)

    assert (message.operator, message.subscriber_key, message.action) == ("viettel", 7, CUT)
    assert (message.day, message.threshold_percent, message.decision_key) == (
        "2021-10-01",
        100,
        "key",
    )
    assert (message.used_bytes, message.quota_bytes) == (5, 4)
    assert (message.crossed_time_ms, message.decided_time_ms) == (3, 9)
