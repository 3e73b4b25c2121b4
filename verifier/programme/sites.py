"""From verdicts per operator and technology to what is known of a site: "mobile Internet", by whichever operator.

Pupils live in parts of a site, so each part is asked first: it is covered when one network covers it, and not covered only
when every network that should is proven not to. The site is covered when every part is, by whichever networks, and not
covered when some part is not. Everything else is not known, for one of the reasons below.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from phusong.verifier.coverage.records import SiteVerdict, Verdict

# What stands for a part, from the most that can be said down.
BY_WEIGHT = (
    Verdict.COVERED,
    Verdict.DISPUTED,
    Verdict.CONFLICTED,
    Verdict.STALE,
    Verdict.INSUFFICIENT,
    Verdict.UNTESTED,
)
# Laid over a whole row: what its parts say alone cannot be relied on.
WHOLE = (Verdict.DISPUTED,)


@dataclass(frozen=True, slots=True)
class AnyOperator:
    """What is known of a site by any operator and technology, and of each of its parts."""

    site_code: str
    verdict: Verdict
    parts: dict[str, Verdict]


def verdict_of_site(rows: Iterable[SiteVerdict]) -> AnyOperator:
    """Return the verdict by any operator, of all rows of one site. There is at least one."""
    found = list(rows)
    assert found, "every site has a row"
    names = dict.fromkeys(part.part for row in found for part in row.parts)
    parts = {name: _of_any({_of_part(row, name) for row in found}) for name in names}
    verdict = _of_all(set(parts.values())) if parts else _of_any({r.standing for r in found})
    return AnyOperator(found[0].site_code, verdict, parts)


def sites_by_any(rows: Iterable[SiteVerdict]) -> list[AnyOperator]:
    """Return what is known of every site, in the order of the rows."""
    of_site: dict[str, list[SiteVerdict]] = {}
    for row in rows:
        of_site.setdefault(row.site_code, []).append(row)
    return [verdict_of_site(found) for found in of_site.values()]


def verdicts_by_site(rows: Iterable[SiteVerdict]) -> dict[str, Verdict]:
    """Return what is known of every site, by its code."""
    return {site.site_code: site.verdict for site in sites_by_any(rows)}


def _of_part(row: SiteVerdict, name: str) -> Verdict:
    if row.standing in WHOLE:
        return row.standing
    return next((part.verdict for part in row.parts if part.part == name), Verdict.UNTESTED)


def _of_any(found: set[Verdict]) -> Verdict:
    """Return what several networks together say of one part."""
    if found == {Verdict.NOT_COVERED}:
        return Verdict.NOT_COVERED
    return next(verdict for verdict in BY_WEIGHT if verdict in found)


def _of_all(found: set[Verdict]) -> Verdict:
    """Return what several parts together say of their site."""
    if Verdict.NOT_COVERED in found:
        return Verdict.NOT_COVERED
    if len(found) == 1:
        return next(iter(found))
    # Somewhere something is known, so that the site is not untested.
    found = {Verdict.INSUFFICIENT if v is Verdict.UNTESTED else v for v in found}
    return next(verdict for verdict in BY_WEIGHT[1:] if verdict in found)
