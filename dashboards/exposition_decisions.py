"""What enforcement points were told, how soon, and whether it worked, as metric families."""

from collections.abc import Iterator

from phusong.dashboards.families import Family, counter, counters, gauge, gauges, histograms
from phusong.verifier.quota.enforcement_counts import EDGES_MS, STAGES
from phusong.verifier.quota.stages import EnforcementFigures, Stage

SECOND_MS = 1000
STAGE_SECONDS_EDGES = tuple(edge / SECOND_MS for edge in EDGES_MS)


def decision_families(figures: EnforcementFigures) -> Iterator[Family]:
    """Yield how decisions stand; sums are over all there ever were, gauges of the present day."""
    yield counters(
        "phusong_decisions",
        "Decisions taken, by what is to be done.",
        ["action"],
        {(action,): count for action, count in figures.by_action.items()},
    )
    yield gauges(
        "phusong_day_decisions",
        "Decisions of the present day by how far they came.",
        ["action", "state"],
        {
            (action, stage.value.lower()): figures.stages.get((action, stage.value.lower()), 0)
            for action in figures.by_action
            for stage in Stage
        },
    )
    yield histograms(
        "phusong_decision_stage_seconds",
        "How long decisions took from the stage before to this one; the first is counted from the reading's own time.",
        ["stage"],
        STAGE_SECONDS_EDGES,
        {
            (stage,): (counts, total / SECOND_MS)
            for stage, counts, total in zip(STAGES, figures.buckets, figures.sum_ms, strict=True)
        },
    )
    yield gauge(
        "phusong_overdue_decisions",
        "Cuts and throttles of the present day that are not acknowledged in time, or not enforced.",
        figures.overdue_count,
    )
    yield gauge(
        "phusong_unverified_decisions",
        "Cuts and throttles of the present day that are acknowledged, and neither proven nor refuted by readings.",
        figures.unverified_count,
    )
    for name, documentation, value in (
        ("phusong_resent_decisions", "Sendings after a first one.", figures.resent_count),
        (
            "phusong_failed_decisions",
            "Acknowledged cuts and throttles after which use was seen to go on.",
            figures.failed_count,
        ),
        (
            "phusong_early_cut_decisions",
            "Cuts and throttles that a restore took back.",
            figures.early_cut_count,
        ),
        (
            "phusong_denied_seconds",
            "Time between the acknowledgements of cuts and of the restores that took them back.",
            figures.denied_ms / SECOND_MS,
        ),
        (
            "phusong_decision_overshoot_bytes",
            "Bytes used beyond the free volume when a cut or throttle was decided.",
            figures.overshoot_bytes,
        ),
    ):
        yield counter(name, documentation, value)
    yield gauge(
        "phusong_leaked_bytes",
        "Bytes used on the present day after cuts and throttles were acknowledged.",
        figures.leaked_bytes,
    )
