"""On which day each row was first proven to be covered, by the rule of the present policy and all that is known.

A verdict is not rising: what was proven in October may be refuted in December. So days are looked at one by one, but only
those on which the evidence of a row changed, all rows at once, and bounds are looked at before the whole rule.
"""

from collections import defaultdict
from collections.abc import Callable, Collection

import numpy as np

from phusong.kernels.columns import BoolColumn, Int64Column
from phusong.kernels.days import DAY_MS, ICT_OFFSET_MS
from phusong.verifier.coverage.figures import Evidence, Ground, RowKey
from phusong.verifier.coverage.records import Verdict
from phusong.verifier.coverage.sample import sample_places
from phusong.verifier.coverage.survey import Survey, day_of_window, survey_bins
from phusong.verifier.coverage.verdict import PartFinding, judge_parts, judge_site

DAY_BITS = 32  # of a number that holds a row and a day


def first_verified_days(
    ground: Ground,
    evidence: Evidence,
    as_of_ms: int,
    is_wanted: BoolColumn,
    served: Callable[[Collection[RowKey], int], set[RowKey]],
) -> dict[RowKey, int]:
    """Return, of rows that were ever COVERED, the first Vietnam day (since 1970-01-01) on whose evidence they were.

    is_wanted: by site. served: of rows, those whose tests of the service were as asked by a time, too. Windows divide the day, so the bins of a day are those of all before its end.
    """
    keys, counts, policy = evidence.keys, evidence.counts, ground.policy
    site = ground.footprints.site_row[keys.part]
    row, row_keys = _rows_of(ground, site, keys.operator, keys.rat)
    is_candidate = is_wanted[site] & (counts.first_time_ms <= as_of_ms)
    days = _days_of_change(ground, evidence, row, is_candidate, as_of_ms)
    found: dict[RowKey, int] = {}
    for turn in range(max(map(len, days.values()), default=0)):
        day = np.full(len(row_keys), -1, np.int64)
        for number, changed in days.items():
            if turn < len(changed) and row_keys[number] not in found:
                day[number] = changed[turn]
        until_ms = np.minimum((day + 1) * DAY_MS - ICT_OFFSET_MS - 1, as_of_ms)[row]
        is_chosen = is_candidate & (day[row] >= 0) & (counts.first_time_ms <= until_ms)
        is_chosen &= counts.last_time_ms > until_ms - policy.time.validity_days * DAY_MS
        covered: defaultdict[int, list[RowKey]] = defaultdict(list)
        for number in _covered_rows(ground, evidence, is_chosen, row):
            covered[int(day[number])].append(row_keys[number])
        for proven_on, keys_then in covered.items():
            last_ms = min((proven_on + 1) * DAY_MS - ICT_OFFSET_MS - 1, as_of_ms)
            found |= dict.fromkeys(served(keys_then, last_ms), proven_on)
    return found


def _rows_of(
    ground: Ground, site: Int64Column, operator: Int64Column, rat: Int64Column
) -> tuple[Int64Column, list[RowKey]]:
    """Return for each bin the number of its row, from 0, and the rows."""
    columns = np.stack((site, operator, rat), axis=1)
    rows, number = np.unique(columns, axis=0, return_inverse=True)
    named = [RowKey(s, ground.operators[o], t) for s, o, t in rows.tolist()]
    return number.reshape(-1), named


def _days_of_change(
    ground: Ground,
    evidence: Evidence,
    row: Int64Column,
    is_candidate: BoolColumn,
    as_of_ms: int,
) -> dict[int, list[int]]:
    """Return the days on which evidence came or expired, by row, without those before there can be enough."""
    policy = ground.policy
    day = day_of_window(evidence.keys.window, policy)
    expired_ms = evidence.counts.last_time_ms + policy.time.validity_days * DAY_MS
    went = (expired_ms + ICT_OFFSET_MS) // DAY_MS
    came = np.unique((row << DAY_BITS | day)[is_candidate]).tolist()
    gone = np.unique((row << DAY_BITS | went)[is_candidate & (expired_ms <= as_of_ms)]).tolist()
    days: defaultdict[int, list[int]] = defaultdict(list)
    for both in came:
        days[both >> DAY_BITS].append(both & ((1 << DAY_BITS) - 1))
    found = {n: mine[policy.minimum.days - 1 :] for n, mine in days.items()}
    for both in gone:
        number, last = both >> DAY_BITS, both & ((1 << DAY_BITS) - 1)
        if found[number] and last > found[number][0]:
            found[number].append(last)
    return {number: sorted(set(mine)) for number, mine in found.items()}


def _covered_rows(
    ground: Ground, evidence: Evidence, is_chosen: BoolColumn, row: Int64Column
) -> list[int]:
    """Return the numbers of the rows that the chosen bins prove to be covered."""
    footprints, policy = ground.footprints, ground.policy
    chosen = np.flatnonzero(is_chosen)
    survey = survey_bins(evidence.keys, evidence.counts, is_chosen, policy)
    sample = sample_places(survey, footprints, policy)
    is_high = sample.lower_bound >= policy.share.permille / 1000
    if not is_high.any():
        return []
    # The whole rule only for what its bounds may prove.
    is_promising = np.zeros(len(is_chosen), np.bool_)
    is_promising[chosen[is_high[survey.bin_group]]] = True
    survey = survey_bins(evidence.keys, evidence.counts, is_promising, policy)
    number = row[np.flatnonzero(is_promising)[_first_bins(survey)]]
    _, findings = judge_parts(survey, footprints, policy, ground.sources)
    rows: defaultdict[int, list[PartFinding]] = defaultdict(list)
    for finding in findings:
        rows[int(number[finding.group])].append(finding)
    part_count = np.diff(footprints.part_start)
    return [
        number
        for number, mine in rows.items()
        if judge_site(mine, int(part_count[footprints.site_row[mine[0].part]])) is Verdict.COVERED
    ]


def _first_bins(survey: Survey) -> Int64Column:
    """Return for each group of a survey the place of its first bin."""
    return np.searchsorted(survey.bin_group, np.arange(len(survey.groups.part)))
