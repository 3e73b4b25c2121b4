"""Compliance of a day in both directions, per operator and province: the pupils could use it, and it stopped.

Pure: columns and decisions in, rows out. A SIM is never named. What cannot be told is None, and never counted as kept.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from phusong.kernels.columns import BoolColumn, Int64Column
from phusong.kernels.days import DAY_MS, day_start_ms

# What one SIM can draw where the plan's own numbers are made (DOMAIN §3): 100 Mbit/s.
RATE_BYTES_PER_S = 12_500_000
DAY_S = DAY_MS // 1000
STAGES = ("crossed", "arrived", "decided", "sent", "acknowledged", "verified")


class Finding(StrEnum):
    """What was promised and not kept."""

    EARLY_CUT = "EARLY_CUT"
    ZERO_RATED_CHARGED = "ZERO_RATED_CHARGED"
    NOT_PROVISIONED = "NOT_PROVISIONED"
    NO_COVERAGE = "NO_COVERAGE"
    OVER_PREDICTED = "OVER_PREDICTED"
    USE_AFTER_WINDOW = "USE_AFTER_WINDOW"
    UNVERIFIED_CUT = "UNVERIFIED_CUT"


class SimFacts(NamedTuple):
    """One entry a SIM that is registered, or was heard of on the day. operator, province: numbers of names."""

    subscriber_key: Int64Column
    operator: Int64Column
    province: Int64Column
    is_entitled: BoolColumn
    is_heard: BoolColumn  # on the day
    was_heard: BoolColumn  # on the day or an earlier one of its entitlement
    determinate_bytes: Int64Column
    charged_bytes: (
        Int64Column  # of groups that were free that day, and which the operator's own class was not
    )
    after_window_bytes: Int64Column  # of a registered SIM outside its months

    def where(self, chosen: Int64Column) -> "SimFacts":
        """Return some of the entries."""
        columns: Any = (column[chosen] for column in self)
        return SimFacts(*columns)


class CutFacts(NamedTuple):
    """One cut or throttle of the day. Times are Unix ms, None for never (yet); `restored_ms` is of the restore after it."""

    subscriber_key: int  # int64 bits
    crossed_ms: int
    arrived_ms: int | None
    decided_ms: int
    sent_ms: int | None
    acknowledged_ms: int | None
    verified_ms: int | None
    restored_ms: int | None


class DayFacts(NamedTuple):
    """Everything a day is judged by. Sites and intervals by operator and province, and by operator."""

    ict_day: int
    quota_bytes: int
    sims: SimFacts
    cuts: list[CutFacts]
    operators: list[str]
    provinces: list[str]
    covered_sites: dict[tuple[str, str], tuple[int, int]]  # covered by the operator, and listed
    report_interval_s: dict[str, int]


@dataclass(frozen=True, slots=True)
class Spread:
    """How a quantity is spread, by nearest rank; None where there is none of it."""

    count: int
    p50: int | None = None
    p95: int | None = None
    p99: int | None = None
    max: int | None = None


@dataclass(frozen=True, slots=True)
class ComplianceRow:
    """One operator in one province on one day. Shares are permille of entitled SIMs that were heard of."""

    operator: str
    province_code: str
    entitled_sims: int
    heard_sims: int
    # It could be used.
    early_cuts: int
    denied_s: int
    zero_rated_charged_bytes: int
    not_provisioned_sims: int
    telemetry_gap_sims: int
    sites_listed: int
    sites_covered: int
    sim_days_without_coverage: int | None
    # It stopped.
    sims_over: int
    over_permille: int | None
    overshoot_bytes: Spread
    report_interval_s: int | None
    predicted_overshoot_bytes: int | None
    latency_ms: dict[str, Spread] = field(default_factory=dict)
    after_window_sims: int = 0
    after_window_bytes: int = 0
    cuts: int = 0
    unverified_cuts: int = 0
    network_bytes: int | None = None  # no source reports a total of its network yet
    findings: tuple[Finding, ...] = ()


def spread_of(values: list[int]) -> Spread:
    """Return how values are spread: the smallest of them that so many percent do not exceed."""
    if not values:
        return Spread(0)
    ordered = sorted(values)
    p50, p95, p99 = (ordered[-(-len(ordered) * percent // 100) - 1] for percent in (50, 95, 99))
    return Spread(len(ordered), p50, p95, p99, ordered[-1])


def compliance(facts: DayFacts) -> list[ComplianceRow]:
    """Return a row for every operator and province that has SIMs, by name."""
    sims = facts.sims
    # Grouped by one sort: a mask for each of some hundred groups would be a pass over a million SIMs each.
    place = sims.operator * len(facts.provinces) + sims.province
    order = np.argsort(place, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(place[order]) != 0][: len(order)]).tolist()
    by_key: dict[int, list[CutFacts]] = {}
    for cut in facts.cuts:
        by_key.setdefault(cut.subscriber_key, []).append(cut)
    is_cut = np.isin(sims.subscriber_key, list(by_key))
    rows = []
    for start, end in pairwise([*starts, len(order)]):
        chosen = order[start:end]
        group = sims.where(chosen)
        operator = facts.operators[int(group.operator[0])]
        province = facts.provinces[int(group.province[0])]
        cut_keys = group.subscriber_key[is_cut[chosen]].tolist()
        used = dict(zip(cut_keys, group.determinate_bytes[is_cut[chosen]].tolist(), strict=True))
        cuts = [(cut, used[key]) for key in cut_keys for cut in by_key[key]]
        rows.append(_row(facts, group, (operator, province), cuts))
    return sorted(rows, key=lambda row: (row.operator, row.province_code))


def _row(
    facts: DayFacts, sims: SimFacts, names: tuple[str, str], cuts: list[tuple[CutFacts, int]]
) -> ComplianceRow:
    entitled = sims.is_entitled
    entitled_count = int(entitled.sum())
    heard_count = int((entitled & sims.is_heard).sum())
    over = sims.determinate_bytes[entitled] - facts.quota_bytes
    over = over[over > 0]
    covered, listed = facts.covered_sites.get(names, (0, 0))
    interval_s = facts.report_interval_s.get(names[0])
    early = [cut for cut, used in cuts if is_early(cut, used, facts.quota_bytes)]
    unverified = [
        cut for cut, _ in cuts if cut.acknowledged_ms is not None and cut.verified_ms is None
    ]
    row = ComplianceRow(
        operator=names[0],
        province_code=names[1],
        entitled_sims=entitled_count,
        heard_sims=heard_count,
        early_cuts=len(early),
        denied_s=sum(denied_ms(cut, facts.ict_day) for cut in early) // 1000,
        zero_rated_charged_bytes=sum(sims.charged_bytes.tolist()),
        not_provisioned_sims=int((entitled & ~sims.was_heard).sum()),
        telemetry_gap_sims=int((entitled & sims.was_heard & ~sims.is_heard).sum()),
        sites_listed=listed,
        sites_covered=covered,
        sim_days_without_coverage=None if not listed else 0 if covered else entitled_count,
        sims_over=len(over),
        over_permille=1000 * len(over) // heard_count if heard_count else None,
        overshoot_bytes=spread_of(over.tolist()),
        report_interval_s=interval_s,
        predicted_overshoot_bytes=None if interval_s is None else interval_s * RATE_BYTES_PER_S,
        latency_ms=latencies([cut for cut, _ in cuts]),
        after_window_sims=int((sims.after_window_bytes > 0).sum()),
        after_window_bytes=sum(sims.after_window_bytes.tolist()),
        cuts=len(cuts),
        unverified_cuts=len(unverified),
    )
    return _judged(row)


def _judged(row: ComplianceRow) -> ComplianceRow:
    predicted, worst = row.predicted_overshoot_bytes, row.overshoot_bytes.max
    found = {
        Finding.EARLY_CUT: row.early_cuts > 0,
        Finding.ZERO_RATED_CHARGED: row.zero_rated_charged_bytes > 0,
        Finding.NOT_PROVISIONED: row.not_provisioned_sims > 0,
        Finding.NO_COVERAGE: bool(row.sim_days_without_coverage),
        Finding.OVER_PREDICTED: None not in {predicted, worst} and (worst or 0) > (predicted or 0),
        Finding.USE_AFTER_WINDOW: row.after_window_bytes > 0,
        Finding.UNVERIFIED_CUT: row.unverified_cuts > 0,
    }
    findings = tuple(finding for finding, is_found in found.items() if is_found)
    values = {name: getattr(row, name) for name in ComplianceRow.__dataclass_fields__}
    return ComplianceRow(**(values | {"findings": findings}))


def is_early(cut: CutFacts, used_bytes: int, quota_bytes: int) -> bool:
    """Tell whether a SIM was cut while balance remained, as far as is known now.

    Another cut may have been right later on the same day: one that was taken back was not.
    """
    return cut.restored_ms is not None or used_bytes < quota_bytes


def denied_ms(cut: CutFacts, ict_day: int) -> int:
    """Return for how long an early cut denied: from when it took effect until it was taken back, or to the day's end."""
    begin = cut.decided_ms if cut.acknowledged_ms is None else cut.acknowledged_ms
    end = int(day_start_ms(ict_day + 1))
    return max(0, min(end, end if cut.restored_ms is None else cut.restored_ms) - begin)


def latencies(cuts: list[CutFacts]) -> dict[str, Spread]:
    """Return how long each stage took, of the cuts that came so far; and all of it until proven."""
    found = {}
    for k in range(len(STAGES) - 1):
        took = [cut[k + 2] - cut[k + 1] for cut in cuts if None not in (cut[k + 1], cut[k + 2])]  # type: ignore[operator]  # the line itself leaves None out
        found[f"{STAGES[k]}_to_{STAGES[k + 1]}"] = spread_of(took)
    whole = [cut.verified_ms - cut.crossed_ms for cut in cuts if cut.verified_ms is not None]
    return found | {"crossed_to_verified": spread_of(whole)}
