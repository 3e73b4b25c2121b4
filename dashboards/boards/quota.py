"""Whether each child had its free volume and no more: both directions."""

from phusong.dashboards.boards.layout import dashboard
from phusong.dashboards.boards.panels import (
    BETWEEN,
    GOOD,
    HERE,
    PALE_GOOD,
    PALE_UNKNOWN,
    PER_S,
    UNKNOWN,
    Json,
    Line,
    Query,
    bars,
    heading,
    number,
    series,
)

STATES = {
    "WITHIN": GOOD,
    "EXHAUSTED": UNKNOWN,
    "INDETERMINATE": BETWEEN,
    "NOT_ENTITLED": PALE_UNKNOWN,
}
CLASSES = {"determinate": GOOD, "zero_rated": PALE_GOOD, "indeterminate": BETWEEN}


def quota() -> Json:
    """Return the dashboard."""
    return dashboard(
        "phusong-quota",
        "Phusong · Hạn mức / Quota compliance",
        "Whether each child had its free volume and no more: both directions.",
        [*_now(), *_days(), *_stopped(), *_not_stopped(), *_could_use()],
    )


def _now() -> list[Json]:
    def sims(day: str, state: str) -> str:
        return f'sum(phusong_quota_sims{{day="{day}", state=~"{state}", {HERE}}})'

    return [
        number(
            "SIMs today",
            "SIMs heard of today, in Vietnam's calendar.",
            "short",
            Query(sims("today", ".+"), ""),
        ),
        number(
            "At their quota today",
            "SIMs that have surely used up today's free volume.",
            "short",
            Query(sims("today", "EXHAUSTED"), ""),
            start=UNKNOWN,
        ),
        number(
            "SIMs yesterday",
            "SIMs heard of yesterday.",
            "short",
            Query(sims("yesterday", ".+"), ""),
        ),
        number(
            "At their quota yesterday",
            "SIMs that surely used up yesterday's free volume.",
            "short",
            Query(sims("yesterday", "EXHAUSTED"), ""),
            start=UNKNOWN,
        ),
        number(
            "Beyond the quota, yesterday",
            "Share of the metered bytes that were used beyond the free volume.",
            "percentunit",
            Query(
                f'sum(phusong_quota_overshoot_bytes{{day="yesterday", {HERE}}})'
                f' / sum(phusong_quota_bytes{{day="yesterday", class="determinate", {HERE}}})',
                "",
            ),
            start=UNKNOWN,
        ),
        number(
            "Does not add up",
            "Usage readings received less those accounted for; always 0.",
            "short",
            Query(f"sum(abs(phusong_conservation_difference{{{HERE}}}))", ""),
            runbook="PhusongConservationBroken",
            lines=[Line(1)],
        ),
    ]


def _days() -> list[Json]:
    return [
        heading("Yesterday and today"),
        series(
            "SIMs today, by state",
            "Begins at nought at midnight in Vietnam.",
            "short",
            [
                Query(
                    f'sum by (state) (phusong_quota_sims{{day="today", {HERE}}})',
                    "{{state}}",
                )
            ],
            is_stacked=True,
            names=STATES,
            width=8,
        ),
        series(
            "Bytes today, by class",
            "Metered and surely of the day; attributed by a midnight split; free of charge.",
            "bytes",
            [
                Query(
                    f'sum by (class) (phusong_quota_bytes{{day="today", {HERE}}})',
                    "{{class}}",
                )
            ],
            is_stacked=True,
            names=CLASSES,
            width=8,
        ),
        series(
            "Beyond the quota",
            "Bytes that entitled SIMs used beyond their free volume: leakage, which the interval of reports sets.",
            "bytes",
            [
                Query(f"sum by (day) (phusong_quota_overshoot_bytes{{{HERE}}})", "all, {{day}}"),
                Query(
                    f"max by (day) (phusong_quota_overshoot_max_bytes{{{HERE}}})",
                    "one SIM, {{day}}",
                    BETWEEN,
                ),
            ],
            width=8,
        ),
        bars(
            "SIMs yesterday, by state",
            "The last whole day.",
            "short",
            [Query(f'sum by (state) (phusong_quota_sims{{day="yesterday", {HERE}}})', "{{state}}")],
            width=8,
        ),
        bars(
            "Bytes yesterday, by class",
            "The last whole day.",
            "bytes",
            [
                Query(
                    f'sum by (class) (phusong_quota_bytes{{day="yesterday", {HERE}}})',
                    "{{class}}",
                )
            ],
            width=8,
        ),
        bars(
            "Usage readings yesterday, by outcome",
            "Received is the sum of them.",
            "short",
            [
                Query(
                    f'sum by (outcome) (phusong_quota_readings{{day="yesterday", outcome!="received", {HERE}}})',
                    "{{outcome}}",
                )
            ],
            width=8,
        ),
    ]


def _stopped() -> list[Json]:
    seconds = "phusong_decision_stage_seconds"
    quantile = f"sum by (stage, le) (rate({seconds}_bucket{{{HERE}}}{PER_S}))"
    return [
        heading("It stopped"),
        series(
            "Decisions by action",
            "Taken a second.",
            "cps",
            [
                Query(
                    f"sum by (action) (rate(phusong_decisions_total{{{HERE}}}{PER_S}))",
                    "{{action}}",
                )
            ],
            width=6,
        ),
        series(
            "Time of each stage, 99 %",
            "From the end of the stage before. Decided is ours: 0.05 s. Sent to verified are the enforcement point's.",
            "s",
            [Query(f"histogram_quantile(0.99, {quantile}) >= 0 or vector(0)", "{{stage}}")],
            runbook="PhusongDecisionBudgetBurnsFast",
            lines=[Line(0.05, BETWEEN)],
            width=6,
        ),
        series(
            "Late decisions: share",
            "Of 100 decisions 99 within 0.05 s over 30 days. The alert is at 14.4 times that over an hour.",
            "percentunit",
            [
                Query(f"instance:phusong_decisions_slow:ratio_rate1h{{{HERE}}} >= 0 or vector(0)", "1 h"),
                Query(f"instance:phusong_decisions_slow:ratio_rate6h{{{HERE}}} >= 0 or vector(0)", "6 h", UNKNOWN),
            ],
            runbook="PhusongDecisionBudgetBurns",
            lines=[Line(0.01, BETWEEN), Line(0.144)],
            width=6,
        ),
        bars(
            "Today's decisions, by how far they have come",
            "Verified is shown by later readings; an acknowledgement is no proof.",
            "short",
            [
                Query(
                    f"sum by (action, state) (phusong_day_decisions{{{HERE}}})",
                    "{{action}} {{state}}",
                )
            ],
            runbook="PhusongCutsOverdue",
            width=6,
        ),
    ]  # fmt: skip


def _not_stopped() -> list[Json]:
    return [
        number(
            "Not carried out",
            "Cuts and throttles not acknowledged within a minute, or seen to be ignored.",
            "short",
            Query(f"sum(phusong_overdue_decisions{{{HERE}}})", ""),
            runbook="PhusongCutsOverdue",
            lines=[Line(1)],
            width=6,
        ),
        number(
            "Not proven",
            "Today's cuts and throttles that are acknowledged and that no later reading proves.",
            "short",
            Query(f"sum(phusong_unverified_decisions{{{HERE}}})", ""),
            start=UNKNOWN,
            width=6,
        ),
        number(
            "Leaked today",
            "Bytes used after a cut or throttle was acknowledged.",
            "bytes",
            Query(f"sum(phusong_leaked_bytes{{{HERE}}})", ""),
            lines=[Line(1, BETWEEN)],
            width=6,
        ),
        number(
            "Sent again",
            "Sendings after the first, within a day.",
            "short",
            Query(f"sum(increase(phusong_resent_decisions_total{{{HERE}}}[1d]))", ""),
            start=UNKNOWN,
            width=6,
        ),
    ]


def _could_use() -> list[Json]:
    return [
        heading("It could be used"),
        number(
            "Early cuts",
            "Cuts and throttles of the last day that a restore took back.",
            "short",
            Query(f"sum(increase(phusong_early_cut_decisions_total{{{HERE}}}[1d]))", ""),
            runbook="PhusongEarlyCut",
            lines=[Line(1)],
            width=6,
        ),
        number(
            "Denied",
            "How long those SIMs were without, together, within a day.",
            "s",
            Query(f"sum(increase(phusong_denied_seconds_total{{{HERE}}}[1d]))", ""),
            runbook="PhusongEarlyCut",
            lines=[Line(1)],
            width=6,
        ),
        number(
            "Free platforms charged",
            "Bytes of yesterday and today that their source counts towards quotas and the published list says are free; always 0.",
            "bytes",
            Query(f"sum(phusong_quota_charged_bytes{{{HERE}}})", ""),
            runbook="PhusongZeroRatedCharged",
            lines=[Line(1)],
            width=6,
        ),
        number(
            "Adjustments",
            "Entries of days the ledger has closed, changed within a day by late or newly rated data.",
            "short",
            Query(f"sum(increase(phusong_ledger_adjustments_total{{{HERE}}}[1d]))", ""),
            start=UNKNOWN,
            width=6,
        ),
    ]
