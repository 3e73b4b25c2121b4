from dataclasses import replace

import pytest

from phusong.verifier.coverage.records import Counts, DisputeMark, SiteVerdict, Verdict
from phusong.verifier.disputes.book import DisputeBook
from phusong.verifier.disputes.overlay import overlaid
from phusong.verifier.disputes.records import (
    Act,
    Dispute,
    DisputedVerdict,
    DisputeState,
    Side,
    Step,
)

AS_OF_MS, DUE_MS, ENDED_MS = 1_000_000, 2_000_000, 1_500_000
ROW = SiteVerdict(
    *("HG-1", "name", "02", "283", "viettel", "LTE", Verdict.COVERED, "why"),
    *(Counts(1, 1, 1, 1.0, 1, 1, 1), 1.0, 1.0, 1.0, 1.0, -90, None, None, ()),
)


def dispute(state: DisputeState, favour: Side | None = None, as_of_ms: int = AS_OF_MS) -> Dispute:
    verdict = DisputedVerdict("HG-1", "viettel", "LTE", as_of_ms, "COVERED", "")
    filing = Step(1, 0, AS_OF_MS, Act.FILE, "", "a", "b", "c", (), verdict)
    ended_ms = None if favour is None else ENDED_MS
    return Dispute("D1.0", filing, state, (filing,), DUE_MS, "short", ended_ms, favour)


def laid(
    found: Dispute,
    row: SiteVerdict = ROW,
    as_of_ms: int = AS_OF_MS,
    since: Verdict = Verdict.UNTESTED,
) -> SiteVerdict:
    (one,) = overlaid([row], DisputeBook({found.name: found}), as_of_ms, lambda *_: since)
    return one


@pytest.mark.parametrize("state", [DisputeState.OPEN, DisputeState.REBUTTED])
def test_an_open_dispute_lies_on_the_verdict_and_leaves_it(state: DisputeState) -> None:
    row = laid(dispute(state))

    assert (row.verdict, row.overlay, row.standing) == ("COVERED", "DISPUTED", "DISPUTED")


def test_it_says_which_dispute_and_until_when_an_answer_is_due() -> None:
    assert laid(dispute(DisputeState.OPEN)).disputes == (
        DisputeMark("D1.0", "OPEN", None, "1970-01-01T00:33:20Z"),
    )


@pytest.mark.parametrize(
    ("state", "favour", "overlay"),
    [
        (DisputeState.WITHDRAWN, Side.RESPONDENT, None),
        (DisputeState.DISMISSED, Side.RESPONDENT, None),
        (DisputeState.LAPSED, Side.RESPONDENT, None),
        (DisputeState.LAPSED, Side.FILER, "DISPUTED"),
        (DisputeState.CONCEDED, Side.FILER, "DISPUTED"),
        (DisputeState.UPHELD, Side.FILER, "DISPUTED"),
    ],
)
def test_what_ended_for_the_filer_goes_on_lying_on_the_verdict(
    state: DisputeState, favour: Side, overlay: str | None
) -> None:
    row = laid(dispute(state, favour))

    assert row.overlay == overlay
    assert [(mark.state, mark.in_favour_of) for mark in row.disputes] == [
        (state.value, favour.name.lower())
    ]


def test_new_readings_that_say_so_by_themselves_end_it() -> None:
    conceded = dispute(DisputeState.CONCEDED, Side.FILER)

    assert laid(conceded, since=Verdict.INSUFFICIENT).overlay == "DISPUTED"
    assert laid(conceded, since=Verdict.COVERED).overlay is None


def test_a_verdict_that_came_round_is_no_longer_disputed() -> None:
    row = laid(dispute(DisputeState.UPHELD, Side.FILER), laid_row(Verdict.NOT_COVERED))

    assert (row.verdict, row.overlay) == ("NOT_COVERED", None)


def laid_row(verdict: Verdict) -> SiteVerdict:
    return replace(ROW, verdict=verdict)


def test_only_reports_as_of_that_day_and_later_are_concerned() -> None:
    row = laid(dispute(DisputeState.OPEN), as_of_ms=AS_OF_MS - 1)

    assert (row.overlay, row.disputes) == (None, ())


def test_other_rows_stay_as_they_are() -> None:
    other = replace(ROW, operator="vinaphone")

    assert laid(dispute(DisputeState.OPEN), other) is other
