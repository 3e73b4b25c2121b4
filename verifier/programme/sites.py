"""From verdicts per operator and technology to what is known of a site: "mobile Internet", by whichever operator.

A site counts as covered when one network covers it, and as not covered only when every network that should is proven
not to. Everything else is not known, for one of the reasons below.
"""

from collections.abc import Iterable

from phusong.verifier.coverage.records import SiteVerdict, Verdict

# What stands for a site, from the most that can be said down.
BY_WEIGHT = (
    Verdict.COVERED,
    Verdict.DISPUTED,
    Verdict.CONFLICTED,
    Verdict.STALE,
    Verdict.INSUFFICIENT,
    Verdict.UNTESTED,
)


def verdict_of_site(rows: Iterable[SiteVerdict]) -> Verdict:
    """Return the verdict by any operator, of all rows of one site. There is at least one."""
    found = {row.standing for row in rows}
    assert found, "every site has a row"
    if found == {Verdict.NOT_COVERED}:
        return Verdict.NOT_COVERED
    return next(verdict for verdict in BY_WEIGHT if verdict in found)


def verdicts_by_site(rows: Iterable[SiteVerdict]) -> dict[str, Verdict]:
    """Return what is known of every site, by its code."""
    of_site: dict[str, list[SiteVerdict]] = {}
    for row in rows:
        of_site.setdefault(row.site_code, []).append(row)
    return {code: verdict_of_site(found) for code, found in of_site.items()}
