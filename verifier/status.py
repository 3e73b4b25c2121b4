"""What the verifier tells about itself: plain counts, small at any number of SIMs."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from phusong.kernels.days import ict_day
from phusong.kernels.plmn import OPERATORS
from phusong.kernels.reject import reason_name
from phusong.kernels.route_names import OPERATOR_OTHER
from phusong.verifier.coverage.ages import EvidenceAges, evidence_ages, observed_age_ms
from phusong.verifier.coverage.records import SiteVerdict
from phusong.verifier.disputes.records import DisputeState
from phusong.verifier.process_use import ProcessUse
from phusong.verifier.programme.standing import ObligationFigures
from phusong.verifier.quota.day_text import day_text
from phusong.verifier.quota.figures import QuotaFigures
from phusong.verifier.quota.stages import EnforcementFigures, enforcement_figures
from phusong.verifier.state import State

# Lists are the steward's, who may name as many as there are sites: what comes after these shares one label.
LIST_LABEL_COUNT_MAX = 64
LIST_OTHER = "other"


@dataclass(frozen=True, slots=True)
class RowCounts:
    """Rows by operator and transport number, and refused ones by reason too."""

    received: dict[tuple[str, int], int]
    taken: dict[tuple[str, int], int]
    duplicate: dict[tuple[str, int], int]
    refused: dict[tuple[str, int, str], int]


class SiteRow(NamedTuple):
    """One site, operator and technology; None where nothing was measured."""

    site_code: str
    list: str
    operator: str
    technology: str
    verdict: str
    share: float | None
    lower_bound: float | None
    observed_age_ms: int | None


@dataclass(frozen=True, slots=True)
class Judgement:
    """Verdicts, obligations and quota, as of one time.

    sites: by (list, operator, verdict). disputed: site rows under dispute, by (list, operator). disputes: by state.
    quota: of "today" and "yesterday" in Vietnam; `day` is today.
    site_rows: only where they are asked for.
    """

    as_of_ms: int
    sites: dict[tuple[str, str, str], int]
    evidence: EvidenceAges
    validity_days: int
    obligations: tuple[ObligationFigures, ...]
    day: str
    quota: dict[str, QuotaFigures]
    closed_day_count: int
    adjustment_count: int
    # Readings set aside by the plausibility screen, by operator and name of the reason.
    quarantined: dict[tuple[str, str], int] = field(default_factory=dict)
    site_rows: tuple[SiteRow, ...] = ()
    disputed: dict[tuple[str, str], int] = field(default_factory=dict)
    disputes: dict[str, int] = field(default_factory=dict)
    enforcement: EnforcementFigures | None = None


@dataclass(frozen=True, slots=True)
class VerifierStatus:
    """One report of the verifier process. `stage_seconds` and `use` are of the process since its start."""

    applied_sequence: int
    rows: RowCounts
    sequence_gaps: int
    snapshot_sequence: int
    judgement: Judgement | None = None
    stage_seconds: dict[str, float] = field(default_factory=dict)
    use: ProcessUse = field(default_factory=ProcessUse)


@dataclass(frozen=True, slots=True)
class NewDecisions:
    """What the readings of one frame led to: serialised decisions, which nobody has journalled yet."""

    decisions: list[bytes]


def row_counts(state: State) -> RowCounts:
    """Return the tallies with names for reasons."""
    tallies = state.tallies
    return RowCounts(
        {(key.operator, key.transport): count for key, count in tallies.received.items()},
        {(key.operator, key.transport): count for key, count in tallies.taken.items()},
        {(key.operator, key.transport): count for key, count in tallies.duplicate.items()},
        {(*key, reason_name(why)): count for (key, why), count in tallies.refused.items()},
    )


def judge_in_runs(
    state: State,
    verdicts: Sequence[SiteVerdict],
    obligations: tuple[ObligationFigures, ...],
    as_of_ms: int,
    *,
    tells_sites: bool = False,
) -> Iterator[Judgement | None]:
    """Yield None after each run of SIMs, the figures of a state at last. verdicts, obligations: as of `as_of_ms`."""
    labelled = _labelled(state, verdicts)
    today = int(ict_day(as_of_ms))
    validity_days = state.registries.policy.time.validity_days
    quota: dict[str, QuotaFigures] = {}
    for name, day in (("today", today), ("yesterday", today - 1)):
        for figures in state.quota.figures_in_runs(day):
            if figures is None:
                yield None
            else:
                quota[name] = figures
    yield Judgement(
        as_of_ms=as_of_ms,
        sites=dict(Counter((row.list, row.operator, str(row.verdict)) for row in labelled)),
        evidence=evidence_ages(labelled, validity_days, as_of_ms),
        validity_days=validity_days,
        obligations=obligations,
        day=day_text(today),
        quota=quota,
        closed_day_count=state.ledger.closed_day_count,
        adjustment_count=state.ledger.adjustment_count,
        quarantined=_quarantined(state, as_of_ms),
        site_rows=_site_rows(labelled, as_of_ms) if tells_sites else (),
        disputed=dict(Counter((row.list, row.operator) for row in labelled if row.overlay)),
        disputes=dispute_counts(state, as_of_ms),
        enforcement=enforcement_figures(state.enforcement, as_of_ms),
    )


def judge(
    state: State,
    verdicts: Sequence[SiteVerdict],
    obligations: tuple[ObligationFigures, ...],
    as_of_ms: int,
) -> Judgement:
    """Return the figures of a state in one go."""
    *_, judgement = judge_in_runs(state, verdicts, obligations, as_of_ms)
    assert judgement is not None, "the last run has it"
    return judgement


def dispute_counts(state: State, at_ms: int) -> dict[str, int]:
    """Return how many disputes are in each state at a time, none left out."""
    found = Counter(d.state.value for d in state.registries.disputes(at_ms).disputes.values())
    return {name.value: found[name.value] for name in DisputeState}


def _quarantined(state: State, as_of_ms: int) -> dict[tuple[str, str], int]:
    operators = _label_operators(state)
    found: Counter[tuple[str, str]] = Counter()
    for (_, operator, reason), count in state.quarantined(as_of_ms).items():
        found[operator if operator in operators else OPERATOR_OTHER, reason] += count
    return dict(found)


def _label_operators(state: State) -> set[str]:
    """Return the operators that have labels of their own."""
    return set(OPERATORS).union(*(site.operators for site in state.coverage.sites.sites))


def _labelled(state: State, verdicts: Sequence[SiteVerdict]) -> list[SiteVerdict]:
    """Return verdicts under names that are bounded in number, for labels.

    A serving network can be any that somebody claims to have heard: those nobody expects share one label.
    """
    sites = state.coverage.sites.sites
    operators = _label_operators(state)
    lists = set(list(dict.fromkeys(site.list for site in sites))[:LIST_LABEL_COUNT_MAX])
    return [
        row
        if row.operator in operators and row.list in lists
        else replace(
            row,
            operator=row.operator if row.operator in operators else OPERATOR_OTHER,
            list=row.list if row.list in lists else LIST_OTHER,
        )
        for row in verdicts
    ]


def _site_rows(rows: Sequence[SiteVerdict], as_of_ms: int) -> tuple[SiteRow, ...]:
    return tuple(
        SiteRow(
            *(row.site_code, row.list, row.operator, row.technology, str(row.verdict)),
            *(row.share, row.lower_bound),
            observed_age_ms(row, as_of_ms),
        )
        for row in rows
    )
