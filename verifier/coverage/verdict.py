"""The rule: from what was surveyed to what is known. The only module that decides.

The verdict is about places, not about readings: what they prove is said in `sample`.
"""

from dataclasses import dataclass

import numpy as np

from phusong.verifier.coverage import wording
from phusong.verifier.coverage.agreement import strata_disagree
from phusong.verifier.coverage.footprint import Footprints, places_without, squares_without
from phusong.verifier.coverage.policy import Policy
from phusong.verifier.coverage.records import Verdict
from phusong.verifier.coverage.sample import Sample, places_to_decide, sample_places
from phusong.verifier.coverage.senders import DeviceSources
from phusong.verifier.coverage.survey import Survey


@dataclass(frozen=True, slots=True)
class PartFinding:
    """What is known of one part for one operator and technology."""

    part: int
    verdict: Verdict
    lower_bound: float
    upper_bound: float
    group: int
    missing: tuple[str, ...]


def judge_parts(
    survey: Survey, footprints: Footprints, policy: Policy, sources: DeviceSources
) -> tuple[Sample, list[PartFinding]]:
    """Return the sample and the finding of each group of a survey."""
    sample = sample_places(survey, footprints, policy)
    device = survey.stays.device_key
    is_split = strata_disagree(survey, device, policy)
    is_split |= strata_disagree(survey, sources.strata(device), policy)
    findings = [
        _judge_part(survey, sample, group, footprints, policy, is_split=is_split)
        for group, is_split in enumerate(is_split.tolist())
    ]
    return sample, findings


def judge_site(findings: list[PartFinding], part_count: int) -> Verdict:
    """Return the verdict of a site from those of its surveyed parts: covered only when every part is."""
    verdicts = {finding.verdict for finding in findings}
    if len(findings) < part_count:
        verdicts.add(Verdict.INSUFFICIENT)
    for worst in (Verdict.NOT_COVERED, Verdict.CONFLICTED, Verdict.INSUFFICIENT):
        if worst in verdicts:
            return worst
    return Verdict.COVERED


def contradicts_claim(verdict: Verdict, silent_bin_count: int, bin_count: int) -> bool:
    """Tell whether SIMs were mostly without service where a base station says that it is on air."""
    return verdict is Verdict.NOT_COVERED and 2 * silent_bin_count > bin_count


def _judge_part(
    survey: Survey,
    sample: Sample,
    group: int,
    footprints: Footprints,
    policy: Policy,
    *,
    is_split: bool,
) -> PartFinding:
    lower, upper = float(sample.lower_bound[group]), float(sample.upper_bound[group])
    missing = wording.missing_evidence(survey.groups, sample, group, policy)
    if missing:
        missing += _where(survey, sample, group, footprints, policy)
    asked = policy.share.permille / 1000
    if missing:
        verdict = Verdict.INSUFFICIENT
    elif is_split:
        verdict = Verdict.CONFLICTED
        missing = (wording.more_devices(),)
    elif lower >= asked:
        verdict = Verdict.COVERED
    elif upper < asked:
        verdict = Verdict.NOT_COVERED
    else:
        verdict = Verdict.INSUFFICIENT
        more = places_to_decide(sample, group, policy)
        missing = (wording.more_certain(),)
        if more:
            where = _where(survey, sample, group, footprints, policy)
            missing = (wording.more_places(more), *where)
    part = int(survey.groups.part[group])
    if len(footprints.names) > 1 and _has_siblings(part, footprints):
        missing = tuple(wording.in_part(footprints.names[part], words) for words in missing)
    return PartFinding(part, verdict, lower, upper, group, missing)


def _where(
    survey: Survey, sample: Sample, group: int, footprints: Footprints, policy: Policy
) -> tuple[str, ...]:
    """Return where to go: squares nobody entered, and else place cells nobody surveyed; nowhere after a census."""
    square_cells = policy.place.cluster_size_m // policy.place.cell_size_m
    first, end = np.searchsorted(survey.places.group, (group, group + 1))
    east, north = survey.places.cell_east[first:end], survey.places.cell_north[first:end]
    part = int(survey.groups.part[group])
    middles = squares_without(footprints, part, east, north, square_cells)
    if middles:
        return (wording.where_nobody_was(middles, policy.place.cluster_size_m),)
    if sample.place_count[group] == sample.population_count[group]:
        return ()
    middles = places_without(footprints, part, east, north, square_cells)
    return (wording.where_not_surveyed(middles, policy.place.cell_size_m),)


def _has_siblings(part: int, footprints: Footprints) -> bool:
    site = footprints.site_row[part]
    return int(footprints.part_start[site + 1] - footprints.part_start[site]) > 1
