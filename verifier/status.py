"""What the verifier tells about itself: plain counts, small at any number of SIMs."""

from collections import Counter
from dataclasses import dataclass, field

from phusong.kernels.days import ict_day
from phusong.kernels.plmn import OPERATORS
from phusong.kernels.reject import reason_name
from phusong.kernels.route_names import OPERATOR_OTHER
from phusong.verifier.quota.decisions import day_text
from phusong.verifier.quota.reporting import day_totals
from phusong.verifier.state import State


@dataclass(frozen=True, slots=True)
class RowCounts:
    """Rows by operator and transport number, and refused ones by reason too."""

    received: dict[tuple[str, int], int]
    taken: dict[tuple[str, int], int]
    duplicate: dict[tuple[str, int], int]
    refused: dict[tuple[str, int, str], int]


@dataclass(frozen=True, slots=True)
class Judgement:
    """Verdicts and quota states, as of one time."""

    as_of_ms: int
    sites: dict[tuple[str, str, str], int]  # (list, operator, verdict) → site rows
    day: str
    sims: dict[str, int]  # state → SIMs of that day
    quota_totals: dict[str, int]


@dataclass(frozen=True, slots=True)
class VerifierStatus:
    """One report of the verifier process."""

    applied_sequence: int
    rows: RowCounts
    sequence_gaps: int
    snapshot_sequence: int
    judgement: Judgement | None = None
    decisions: list[bytes] = field(default_factory=list)


def row_counts(state: State) -> RowCounts:
    """Return the tallies with names for reasons."""
    tallies = state.tallies
    return RowCounts(
        {(key.operator, key.transport): count for key, count in tallies.received.items()},
        {(key.operator, key.transport): count for key, count in tallies.taken.items()},
        {(key.operator, key.transport): count for key, count in tallies.duplicate.items()},
        {(*key, reason_name(why)): count for (key, why), count in tallies.refused.items()},
    )


def judge(state: State, as_of_ms: int) -> Judgement:
    """Return how many sites stand at each verdict, and how many SIMs in each state today."""
    # A serving network can be any that somebody claims to have heard: those nobody expects share one label.
    expected = set(OPERATORS).union(*(site.operators for site in state.coverage.sites.sites))
    sites = Counter(
        (row.list, row.operator if row.operator in expected else OPERATOR_OTHER, str(row.verdict))
        for row in state.verdicts(as_of_ms)
    )
    today = int(ict_day(as_of_ms))
    totals = day_totals(state.quota.meter, today)
    return Judgement(
        as_of_ms, dict(sites), day_text(today), state.quota.state_counts(today), totals
    )
