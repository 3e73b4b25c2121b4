"""Whether each child had its free volume and no more: both directions."""

from phusong.dashboards.boards.layout import dashboard
from phusong.dashboards.boards.panels import (
    BETWEEN,
    GOOD,
    HERE,
    PALE_GOOD,
    PALE_UNKNOWN,
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
        [*_now(), *_days()],
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
