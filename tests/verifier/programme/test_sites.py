"""A site by any operator: one network that covers it is enough, and doubt about one is doubt."""

import pytest

from phusong.verifier.coverage.records import Counts, SiteVerdict, Verdict
from phusong.verifier.programme.sites import verdicts_by_site

COUNTS = Counts(0, 0, 0, 0.0, 0, 0, 0)


def row(operator: str, verdict: str) -> SiteVerdict:
    return SiteVerdict(
        site_code="HG-1",
        name="",
        province_code="02",
        list="283",
        operator=operator,
        technology="LTE",
        verdict=Verdict(verdict),
        reason="",
        counts=COUNTS,
        design_effect=None,
        share=None,
        lower_bound=None,
        upper_bound=None,
        median_level_dbm=None,
        first_observed=None,
        last_observed=None,
        missing=(),
    )


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        (["COVERED", "NOT_COVERED"], "COVERED"),
        (["NOT_COVERED", "NOT_COVERED"], "NOT_COVERED"),
        (["NOT_COVERED", "UNTESTED"], "UNTESTED"),
        (["NOT_COVERED", "INSUFFICIENT", "UNTESTED"], "INSUFFICIENT"),
        (["CONFLICTED", "INSUFFICIENT"], "CONFLICTED"),
        (["STALE", "UNTESTED"], "STALE"),
    ],
)
def test_a_site_is_covered_by_any_operator_and_refuted_only_by_all(
    verdicts: list[str], expected: str
) -> None:
    rows = [row(f"operator{n}", verdict) for n, verdict in enumerate(verdicts)]

    assert verdicts_by_site(rows) == {"HG-1": Verdict(expected)}
