"""What is sent again, when, and when no more. No clock but the one handed in."""

import pytest
from batches import TIME_MS
from hypothesis import given
from hypothesis import strategies as st

from phusong.collector.outstanding import (
    RESEND_AFTER_MS,
    SENDING_COUNT_MAX,
    Outstanding,
    Sending,
    messages_of,
    sendings_of,
)
from phusong.v1.enforcement_pb2 import (
    ACTION_CUT,
    ACTION_NOTIFY,
    ACTION_RESTORE,
    ACTION_THROTTLE,
    Decision,
)

DAY = "2021-10-01"
HOUR_MS = 3_600_000


def decided(position, action=ACTION_CUT, sim=7, day=DAY):
    key = f"{day}/{sim}/{action}/{position}"
    return Decision(position=position, decision_key=key, action=action, subscriber_key=sim, day=day)


def outstanding(*decisions):
    found = Outstanding()
    for decision in decisions:
        found.add(decision)
    return found


def test_a_decision_waits_until_it_has_left_and_is_then_due_again_with_growing_pauses():
    found = outstanding(decided(1))
    assert list(found.waiting) == [1]

    now_ms = TIME_MS
    for attempt, pause_ms in enumerate(RESEND_AFTER_MS, start=1):
        assert found.note_taken(1, now_ms).attempt == attempt
        assert found.take_due(now_ms + pause_ms - 1) == []
        now_ms += pause_ms
        assert found.take_due(now_ms) == [1]

    assert found.note_taken(1, now_ms).attempt == SENDING_COUNT_MAX
    assert found.take_due(now_ms + 10 * HOUR_MS) == []


def test_a_journal_in_which_a_decision_left_for_the_last_time_makes_nothing_due():
    found = outstanding(decided(1))

    for attempt in range(1, SENDING_COUNT_MAX + 1):
        found.note_sent(Sending(attempt, TIME_MS + attempt * HOUR_MS, 1))

    assert found.take_due(TIME_MS + (SENDING_COUNT_MAX + 2) * HOUR_MS) == []
    assert 1 in found


def test_who_only_follows_the_journal_does_not_remember_every_sending_for_ever():
    found, position = Outstanding(), 0

    for day in range(1, 29):
        for sim in range(10):
            position += 1
            found.add(decided(position, sim=sim, day=f"2021-10-{day:02}"))
            found.note_sent(Sending(1, TIME_MS + day * 24 * HOUR_MS, position))

    # Yesterday and today.
    assert len(found._due) == 20


def test_what_left_for_one_reader_has_left():
    found = outstanding(decided(1))

    assert found.note_taken(1, TIME_MS) is not None
    assert found.note_taken(1, TIME_MS) is None


def test_what_is_acknowledged_is_not_sent_again():
    found = outstanding(decided(1))
    found.note_taken(1, TIME_MS)

    found.acknowledge(decided(1).decision_key)

    assert found.take_due(TIME_MS + HOUR_MS) == []
    assert len(found) == 0


@pytest.mark.parametrize("stop", [ACTION_CUT, ACTION_THROTTLE])
def test_a_cut_that_was_taken_back_is_never_sent_after_its_restore(stop):
    found = outstanding(decided(1, stop))
    found.note_taken(1, TIME_MS)

    found.add(decided(2, ACTION_RESTORE))
    found.note_taken(2, TIME_MS)

    assert found.take_due(TIME_MS + HOUR_MS) == [2]
    found.add(decided(3, stop))
    assert 2 not in found
    assert list(found.waiting) == [3]


def test_notices_and_other_sims_are_not_taken_back():
    found = outstanding(decided(1, ACTION_NOTIFY), decided(2, sim=8), decided(3))

    found.add(decided(4, ACTION_RESTORE))

    assert [position in found for position in (1, 2, 3, 4)] == [True, True, False, True]


def test_nothing_is_sent_again_once_its_day_is_over():
    found = outstanding(decided(1), decided(2, day="2021-10-02"))
    midnight_ms = TIME_MS + 17 * HOUR_MS  # TIME_MS is 07:00 in Vietnam
    found.note_taken(1, midnight_ms - 1)
    found.note_taken(2, midnight_ms - 1)

    assert found.take_due(midnight_ms + HOUR_MS) == [2]


@given(st.lists(st.tuples(st.integers(1, 6), st.integers(0, 3 * HOUR_MS)), max_size=30))
def test_what_the_journal_says_was_sent_makes_the_same_plan(steps):
    alive = outstanding(*(decided(position, sim=position) for position in range(1, 7)))
    again = alive.copy()
    now_ms, noted = TIME_MS, []
    for position, pause_ms in steps:
        now_ms += pause_ms
        alive.take_due(now_ms)
        sending = alive.note_taken(position, now_ms)
        noted += [] if sending is None else [sending]

    for message in messages_of("viettel", noted):
        for sending in sendings_of(message):
            again.note_sent(sending)

    alive.take_due(now_ms), again.take_due(now_ms)
    assert sorted(alive.sendings()) == sorted(again.sendings())
    assert set(alive.waiting) == set(again.waiting)
    later_ms = now_ms + RESEND_AFTER_MS[-1]
    assert sorted(alive.take_due(later_ms)) == sorted(again.take_due(later_ms))
