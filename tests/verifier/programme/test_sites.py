"""A site by any operator: one network that covers it is enough, and doubt about one is doubt."""

import pytest

from phusong.verifier.coverage.records import Counts, PartVerdict, SiteVerdict, Verdict
from phusong.verifier.programme.sites import sites_by_any, verdicts_by_site

COUNTS = Counts(0, 0, 0, 0.0, 0, 0, 0)


def row(operator: str, verdict: str, **parts: str) -> SiteVerdict:
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
        overlay=Verdict.DISPUTED if verdict == "DISPUTED" else None,
        parts=tuple(
            PartVerdict(name, Verdict(found), 9, 9, None, None, None)
            for name, found in parts.items()
        ),
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


@pytest.mark.parametrize(
    ("viettel", "vinaphone", "expected"),
    [
        ("COVERED COVERED", "UNTESTED UNTESTED", "COVERED"),
        ("COVERED NOT_COVERED", "NOT_COVERED COVERED", "COVERED"),  # each part by another network
        ("COVERED NOT_COVERED", "INSUFFICIENT NOT_COVERED", "NOT_COVERED"),
        ("COVERED NOT_COVERED", "UNTESTED UNTESTED", "INSUFFICIENT"),
        ("COVERED UNTESTED", "NOT_COVERED NOT_COVERED", "INSUFFICIENT"),
        ("COVERED STALE", "NOT_COVERED NOT_COVERED", "STALE"),
        ("COVERED CONFLICTED", "UNTESTED UNTESTED", "CONFLICTED"),
        ("UNTESTED UNTESTED", "UNTESTED UNTESTED", "UNTESTED"),
    ],
)
def test_a_site_is_covered_when_each_part_is_by_whichever_network(
    viettel: str, vinaphone: str, expected: str
) -> None:
    rows = []
    for operator, words in (("viettel", viettel), ("vinaphone", vinaphone)):
        centre, cluster = words.split()
        rows.append(row(operator, "INSUFFICIENT", centre=centre, cluster=cluster))

    assert verdicts_by_site(rows) == {"HG-1": Verdict(expected)}


def test_what_is_disputed_is_disputed_in_every_part() -> None:
    disputed = row("viettel", "DISPUTED", centre="COVERED", cluster="COVERED")
    other = row("vinaphone", "INSUFFICIENT", centre="COVERED", cluster="INSUFFICIENT")

    (site,) = sites_by_any([disputed, other])

    assert site.parts == {"centre": Verdict.COVERED, "cluster": Verdict.DISPUTED}
    assert site.verdict is Verdict.DISPUTED
