"""What was promised, what is proven of it, and how long the evidence lasts."""

from phusong.dashboards.boards.layout import dashboard
from phusong.dashboards.boards.panels import (
    BAD,
    BETWEEN,
    GOOD,
    HERE,
    PALE_UNKNOWN,
    UNKNOWN,
    Json,
    Line,
    Query,
    bars,
    heading,
    number,
    series,
    table,
)

DAY_S = 86_400
VERDICTS = {
    "COVERED": GOOD,
    "NOT_COVERED": BAD,
    "CONFLICTED": BETWEEN,
    "DISPUTED": BETWEEN,
    "STALE": PALE_UNKNOWN,
    "INSUFFICIENT": UNKNOWN,
    "UNTESTED": UNKNOWN,
}
BY_OBLIGATION = "max by (obligation)"


def coverage() -> Json:
    """Return the dashboard."""
    return dashboard(
        "phusong-coverage",
        "Phusong · Chương trình phủ sóng / Coverage programme",
        "What was promised, what is proven of it, and how long the evidence lasts.",
        [*_obligations(), *_sites(), *_evidence()],
    )


def _obligations() -> list[Json]:
    return [
        table(
            "Obligations",
            "Doubt is neither met nor missed: phusong programme status says what evidence is missing.",
            {
                "promised": (_of("target"), "short"),
                "stated": (_of("stated"), "short"),
                "claimed": (_of("claimed"), "short"),
                "verified": (_of("verified"), "short"),
                "surely": (_of("verified_lower_bound"), "short"),
                "verified by the deadline": (_of("verified_by_deadline"), "short"),
                "refuted": (_of("refuted"), "short"),
                "unproven": (_of("unproven"), "short"),
                "time left": (_of("time_left_seconds"), "dtdurations"),
            },
            runbook="PhusongDeadlineAtRisk",
        ),
        bars(
            "Verified share of the target",
            "What telemetry shows, as a share of what was promised.",
            "percentunit",
            [Query(_of("verified_ratio"), "{{obligation}}")],
            span_max=1,
            width=8,
        ),
        bars(
            "At least, at 95 %",
            "Each verdict may be wrong: at least this share is verified.",
            "percentunit",
            [Query(_of("verified_lower_bound_ratio"), "{{obligation}}")],
            span_max=1,
            width=8,
        ),
        bars(
            "Obligations by standing",
            "MET and NOT_MET are proven; RUNNING is before the deadline; UNPROVEN is neither.",
            "short",
            [
                Query(
                    f"sum by (standing) (max by (obligation, standing) (phusong_obligation_standing{{{HERE}}}))",
                    "{{standing}}",
                )
            ],
            width=8,
        ),
        series(
            "Verified and promised",
            "What is verified over time; the target is where it has to be at the deadline.",
            "short",
            [
                Query(_of("verified"), "{{obligation}} verified"),
                Query(_of("target"), "{{obligation}} promised", PALE_UNKNOWN),
            ],
            runbook="PhusongDeadlineAtRisk",
        ),
        bars(
            "Time left to the deadline",
            "By the service's clock; none once it has passed.",
            "dtdurations",
            [Query(f"clamp_min({_of('time_left_seconds')}, 0)", "{{obligation}}")],
            start=BAD,
            lines=[Line(30 * DAY_S, BETWEEN), Line(90 * DAY_S, GOOD)],
            runbook="PhusongDeadlineAtRisk",
        ),
    ]


def _sites() -> list[Json]:
    return [
        heading("Sites, by operator and technology"),
        series(
            "Site rows by verdict",
            "A row is a site, an operator and a technology.",
            "short",
            [Query(f"sum by (verdict) (phusong_sites{{{HERE}}})", "{{verdict}}")],
            is_stacked=True,
            names=VERDICTS,
        ),
        table(
            "By list and operator",
            "Rows at each verdict now.",
            {
                verdict.lower().replace("_", " "): (
                    f'sum by (list, operator) (phusong_sites{{verdict="{verdict}", {HERE}}})',
                    "short",
                )
                for verdict in ("COVERED", "NOT_COVERED", "INSUFFICIENT", "UNTESTED")
            },
            width=12,
        ),
        number(
            "Not covered",
            "Rows proven not to be covered.",
            "short",
            Query(f'sum(phusong_sites{{verdict="NOT_COVERED", {HERE}}}) or vector(0)', ""),
            lines=[Line(1)],
            width=6,
        ),
        number(
            "Contradicted or disputed",
            "Rows whose sources contradict each other beyond chance, or over which a dispute is open.",
            "short",
            Query(f'sum(phusong_sites{{verdict=~"CONFLICTED|DISPUTED", {HERE}}}) or vector(0)', ""),
            lines=[Line(1, BETWEEN)],
            width=6,
        ),
        number(
            "Stale",
            "Rows that were covered and whose evidence has lost its validity.",
            "short",
            Query(f'sum(phusong_sites{{verdict="STALE", {HERE}}}) or vector(0)', ""),
            runbook="PhusongEvidenceGoesStale",
            lines=[Line(1, BETWEEN)],
            width=6,
        ),
        number(
            "Judged",
            "When sites and SIMs were last judged, by the service's clock.",
            "dateTimeAsIso",
            Query(f"1000 * max(phusong_judged_timestamp_seconds{{{HERE}}})", ""),
            runbook="PhusongVerdictsStale",
            width=6,
        ),
    ]


def _evidence() -> list[Json]:
    return [
        heading("How long the evidence lasts"),
        series(
            "Age of the evidence of covered rows",
            "By the newest reading each rests on: the row in the middle, and the oldest. Past its validity a row is STALE.",
            "s",
            [
                Query(f"max by (list) (phusong_evidence_median_age_seconds{{{HERE}}})", "{{list}} middle"),
                Query(f"max by (list) (phusong_evidence_oldest_age_seconds{{{HERE}}})", "{{list}} oldest", BETWEEN),
                Query(f"max(phusong_evidence_validity_seconds{{{HERE}}})", "validity", BAD),
            ],
            runbook="PhusongEvidenceGoesStale",
        ),
        series(
            "Covered rows that expire within 30 days",
            "Measure these again.",
            "short",
            [
                Query(
                    f"sum by (list, operator) (phusong_expiring_sites{{{HERE}}})",
                    "{{list}} {{operator}}",
                )
            ],
            runbook="PhusongEvidenceGoesStale",
            is_stacked=True,
            names={},
        ),
    ]  # fmt: skip


def _of(name: str) -> str:
    return f"{BY_OBLIGATION} (phusong_obligation_{name}{{{HERE}}})"
