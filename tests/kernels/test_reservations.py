"""One pool a SIM and day, handed out in slices: nothing is made, nothing is lost, and what was used counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phusong.kernels.reject import Reject
from phusong.kernels.reservations import (
    SESSION_COUNT_MAX,
    SLICE_VALID_MS,
    SLICE_VALID_SHORT_MS,
    Pool,
    ReservationBook,
    Step,
)
from reference.reservations import Ledger
from reference.usage import DAY_MS, FIRST_OF_OCTOBER, HOUR_MS, MIDNIGHT_MS

MB = 10**6
BALANCE = 100 * MB
SIM = 7


def step(number=1, used=0, wanted=0, *, at=MIDNIGHT_MS, session="a", sim=SIM, release=False):
    return Step(sim, session, number, used, wanted, release, at)


def test_the_worked_example_of_the_domain() -> None:
    book = ReservationBook()

    answers = [
        book.take(step(1, 0, 40 * MB), BALANCE),
        book.take(step(2, 50 * MB, 40 * MB), BALANCE),
        book.take(step(3, 30 * MB, 40 * MB), BALANCE),
    ]

    assert [(a.granted_bytes // MB, a.left_bytes // MB) for a in answers] == [
        (40, 60),
        (40, 10),
        (20, 0),
    ]
    assert book.pools[SIM, FIRST_OF_OCTOBER].over_bytes == 10 * MB


def test_several_sessions_of_one_sim_share_what_is_left() -> None:
    """Edge group 8 of DOMAIN §3: they cross in one batch."""
    book = ReservationBook()

    a = book.take(step(1, 0, 40 * MB, session="a"), BALANCE)
    b = book.take(step(1, 0, 40 * MB, session="b"), BALANCE)
    c = book.take(step(1, 0, 40 * MB, session="c"), BALANCE)
    d = book.take(step(1, 0, 40 * MB, session="d"), BALANCE)

    # Two hundred would be wanted by three and four sessions, where sixty are left: near the limit each gets a share.
    assert [x.granted_bytes // MB for x in (a, b, c, d)] == [40, 30, 10, 5]
    assert sum(x.granted_bytes for x in (a, b, c, d)) + d.left_bytes == BALANCE


def test_more_used_than_granted_counts_and_the_balance_stays_negative() -> None:
    book = ReservationBook()
    book.take(step(1, 0, 40 * MB), BALANCE)

    answer = book.take(step(2, 170 * MB, 40 * MB), BALANCE)

    assert (answer.granted_bytes, answer.left_bytes) == (0, -70 * MB)
    assert book.take(step(3, 0, 1), BALANCE).left_bytes == -70 * MB


def test_what_is_unused_of_an_expired_slice_goes_back_and_use_after_it_counts() -> None:
    book = ReservationBook()
    book.take(step(1, 0, 90 * MB, session="a"), BALANCE)
    assert book.take(step(1, 0, 40 * MB, session="b"), BALANCE).granted_bytes == 5 * MB

    later = MIDNIGHT_MS + SLICE_VALID_MS
    again = book.take(step(2, 5 * MB, 40 * MB, session="b", at=later), BALANCE)
    late = book.take(step(2, 80 * MB, 0, session="a", at=later + 1), BALANCE)

    assert again.granted_bytes == 40 * MB  # the ninety are back
    assert late.left_bytes == BALANCE - (5 + 40 + 80) * MB  # and were used after all
    assert book.pools[SIM, FIRST_OF_OCTOBER].over_bytes == (5 + 80) * MB  # both had expired


def test_a_release_gives_back_what_was_not_used() -> None:
    book = ReservationBook()
    book.take(step(1, 0, 40 * MB), BALANCE)

    answer = book.take(step(2, 15 * MB, 40 * MB, release=True), BALANCE)

    assert (answer.granted_bytes, answer.left_bytes) == (0, 85 * MB)


def test_a_slice_belongs_to_its_day_and_ends_with_it() -> None:
    book = ReservationBook()
    late_ms = MIDNIGHT_MS + DAY_MS - HOUR_MS // 2
    given = book.take(step(1, 0, 40 * MB, at=late_ms), BALANCE)

    answer = book.take(step(2, 10 * MB, 40 * MB, at=MIDNIGHT_MS + DAY_MS), BALANCE)

    assert given.expires_time_ms == MIDNIGHT_MS + DAY_MS
    assert (answer.granted_bytes, answer.left_bytes) == (40 * MB, 60 * MB)  # a day of its own
    assert book.pools[SIM, FIRST_OF_OCTOBER].used_bytes == 10 * MB


def test_near_the_limit_a_slice_is_smaller_and_shorter() -> None:
    book = ReservationBook()

    whole = book.take(step(1, 0, 60 * MB, session="a"), BALANCE)
    part = book.take(step(1, 0, 60 * MB, session="b"), BALANCE)

    assert whole.expires_time_ms == MIDNIGHT_MS + SLICE_VALID_MS
    assert part.granted_bytes == 20 * MB
    assert part.expires_time_ms == MIDNIGHT_MS + SLICE_VALID_SHORT_MS


def test_the_same_step_again_is_answered_again_and_counts_once() -> None:
    book = ReservationBook()
    book.take(step(1, 0, 40 * MB), BALANCE)
    first = book.take(step(2, 50 * MB, 40 * MB), BALANCE)

    assert book.take(step(2, 50 * MB, 40 * MB, at=MIDNIGHT_MS + HOUR_MS), BALANCE) == first
    assert book.pools[SIM, FIRST_OF_OCTOBER].used_bytes == 50 * MB
    assert book.take(step(1, 0, 40 * MB), BALANCE) is Reject.RESERVATION_STALE


def test_of_a_day_that_the_meter_found_used_up_nothing_is_handed_out_until_it_is_restored() -> None:
    book = ReservationBook()
    book.cut(SIM, FIRST_OF_OCTOBER, is_cut=True)
    assert book.take(step(1, 0, 40 * MB), BALANCE).granted_bytes == 0

    book.cut(SIM, FIRST_OF_OCTOBER, is_cut=False)

    assert book.take(step(2, 0, 40 * MB), BALANCE).granted_bytes == 40 * MB


def test_a_sim_has_a_bounded_number_of_sessions_that_hold_something() -> None:
    book = ReservationBook()
    for number in range(SESSION_COUNT_MAX):
        book.take(step(1, wanted=1, session=str(number)), BALANCE)

    assert book.take(step(1, session="more"), BALANCE) is Reject.RESERVATION_TOO_MANY
    assert not isinstance(book.take(step(2, session="0"), BALANCE), Reject)


def test_a_sim_may_begin_one_session_after_the_other_all_day() -> None:
    book, copy = ReservationBook(), ReservationBook()
    for number in range(3 * SESSION_COUNT_MAX):
        session, at = str(number), MIDNIGHT_MS + number * 60_000
        for one in (
            step(1, 0, 5, session=session, at=at),
            step(2, 3, 0, session=session, at=at + 1000, release=True),
        ):
            answer = book.take(one, BALANCE)
            assert not isinstance(answer, Reject)
            copy.note(one, answer)

    assert book.pools[SIM, FIRST_OF_OCTOBER] == Pool(used_bytes=9 * SESSION_COUNT_MAX)
    assert len(book.slices[SIM]) == SESSION_COUNT_MAX
    assert (copy.pools, copy.slices) == (book.pools, book.slices)


def test_sessions_that_were_never_released_make_room_when_their_slices_expire() -> None:
    book = ReservationBook()
    for number in range(SESSION_COUNT_MAX):
        book.take(step(1, wanted=1, session=str(number)), BALANCE)

    later = step(1, 0, 5, session="more", at=MIDNIGHT_MS + SLICE_VALID_MS)

    assert not isinstance(book.take(later, BALANCE), Reject)
    assert book.pools[SIM, FIRST_OF_OCTOBER] == Pool(reserved_bytes=5)


@pytest.mark.parametrize("days", [2, 5])
def test_what_is_long_over_is_forgotten(days: int) -> None:
    book = ReservationBook()
    book.take(step(1, 0, 40 * MB), BALANCE)

    book.take(step(1, sim=8, at=MIDNIGHT_MS + days * DAY_MS), BALANCE)

    assert set(book.pools) == {(8, FIRST_OF_OCTOBER + days)}
    assert set(book.slices) == {8}


def test_cuts_are_forgotten_where_nobody_reserves() -> None:
    book = ReservationBook()

    for day in range(FIRST_OF_OCTOBER, FIRST_OF_OCTOBER + 30):
        book.cut(SIM, day, is_cut=True)

    last = FIRST_OF_OCTOBER + 29
    assert set(book.pools) == {(SIM, day) for day in (last - 2, last - 1, last)}


def test_a_cut_of_the_day_to_come_forgets_no_slice_of_yesterday() -> None:
    book = ReservationBook()
    book.take(step(1, 0, 40 * MB), BALANCE)

    book.cut(8, FIRST_OF_OCTOBER + 2, is_cut=True)  # its device's clock is ahead
    book.take(step(2, 30 * MB, 0, at=MIDNIGHT_MS + 2 * DAY_MS - 1), BALANCE)

    assert book.pools[SIM, FIRST_OF_OCTOBER].used_bytes == 30 * MB


@st.composite
def histories(draw: st.DrawFn) -> list[Step]:
    time_ms, found = MIDNIGHT_MS + draw(st.integers(0, DAY_MS - 1)), []
    for _ in range(draw(st.integers(0, 30))):
        time_ms += draw(st.sampled_from([0, 1, 60_000, SLICE_VALID_SHORT_MS, SLICE_VALID_MS]))
        found.append(
            Step(
                draw(st.integers(1, 2)),
                draw(st.sampled_from("abc")),
                draw(st.integers(1, 6)),
                draw(st.integers(0, 60)),
                draw(st.integers(0, 60)),
                draw(st.booleans()) and draw(st.booleans()),
                time_ms,
            )
        )
    return found


@given(histories())
def test_every_answer_is_that_of_the_slow_ledger_and_the_pool_is_conserved(
    steps: list[Step],
) -> None:
    book, ledger = ReservationBook(), Ledger()
    for one in steps:
        answer, expected = book.take(one, 100), ledger.take(one, 100)

        if expected is None:
            assert answer is Reject.RESERVATION_STALE
        elif expected != "as before":
            assert not isinstance(answer, Reject)
            assert (answer.granted_bytes, answer.left_bytes, answer.expires_time_ms) == expected
            pool = book.pools[one.subscriber_key, answer.ict_day]
            assert pool.used_bytes + pool.reserved_bytes + answer.left_bytes == 100
    for pool in book.pools.values():
        assert pool.reserved_bytes >= 0
        assert 0 <= pool.over_bytes <= pool.used_bytes
    for sim, day in book.pools:
        open_bytes = sum(
            held.open_bytes for held in book.slices.get(sim, {}).values() if held.ict_day == day
        )
        assert book.pools[sim, day].reserved_bytes == open_bytes


@given(histories(), st.integers(0, 30))
def test_a_history_may_be_cut_anywhere(steps: list[Step], cut: int) -> None:
    whole, noted = ReservationBook(), ReservationBook()
    for at, one in enumerate(steps):
        if at == cut:
            noted = noted.copy()
        before = whole.last_number(one)
        answer = whole.take(one, 100)
        if not isinstance(answer, Reject) and before != one.number:
            noted.note(one, answer)

    assert noted.pools == {
        at: pool for at, pool in whole.pools.items() if pool != Pool() or at in noted.pools
    }
    assert noted.slices == whole.slices
