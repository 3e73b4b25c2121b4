"""From findings to rows: one per site, operator and technology, and one where nothing was measured."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from phusong.kernels.columns import BoolColumn
from phusong.kernels.days import DAY_MS
from phusong.kernels.radio import RAT_NAMES
from phusong.verifier.coverage import wording
from phusong.verifier.coverage.cells import CellState, ClaimKey
from phusong.verifier.coverage.claims import SiteClaim
from phusong.verifier.coverage.figures import (
    Evidence,
    Ground,
    RowKey,
    asides_of,
    bins_in_time,
    medians,
    row_key,
    site_counts,
)
from phusong.verifier.coverage.milestones import claim_of, is_claimed_within, with_claim
from phusong.verifier.coverage.policy import Policy
from phusong.verifier.coverage.records import Counts, PartVerdict, SiteVerdict, Verdict
from phusong.verifier.coverage.sample import Sample
from phusong.verifier.coverage.survey import Survey, survey_bins
from phusong.verifier.coverage.verdict import (
    PartFinding,
    contradicts_claim,
    judge_parts,
    judge_site,
)
from phusong.verifier.registry.sites import Site

# What a part is worth once all its evidence has expired.
EXPIRED = {
    Verdict.COVERED: Verdict.STALE,
    Verdict.NOT_COVERED: Verdict.INSUFFICIENT,
    Verdict.CONFLICTED: Verdict.INSUFFICIENT,
}

NOTHING = Counts(raw=0, bins=0, clusters=0, effective=0.0, devices=0, windows=0, days=0)


def judge_sites(
    ground: Ground, evidence: Evidence, cells: CellState, as_of_ms: int
) -> list[SiteVerdict]:
    """Return all rows, ordered by site, operator and technology.

    Evidence within its validity decides. Where there is none, or not enough, older evidence that once proved
    coverage makes the row STALE.
    """
    policy = ground.policy
    valid_from_ms = as_of_ms - policy.time.validity_days * DAY_MS
    is_known, is_valid = bins_in_time(evidence, valid_from_ms, as_of_ms)
    claims = cells.site_claims(as_of_ms)
    fresh = _rows_of(ground, evidence, claims, is_known & is_valid, (valid_from_ms, as_of_ms))
    old = _rows_of(ground, evidence, claims, is_known & ~is_valid, (0, valid_from_ms))
    rows = {key: _expired(row, policy) for key, row in old.items()}
    for key, row in fresh.items():
        was_covered = key in old and old[key].verdict is Verdict.COVERED
        if not (was_covered and row.verdict is Verdict.INSUFFICIENT):
            rows[key] = row
    rows |= _untested_rows(ground, evidence, as_of_ms, set(rows))
    rows = {key: with_claim(row, claim_of(claims, key.rat, row)) for key, row in rows.items()}
    order = {rat: rank for rank, rat in enumerate(policy.counted_rats)}
    return [rows[key] for key in sorted(rows, key=lambda k: (k.site, k.operator, order[k.rat]))]


def _rows_of(
    ground: Ground,
    evidence: Evidence,
    claims: Mapping[ClaimKey, SiteClaim],
    is_chosen: BoolColumn,
    span_ms: tuple[int, int],
) -> dict[RowKey, SiteVerdict]:
    survey = survey_bins(evidence.keys, evidence.counts, is_chosen, ground.policy)
    sample, findings = judge_parts(survey, ground.footprints, ground.policy, ground.sources)
    by_row: dict[RowKey, list[PartFinding]] = defaultdict(list)
    for finding in findings:
        by_row[row_key(ground, survey, finding.group)].append(finding)
    counts = site_counts(ground, survey, sample, by_row)
    levels = medians(ground, evidence, span_ms)
    rows = {}
    for key, parts in by_row.items():
        row = _row_of(ground, survey, sample, key, parts)
        silent = sum(int(survey.groups.silent_bin_count[p.group]) for p in parts)
        if contradicts_claim(row.verdict, silent, counts[key].bins):
            group = [finding.group for finding in parts]
            first_ms = int(survey.groups.first_time_ms[group].min())
            if is_claimed_within(
                claims, row, first_ms, int(survey.groups.last_time_ms[group].max())
            ):
                row = _contradicted(row)
        rows[key] = replace(row, counts=counts[key], median_level_dbm=levels.get(key))
    return rows


def _row_of(
    ground: Ground, survey: Survey, sample: Sample, key: RowKey, findings: list[PartFinding]
) -> SiteVerdict:
    site, names = ground.sites.sites[key.site], ground.footprints.names
    verdict = judge_site(findings, len(site.parts))
    worst = min(findings, key=lambda f: (f.verdict is not verdict, f.lower_bound, f.part))
    reason = wording.verdict_reason(verdict, sample, survey.groups, worst.group, ground.policy)
    if len(site.parts) > 1:
        reason = wording.in_part(names[worst.part], reason)
    if key.operator not in site.operators:
        reason += wording.not_responsible(key.operator)
    missing = [words for finding in findings for words in finding.missing]
    missing += _missing_parts(ground, key.site, {finding.part for finding in findings})
    group = [finding.group for finding in findings]
    return SiteVerdict(
        **_identity(site),
        operator=key.operator,
        technology=RAT_NAMES[key.rat],
        verdict=verdict,
        reason=reason,
        counts=NOTHING,
        design_effect=round(float(sample.design_effect[worst.group]), 3),
        share=round(float(sample.share[worst.group]), 6),
        lower_bound=worst.lower_bound,
        upper_bound=worst.upper_bound,
        median_level_dbm=None,
        first_observed=wording.time_text(int(survey.groups.first_time_ms[group].min())),
        last_observed=wording.time_text(int(survey.groups.last_time_ms[group].max())),
        missing=tuple(missing),
        parts=tuple(_parts_of(ground, key.site, sample, findings)),
    )


def _parts_of(
    ground: Ground, site: int, sample: Sample | None, findings: list[PartFinding]
) -> Iterator[PartVerdict]:
    """Yield what is known of each part of a site, also of those that nobody surveyed."""
    footprints = ground.footprints
    of_part = {finding.part: finding for finding in findings}
    for part in range(int(footprints.part_start[site]), int(footprints.part_start[site + 1])):
        place_count, name = int(footprints.place_count[part]), footprints.names[part]
        found = of_part.get(part)
        if found is None or sample is None:
            yield PartVerdict(name, Verdict.UNTESTED, place_count, 0, None, None, None)
            continue
        yield PartVerdict(
            part=name,
            verdict=found.verdict,
            place_count=place_count,
            surveyed_count=int(sample.place_count[found.group]),
            share=round(float(sample.share[found.group]), 6),
            lower_bound=found.lower_bound,
            upper_bound=found.upper_bound,
        )


def _with_parts(row: SiteVerdict, changed: Mapping[Verdict, Verdict]) -> tuple[PartVerdict, ...]:
    """Return the parts of a row with other verdicts in place of some."""
    return tuple(replace(p, verdict=changed.get(p.verdict, p.verdict)) for p in row.parts)


def _missing_parts(ground: Ground, site: int, surveyed: set[int]) -> Iterator[str]:
    footprints, policy = ground.footprints, ground.policy
    parts = range(int(footprints.part_start[site]), int(footprints.part_start[site + 1]))
    for part in parts:
        if part in surveyed:
            continue
        place_count = int(footprints.place_count[part])
        words = wording.too_small(policy.place.cell_size_m)
        if place_count:
            words = wording.unsurveyed(place_count, policy)
        yield wording.in_part(footprints.names[part], words) if len(parts) > 1 else words


def _contradicted(row: SiteVerdict) -> SiteVerdict:
    return replace(
        row,
        verdict=Verdict.CONFLICTED,
        reason=row.reason + wording.claimed_on_air(),
        missing=(*row.missing, wording.claim_to_explain()),
        parts=_with_parts(row, {Verdict.NOT_COVERED: Verdict.CONFLICTED}),
    )


def _expired(row: SiteVerdict, policy: Policy) -> SiteVerdict:
    """Return what a row is worth once all its evidence has expired."""
    verdict = Verdict.STALE if row.verdict is Verdict.COVERED else Verdict.INSUFFICIENT
    return replace(
        row,
        verdict=verdict,
        reason=row.reason + wording.expired(verdict, policy),
        missing=(*row.missing, wording.renew(policy)),
        parts=_with_parts(row, EXPIRED),
    )


def _untested_rows(
    ground: Ground, evidence: Evidence, as_of_ms: int, tested: set[RowKey]
) -> dict[RowKey, SiteVerdict]:
    """Return a row for every responsible operator of whom nothing that counts was measured."""
    policy = ground.policy
    aside = asides_of(ground, evidence, as_of_ms)
    done = {(key.site, key.operator) for key in tested}
    first = policy.counted_rats[0]
    rows = {}
    for number, site in enumerate(ground.sites.sites):
        for operator in site.operators:
            if (number, operator) in done:
                continue
            parts = _missing_parts(ground, number, set())
            rows[RowKey(number, operator, first)] = SiteVerdict(
                **_identity(site),
                operator=operator,
                technology=RAT_NAMES[first],
                verdict=Verdict.UNTESTED,
                reason=wording.untested_reason(operator, aside[number, operator], policy),
                counts=NOTHING,
                design_effect=None,
                share=None,
                lower_bound=None,
                upper_bound=None,
                median_level_dbm=None,
                first_observed=None,
                last_observed=None,
                missing=tuple(parts),
                parts=tuple(_parts_of(ground, number, None, [])),
            )
    return rows


def _identity(site: Site) -> dict[str, Any]:
    return {
        "site_code": site.code,
        "name": site.name,
        "province_code": site.province_code,
        "list": site.list,
    }
