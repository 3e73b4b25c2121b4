"""From findings to rows: one per site, operator and technology, and one where nothing was measured."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

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
from phusong.verifier.coverage.quarantine import quarantined_of, with_quarantine
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


class JudgedRow(NamedTuple):
    """A row as the evidence alone has it, whatever base stations say and however much is quarantined."""

    row: SiteVerdict
    # What it is instead where a base station claims to have been on air in the span in which SIMs were without service.
    if_claimed: SiteVerdict | None = None
    span_ms: tuple[int, int] = (0, 0)


JudgedRows = dict[RowKey, JudgedRow]


def judge_sites(
    ground: Ground, evidence: Evidence, cells: CellState, as_of_ms: int
) -> list[SiteVerdict]:
    """Return all rows, ordered by site, operator and technology."""
    judged = judge_rows(ground, evidence, as_of_ms, range(len(ground.sites.sites)))
    quarantined = quarantined_of(ground, evidence.quarantine, as_of_ms)
    return told_rows(ground, judged, cells.site_claims(as_of_ms), quarantined)


def judge_rows(
    ground: Ground, evidence: Evidence, as_of_ms: int, sites: Collection[int]
) -> JudgedRows:
    """Return what the evidence of some sites says of them.

    Evidence within its validity decides. Where there is none, or not enough, older evidence that once proved
    coverage makes the row STALE.
    """
    policy = ground.policy
    valid_from_ms = as_of_ms - policy.time.validity_days * DAY_MS
    is_known, is_valid = bins_in_time(evidence, valid_from_ms, as_of_ms)
    fresh = _rows_of(ground, evidence, is_known & is_valid)
    old = _rows_of(ground, evidence, is_known & ~is_valid)
    rows = {key: _expired_row(judged, policy) for key, judged in old.items()}
    for key, judged in fresh.items():
        was_covered = key in old and old[key].row.verdict is Verdict.COVERED
        if not (was_covered and judged.row.verdict is Verdict.INSUFFICIENT):
            rows[key] = judged
    return rows | _untested_rows(ground, evidence, as_of_ms, set(rows), sites)


def told_rows(
    ground: Ground,
    judged: JudgedRows,
    claims: Mapping[ClaimKey, SiteClaim],
    quarantined: Counter[RowKey],
) -> list[SiteVerdict]:
    """Return rows as they are told: beside what base stations claim and what is set aside."""
    rows = {}
    for key, (row, if_claimed, span_ms) in judged.items():
        is_contradicted = if_claimed is not None and is_claimed_within(claims, row, *span_ms)
        told = if_claimed if is_contradicted and if_claimed is not None else row
        rows[key] = with_claim(told, claim_of(claims, key.rat, told))
    rows = with_quarantine(rows, quarantined)
    order = {rat: rank for rank, rat in enumerate(ground.policy.counted_rats)}
    return [rows[key] for key in sorted(rows, key=lambda k: (k.site, k.operator, order[k.rat]))]


def _rows_of(ground: Ground, evidence: Evidence, is_chosen: BoolColumn) -> JudgedRows:
    survey = survey_bins(evidence.keys, evidence.counts, is_chosen, ground.policy)
    sample, findings = judge_parts(survey, ground.footprints, ground.policy, ground.sources)
    by_row: dict[RowKey, list[PartFinding]] = defaultdict(list)
    for finding in findings:
        by_row[row_key(ground, survey, finding.group)].append(finding)
    counts = site_counts(ground, survey, sample, by_row)
    levels = medians(survey, by_row)
    rows = {}
    for key, parts in by_row.items():
        row = _row_of(ground, survey, sample, key, parts)
        row = replace(row, counts=counts[key], median_level_dbm=levels[key])
        silent = sum(int(survey.groups.silent_bin_count[p.group]) for p in parts)
        judged = JudgedRow(row)
        if contradicts_claim(row.verdict, silent, counts[key].bins):
            group = [finding.group for finding in parts]
            first_ms = int(survey.groups.first_time_ms[group].min())
            last_ms = int(survey.groups.last_time_ms[group].max())
            judged = JudgedRow(row, _contradicted(row), (first_ms, last_ms))
        rows[key] = judged
    return rows


def _expired_row(judged: JudgedRow, policy: Policy) -> JudgedRow:
    claimed = judged.if_claimed
    return JudgedRow(
        _expired(judged.row, policy),
        None if claimed is None else _expired(claimed, policy),
        judged.span_ms,
    )


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
    ground: Ground,
    evidence: Evidence,
    as_of_ms: int,
    tested: set[RowKey],
    sites: Collection[int],
) -> JudgedRows:
    """Return a row for every responsible operator of some sites of whom nothing that counts was measured."""
    policy = ground.policy
    aside = asides_of(ground, evidence, as_of_ms)
    done = {(key.site, key.operator) for key in tested}
    first = policy.counted_rats[0]
    rows = {}
    for number in sites:
        site = ground.sites.sites[number]
        for operator in site.operators:
            if (number, operator) in done:
                continue
            parts = _missing_parts(ground, number, set())
            row = SiteVerdict(
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
            rows[RowKey(number, operator, first)] = JudgedRow(row)
    return rows


def _identity(site: Site) -> dict[str, Any]:
    return {
        "site_code": site.code,
        "name": site.name,
        "province_code": site.province_code,
        "list": site.list,
    }
