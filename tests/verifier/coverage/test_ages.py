"""How old the evidence of covered rows is; rows that are not covered have none that counts."""

from dataclasses import replace

from phusong.verifier.coverage.ages import evidence_ages
from phusong.verifier.coverage.records import Counts, SiteVerdict, Verdict

DAY_MS = 86_400_000
AS_OF_MS = 1_640_000_000_000  # 2021-12-20 11:33:20Z
VALIDITY_DAYS = 180
NOTHING = Counts(0, 0, 0, 0.0, 0, 0, 0)
ROW = SiteVerdict(
    *("S1", "", "01", "283", "viettel", "LTE", Verdict.COVERED, ""),
    *(NOTHING, None, None, None, None, None, None, None, ()),
)


def row(observed: str | None, **fields: object) -> SiteVerdict:
    return replace(ROW, last_observed=observed, **fields)


def test_ages_are_those_of_the_newest_reading_of_each_covered_row() -> None:
    rows = [
        row("2021-12-20T11:33:19.500Z"),
        row("2021-12-19T11:33:20Z"),
        row("2021-12-10T11:33:20Z"),
        row("2021-12-18T11:33:20Z", list="1910"),
    ]

    found = evidence_ages(rows, VALIDITY_DAYS, AS_OF_MS)

    assert found.oldest_ms == {"283": 10 * DAY_MS, "1910": 2 * DAY_MS}
    assert found.median_ms == {"283": DAY_MS, "1910": 2 * DAY_MS}


def test_rows_that_are_not_covered_have_no_age() -> None:
    rows = [row("2021-01-01T00:00:00Z", verdict=Verdict.STALE), row(None)]

    assert evidence_ages(rows, VALIDITY_DAYS, AS_OF_MS).oldest_ms == {}


def test_a_row_expires_when_its_last_evidence_will_within_the_time_ahead() -> None:
    at = "2021-07-23T11:33:20Z"  # 150 days before: what is as old is just good enough

    found = evidence_ages(
        [row(at), row("2021-07-23T11:33:19Z", operator="vinaphone")], VALIDITY_DAYS, AS_OF_MS
    )

    assert found.expiring == {("283", "viettel"): 0, ("283", "vinaphone"): 1}


def test_evidence_that_is_ahead_of_the_clock_is_new() -> None:
    found = evidence_ages([row("2021-12-21T00:00:00Z")], VALIDITY_DAYS, AS_OF_MS)

    assert found.oldest_ms == {"283": 0}
