"""Whether downloads, delays and access are as the policy asks: shown always, part of the verdict where it says so.

The same statistics as for the level: each surveyed place weighs the same, squares are clusters, bounds are one-sided. A
sample stands where a bin stands there.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from phusong.kernels.bin_records import FLOOR_COUNT
from phusong.kernels.bins import BinCounts, BinKeys
from phusong.kernels.columns import BoolColumn, Int64Column
from phusong.kernels.days import DAY_MS, ICT_OFFSET_MS
from phusong.kernels.radio import RAT_NAMES
from phusong.kernels.samples import mark_spaced
from phusong.verifier.coverage import service_wording
from phusong.verifier.coverage.figures import Ground, RowKey
from phusong.verifier.coverage.policy import Policy
from phusong.verifier.coverage.records import SiteVerdict, Standing, TestResult, Verdict
from phusong.verifier.coverage.sample import (
    Sample,
    Surveyed,
    bounds_of,
    places_to_decide,
    sample_places,
)
from phusong.verifier.coverage.service_samples import (
    HOUR_MS,
    SAMPLE_GAP_MS,
    US_PER_MS,
    Measure,
)
from phusong.verifier.coverage.survey import Survey, survey_bins
from phusong.verifier.coverage.terms import Service, ServiceFloor
from phusong.verifier.registry.sites import Site

PERMILLE = 1000
TIME_NEVER_US = 2**62  # no delay is as long


class _Samples(NamedTuple):
    """One row per sample, sorted by key."""

    part: Int64Column
    operator: Int64Column
    rat: Int64Column
    measure: Int64Column
    cell_east: Int64Column
    cell_north: Int64Column
    device_key: Int64Column
    slot: Int64Column
    time_ms: Int64Column
    value: Int64Column


Results = dict[RowKey, tuple[TestResult, ...]]


class ServiceTests(NamedTuple):
    """What `FirstSamples` exports, without the samples that do not count."""

    keys: Int64Column
    time_ms: Int64Column
    value: Int64Column


def bins_of(tests: ServiceTests, policy: Policy) -> BinKeys:
    """Return the bin in which each sample's reading lies."""
    part, operator, rat, _, east, north, device, _ = tests.keys.T.copy()
    window = (tests.time_ms + ICT_OFFSET_MS) // (policy.time.window_hours * HOUR_MS)
    return BinKeys(part, operator, rat, east, north, device, window)


def judge_service(ground: Ground, tests: ServiceTests, as_of_ms: int) -> Results:
    """Return what was tested of every site, operator and technology of which anything was, by a time."""
    keys, time_ms, value = tests
    from_ms = as_of_ms - ground.policy.time.validity_days * DAY_MS
    chosen = np.flatnonzero((time_ms <= as_of_ms) & (time_ms > from_ms))
    columns: list[Int64Column] = [*keys[chosen].T.copy(), time_ms[chosen], value[chosen]]
    found = _Samples(*columns)
    found = _rows(found, _is_spaced(found))
    rows: defaultdict[RowKey, list[TestResult]] = defaultdict(list)
    for measure in Measure:
        of_measure = _rows(found, found.measure == measure)
        for key, result in _judge_measure(ground, of_measure, measure):
            rows[key].append(result)
    return {key: tuple(results) for key, results in rows.items()}


def with_service(row: SiteVerdict, results: Iterable[TestResult], policy: Policy) -> SiteVerdict:
    """Return a row judged by its tests too, where the policy has them decide."""
    if policy.service is None or not policy.service.terms.decides:
        return row
    asked = _asked_of(policy.service, row.technology, row.province_code)
    found = [result for result in results if result.measure in asked]
    tested = {result.measure for result in found}
    missing = tuple(service_wording.untested(name) for name in asked if name not in tested)
    missing += tuple(words for result in found for words in result.missing)
    verdict = row.verdict
    is_refuted = any(result.standing is Standing.NOT_MET for result in found)
    if verdict in {Verdict.COVERED, Verdict.INSUFFICIENT} and is_refuted:
        verdict = Verdict.NOT_COVERED  # whatever the level will turn out to be
    elif verdict is Verdict.COVERED and missing:
        verdict = Verdict.INSUFFICIENT
    reason = row.reason + service_wording.decided(found, asked)
    parts = row.parts
    if verdict is not row.verdict:
        # Tests are told of the whole site, by its weakest part: of several parts none is refuted for another, and none is proven.
        worth = verdict if len(parts) == 1 else Verdict.INSUFFICIENT
        parts = tuple(
            replace(
                p, verdict=worth if p.verdict is Verdict.COVERED or len(parts) == 1 else p.verdict
            )
            for p in parts
        )
    missing = (*row.missing, *missing)
    return replace(row, verdict=verdict, reason=reason, missing=missing, parts=parts)


def is_served(results: Iterable[TestResult], site: Site, rat: int, policy: Policy) -> bool:
    """Tell whether everything the policy asks of tests was found."""
    if policy.service is None:
        return True
    met = {result.measure for result in results if result.standing is Standing.MET}
    return met >= set(_asked_of(policy.service, RAT_NAMES[rat], site.province_code))


def _asked_of(service: Service, technology: str, province_code: str) -> list[str]:
    """Return the measures that are asked of a technology in a province."""
    floor = service.floor(technology, province_code)
    names = ["access"]
    if floor and floor.latency_max_ms:
        names.insert(0, "latency")
    if floor and floor.download_min_bits_per_s:
        names.insert(0, "download")
    return names


def _judge_measure(
    ground: Ground, samples: _Samples, measure: Measure
) -> Iterable[tuple[RowKey, TestResult]]:
    """Yield the result of each row, of the part that decides it, the weakest."""
    policy = _policy_of(ground.policy, measure)
    bound, is_met = _bounds_of(ground, samples, measure)
    survey = survey_bins(*_as_bins(samples, is_met), np.ones(len(is_met), np.bool_), policy)
    sample = sample_places(survey, ground.footprints, policy)
    if measure is Measure.ACCESS:
        sample = _by_attempts(sample, policy)
    first = np.searchsorted(survey.bin_group, np.arange(len(survey.groups.part)))
    last = np.append(first[1:], len(samples.part))
    worst: dict[RowKey, TestResult] = {}
    parts: defaultdict[RowKey, int] = defaultdict(int)
    for group, part in enumerate(survey.groups.part.tolist()):
        rows = slice(int(first[group]), int(last[group]))
        site = int(ground.footprints.site_row[part])
        operator = ground.operators[int(survey.groups.operator[group])]
        key = RowKey(site, operator, int(survey.groups.rat[group]))
        result = _result_of(
            (survey, sample, group), samples.value[rows], int(bound[rows.start]), measure, policy
        )
        if len(ground.sites.sites[site].parts) > 1:
            name = ground.footprints.names[part]
            result = replace(result, missing=tuple(f"part {name}: {w}" for w in result.missing))
        parts[key] += 1
        known = worst.get(key)
        if known is None or result.lower_bound < known.lower_bound:
            worst[key] = result
    for key, result in worst.items():
        lacking = len(ground.sites.sites[key.site].parts) - parts[key]
        yield key, _with_lack(result, lacking)


def _by_attempts(sample: Sample, policy: Policy) -> Sample:
    """Return a sample whose bounds are of attempts: one in ten failing everywhere fails nowhere by the majority of a place."""
    repeats = sample.repeats._replace(majority_gain=np.zeros(len(sample.share)))
    found = Surveyed(
        sample.share, sample.design_effect, sample.place_count, sample.population_count
    )
    lower, upper = bounds_of(found, repeats, policy)
    return sample._replace(lower_bound=lower, upper_bound=upper, repeats=repeats)


def _result_of(
    place: tuple[Survey, Sample, int],
    value: Int64Column,
    bound: int,
    measure: Measure,
    policy: Policy,
) -> TestResult:
    survey, sample, group = place
    lower, upper = float(sample.lower_bound[group]), float(sample.upper_bound[group])
    count = int(survey.groups.bin_count[group])
    asked = policy.share.permille / PERMILLE
    standing = Standing.NOT_ASKED
    missing: tuple[str, ...] = ()
    if bound:
        short = 0
        if measure is Measure.ACCESS and policy.service is not None:
            short = max(policy.service.terms.access_samples_min - count, 0)
        if short:
            standing, missing = Standing.OPEN, (service_wording.more_attempts(short, count),)
        elif lower >= asked:
            standing = Standing.MET
        elif upper < asked:
            standing = Standing.NOT_MET
        else:
            more = places_to_decide(sample, group, policy)
            words = service_wording.more_tests(measure.name.lower(), more)
            standing, missing = Standing.OPEN, (words,)
    unit = US_PER_MS if measure is Measure.LATENCY else 1
    middle = int(np.sort(value)[(len(value) - 1) // 2])
    return TestResult(
        measure=measure.name.lower(),
        standing=standing,
        bound=abs(bound) // unit if bound and measure is not Measure.ACCESS else None,
        sample_count=count,
        place_count=int(sample.place_count[group]),
        device_count=int(survey.groups.device_count[group]),
        median=None if measure is Measure.ACCESS else abs(middle) // unit,
        share=round(float(sample.share[group]), 6),
        lower_bound=lower,
        upper_bound=upper,
        missing=missing,
    )


def _with_lack(result: TestResult, part_count: int) -> TestResult:
    """Return a result that is open where parts of the site were not tested at all."""
    if not part_count or result.standing in {Standing.NOT_ASKED, Standing.NOT_MET}:
        return result
    words = service_wording.untested_parts(result.measure, part_count)
    return replace(result, standing=Standing.OPEN, missing=(*result.missing, words))


def _policy_of(policy: Policy, measure: Measure) -> Policy:
    """Return the policy with the share that is asked of a measure in place of that of the level."""
    if policy.service is None:
        return policy
    terms = policy.service.terms
    permille = terms.share_permille
    if measure is Measure.ACCESS:
        permille = PERMILLE - terms.access_failure_permille_max
    return replace(policy, share=replace(policy.share, permille=permille))


def _bounds_of(
    ground: Ground, samples: _Samples, measure: Measure
) -> tuple[Int64Column, BoolColumn]:
    """Return the bound of each sample, 0 where none is asked, and whether it is met; where none is, all that came through meet it."""
    service, sites = ground.policy.service, ground.sites.sites
    site = ground.footprints.site_row[samples.part]
    bound = np.zeros(len(site), np.int64)
    if service is not None and measure is Measure.ACCESS:
        bound[:] = 1
    elif service is not None:
        pairs, place = np.unique(np.stack((site, samples.rat), 1), axis=0, return_inverse=True)
        found = [
            _bound(service.floor(RAT_NAMES[rat], sites[row].province_code), measure)
            for row, rat in pairs.tolist()
        ]
        bound = np.array(found, np.int64)[place.reshape(-1)] if found else bound
    lowest = -TIME_NEVER_US if measure is Measure.LATENCY else 1
    return bound, samples.value >= np.where(bound == 0, lowest, bound)


def _bound(floor: ServiceFloor | None, measure: Measure) -> int:
    if floor is None:
        return 0
    if measure is Measure.DOWNLOAD:
        return floor.download_min_bits_per_s
    return -US_PER_MS * floor.latency_max_ms


def _is_spaced(samples: _Samples) -> BoolColumn:
    """Tell which samples to keep so that those of a device lie far enough apart."""
    columns = (samples.device_key, samples.rat, samples.operator, samples.part, samples.measure)
    order = np.lexsort((samples.time_ms, *columns))
    is_new = np.zeros(len(order), np.int64)
    for column in columns:
        is_new[1:] |= column[order][1:] != column[order][:-1]
    kept = np.zeros(len(order), np.int64)
    mark_spaced(np.cumsum(is_new), samples.time_ms[order], SAMPLE_GAP_MS, kept)
    is_kept = np.zeros(len(order), np.bool_)
    is_kept[order] = kept == 1
    return is_kept


def _rows(samples: _Samples, mask: BoolColumn) -> _Samples:
    return _Samples(*(column[mask] for column in samples))


def _as_bins(samples: _Samples, is_met: BoolColumn) -> tuple[BinKeys, BinCounts]:
    """Return samples as bins of one reading; the slot stands for the window, so that each sample counts."""
    size = len(is_met)
    nothing = dict.fromkeys(BinCounts._fields, np.zeros(size, np.int64))
    met = np.zeros((size, FLOOR_COUNT), np.int64)
    met[:, 0] = is_met
    counts = {
        "heard_count": np.ones(size, np.int64),
        "met_count": met,
        "first_time_ms": samples.time_ms,
        "last_time_ms": samples.time_ms,
    }
    keys = BinKeys(
        *(samples.part, samples.operator, samples.rat),
        *(samples.cell_east, samples.cell_north, samples.device_key, samples.slot),
    )
    return keys, BinCounts(**(nothing | counts))
