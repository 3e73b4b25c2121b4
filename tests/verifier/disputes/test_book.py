from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from phusong.verifier.disputes.book import DisputeBook, end_of_day_after, read_book
from phusong.verifier.disputes.limits import FilingLimit, Limits, RebuttalLimit
from phusong.verifier.disputes.records import (
    Act,
    DisputedVerdict,
    DisputeState,
    Refusal,
    RefusedStep,
    Selection,
    Side,
    Step,
)
from reference.disputes import standings

START = datetime(2021, 12, 31, 9, 30, tzinfo=UTC)
AS_OF_MS = round(START.timestamp() * 1000)
DAY_MS = 86_400_000
FILING_DAYS, REBUTTAL_DAYS = 3, 2
EVIDENCE = (Selection(source="probe"),)
NAMES = ("village", "operator", "auditor")


def limits(silent: str = "filer") -> Limits:
    filing = FilingLimit(FILING_DAYS, "ours", verified=False)
    rebuttal = RebuttalLimit(REBUTTAL_DAYS, silent, "ours", verified=False)
    return Limits("short", "short", filing, rebuttal, "0" * 64)


def filing(sequence: int, time_ms: int, name: str = "village", **changed: Any) -> Step:
    fields = {"site_code": "HG-1", "as_of_ms": AS_OF_MS, "text": "no signal"} | changed
    verdict = DisputedVerdict(
        fields["site_code"], "viettel", "LTE", fields["as_of_ms"], "COVERED", ""
    )
    return Step(sequence, 0, time_ms, Act.FILE, "", name, "r", fields["text"], EVIDENCE, verdict)


def answer(
    sequence: int,
    time_ms: int,
    act: Act,
    name: str = "operator",
    dispute: str = "D1.0",
    favour: Side | None = None,
) -> Step:
    evidence = EVIDENCE if act is Act.REBUT else ()
    return Step(sequence, 0, time_ms, act, dispute, name, "r", "t", evidence, None, favour)


def book_of(*steps: Step, at_ms: int = AS_OF_MS, silent: str = "filer") -> DisputeBook:
    return read_book(steps, lambda _: limits(silent), at_ms)


def refusals(book: DisputeBook) -> list[Refusal]:
    return [refused.refusal for refused in book.refused]


def test_a_filing_opens_a_dispute_named_by_its_place_in_the_journal() -> None:
    book = book_of(filing(7, AS_OF_MS))

    assert book.disputes["D7.0"].state is DisputeState.OPEN


@pytest.mark.parametrize(
    ("act", "name", "favour", "state"),
    [
        (Act.CONCEDE, "operator", Side.FILER, DisputeState.CONCEDED),
        (Act.WITHDRAW, "village", Side.RESPONDENT, DisputeState.WITHDRAWN),
    ],
)
def test_who_gives_in_ends_it_for_the_other(
    act: Act, name: str, favour: Side, state: DisputeState
) -> None:
    dispute = book_of(filing(1, AS_OF_MS), answer(2, AS_OF_MS, act, name)).disputes["D1.0"]

    assert (dispute.state, dispute.in_favour_of, dispute.ended_ms) == (state, favour, AS_OF_MS)


@pytest.mark.parametrize(
    ("favour", "state"), [(Side.FILER, "UPHELD"), (Side.RESPONDENT, "DISMISSED")]
)
def test_what_was_rebutted_an_auditor_decides(favour: Side, state: str) -> None:
    book = book_of(
        filing(1, AS_OF_MS),
        answer(2, AS_OF_MS, Act.REBUT),
        answer(3, AS_OF_MS, Act.DECIDE, "auditor", favour=favour),
    )

    assert book.disputes["D1.0"].state == state
    assert book.disputes["D1.0"].in_favour_of is favour


def test_the_limit_is_the_last_millisecond_of_a_day_in_vietnam() -> None:
    # 31 December 16:30 in Vietnam; two days later ends on 2 January at 17:00Z.
    due = datetime(2022, 1, 2, 17, tzinfo=UTC) - timedelta(milliseconds=1)

    assert end_of_day_after(AS_OF_MS, REBUTTAL_DAYS) == round(due.timestamp() * 1000)


@pytest.mark.parametrize(
    ("silent", "side"), [("filer", Side.FILER), ("respondent", Side.RESPONDENT)]
)
def test_silence_ends_it_for_whom_the_limits_say(silent: str, side: Side) -> None:
    due_ms = end_of_day_after(AS_OF_MS, REBUTTAL_DAYS)

    before = book_of(filing(1, AS_OF_MS), at_ms=due_ms, silent=silent).disputes["D1.0"]
    after = book_of(filing(1, AS_OF_MS), at_ms=due_ms + 1, silent=silent).disputes["D1.0"]

    assert before.state is DisputeState.OPEN
    assert (after.state, after.in_favour_of, after.ended_ms) == ("LAPSED", side, due_ms)


def test_an_answer_at_the_limit_counts_and_one_after_it_does_not() -> None:
    due_ms = end_of_day_after(AS_OF_MS, REBUTTAL_DAYS)

    in_time = book_of(filing(1, AS_OF_MS), answer(2, due_ms, Act.REBUT), at_ms=due_ms + 9 * DAY_MS)
    late = book_of(filing(1, AS_OF_MS), answer(2, due_ms + 1, Act.REBUT), at_ms=due_ms + 9 * DAY_MS)

    assert in_time.disputes["D1.0"].state is DisputeState.REBUTTED
    assert late.disputes["D1.0"].state is DisputeState.LAPSED
    assert refusals(late) == [Refusal.REBUTTED_LATE]


@pytest.mark.parametrize(
    ("steps", "refusal"),
    [
        ([filing(1, AS_OF_MS), filing(2, AS_OF_MS)], Refusal.REPEATED),
        ([filing(1, AS_OF_MS), filing(2, AS_OF_MS, text="more")], Refusal.FILED_ALREADY),
        ([filing(1, AS_OF_MS, as_of_ms=AS_OF_MS + 1)], Refusal.VERDICT_TO_COME),
        ([filing(1, end_of_day_after(AS_OF_MS, FILING_DAYS) + 1)], Refusal.FILED_LATE),
        ([answer(2, AS_OF_MS, Act.REBUT)], Refusal.UNKNOWN_DISPUTE),
        ([filing(1, AS_OF_MS), answer(2, AS_OF_MS, Act.REBUT, "village")], Refusal.OWN_DISPUTE),
        ([filing(1, AS_OF_MS), answer(2, AS_OF_MS, Act.WITHDRAW)], Refusal.NOT_THE_FILER),
        (
            [filing(1, AS_OF_MS), answer(2, AS_OF_MS, Act.DECIDE, "auditor", favour=Side.FILER)],
            Refusal.NOT_REBUTTED,
        ),
        (
            [
                filing(1, AS_OF_MS),
                answer(2, AS_OF_MS, Act.REBUT),
                answer(3, AS_OF_MS, Act.REBUT, "other"),
            ],
            Refusal.REBUTTED_ALREADY,
        ),
        (
            [
                filing(1, AS_OF_MS),
                answer(2, AS_OF_MS, Act.REBUT),
                answer(3, AS_OF_MS, Act.DECIDE, "operator", favour=Side.RESPONDENT),
            ],
            Refusal.OWN_DISPUTE,
        ),
        (
            [
                filing(1, AS_OF_MS),
                answer(2, AS_OF_MS, Act.CONCEDE),
                answer(3, AS_OF_MS, Act.CONCEDE, "another"),
            ],
            Refusal.CLOSED,
        ),
        (
            [
                filing(1, AS_OF_MS),
                answer(2, AS_OF_MS, Act.CONCEDE),
                answer(3, AS_OF_MS, Act.CONCEDE),
            ],
            Refusal.REPEATED,
        ),
    ],
)
def test_what_cannot_follow_has_no_effect(steps: list[Step], refusal: Refusal) -> None:
    due_ms = end_of_day_after(AS_OF_MS, FILING_DAYS) + 1
    without = book_of(*steps[:-1], at_ms=due_ms)

    book = book_of(*steps, at_ms=due_ms)

    assert refusals(book) == [refusal]
    assert book.disputes == without.disputes


def test_of_two_filings_at_once_both_stand_when_two_people_made_them() -> None:
    book = book_of(filing(1, AS_OF_MS), filing(2, AS_OF_MS, "neighbour"))

    assert list(book.disputes) == ["D1.0", "D2.0"]
    assert not book.refused


def test_what_came_later_is_not_known_before() -> None:
    steps = (filing(1, AS_OF_MS), answer(2, AS_OF_MS + 5, Act.CONCEDE))

    assert book_of(*steps, at_ms=AS_OF_MS + 4) == book_of(steps[0], at_ms=AS_OF_MS + 4)


def test_entries_that_are_none_are_listed() -> None:
    damaged = RefusedStep(3, 0, Refusal.MALFORMED, None, "")

    assert read_book([damaged], lambda _: limits(), 0).refused == [damaged]


class Disputes(RuleBasedStateMachine):
    """Any steps at any time, held against the reference after each."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.steps: list[Step] = []
        self.events: list[dict[str, Any]] = []

    def say(
        self, act: Act, name: str, dispute: str, text: str, favour: Side | None, as_of: int
    ) -> None:
        sequence, time_ms = len(self.steps) + 1, round(self.now.timestamp() * 1000)
        evidence = EVIDENCE if act in (Act.FILE, Act.REBUT) else ()
        verdict = None
        if act is Act.FILE:
            verdict = DisputedVerdict(dispute, "viettel", "LTE", as_of, "COVERED", "")
        step = Step(
            sequence,
            0,
            time_ms,
            act,
            "" if verdict else dispute,
            name,
            "r",
            text,
            evidence,
            verdict,
            favour,
        )
        self.steps.append(step)
        self.events.append(
            {
                "place": f"D{sequence}.0",
                "at": self.now,
                "act": act.name,
                "dispute": step.dispute,
                "name": name,
                "role": "r",
                "text": text,
                "evidence": evidence,
                "verdict": None if verdict is None else verdict._asdict(),
                "favour": None if favour is None else favour.name.lower(),
            }
        )

    @rule(
        name=st.sampled_from(NAMES),
        site=st.sampled_from(("HG-1", "HG-2")),
        text=st.sampled_from("ab"),
        days=st.integers(-5, 1),
    )
    def file(self, name: str, site: str, text: str, days: int) -> None:
        as_of = round((self.now + timedelta(days=days)).timestamp()) * 1000
        self.say(Act.FILE, name, site, text, None, as_of)

    @rule(
        act=st.sampled_from((Act.REBUT, Act.CONCEDE, Act.WITHDRAW)),
        name=st.sampled_from(NAMES),
        number=st.integers(1, 12),
        text=st.sampled_from("ab"),
    )
    def answer(self, act: Act, name: str, number: int, text: str) -> None:
        self.say(act, name, f"D{number}.0", text, None, 0)

    @rule(name=st.sampled_from(NAMES), number=st.integers(1, 12), favour=st.sampled_from(Side))
    def decide(self, name: str, number: int, favour: Side) -> None:
        self.say(Act.DECIDE, name, f"D{number}.0", "a", favour, 0)

    @rule(hours=st.integers(1, 40))
    def wait(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    @invariant()
    def stands_as_the_reference_says(self) -> None:
        book = read_book(self.steps, lambda _: limits(), round(self.now.timestamp() * 1000))
        expected, why = standings(self.events, FILING_DAYS, REBUTTAL_DAYS, "filer", self.now)

        found = {
            name: (d.state.value, None if d.in_favour_of is None else d.in_favour_of.name.lower())
            for name, d in book.disputes.items()
        }
        refused = {r.sequence: r.refusal.value for r in book.refused}
        assert found == expected
        assert refused == {i: w for i, w in enumerate(why, 1) if w is not None}


Disputes.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
test_any_history_stands_as_the_reference_says = Disputes.TestCase
