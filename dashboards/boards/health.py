"""Whether the service does what it promises: readiness, objectives, the verifier, the journal and its disk."""

from phusong.dashboards.boards.layout import dashboard
from phusong.dashboards.boards.panels import (
    BAD,
    BETWEEN,
    GOOD,
    HERE,
    PALE_GOOD,
    PER_S,
    UNKNOWN,
    Json,
    Line,
    Query,
    heading,
    number,
    series,
    states,
)

TEN_S = 10
FIVE_MINUTES_S = 300


def health() -> Json:
    """Return the dashboard."""
    return dashboard(
        "phusong-health",
        "Phusong · Dịch vụ / Service health",
        "Whether the service does what it promises: readiness, objectives, the verifier, the journal and its disk.",
        [*_now(), *_objectives(), *_verifier(), *_journal(), *_machine()],
    )


def _now() -> list[Json]:
    return [
        number(
            "Alerts",
            "Alerts of ours that fire.",
            "short",
            Query(
                f'count(ALERTS{{alertname=~"Phusong.+", alertstate="firing", {HERE}}}) or vector(0)',
                "",
            ),
            lines=[Line(1)],
        ),
        number(
            "Not ready",
            "Parts that are not ready; /-/ready says why.",
            "short",
            Query(f"count(phusong_ready{{{HERE}}} == 0) or vector(0)", ""),
            runbook="PhusongVerifierNotReady",
            lines=[Line(1)],
        ),
        number(
            "Verification is behind",
            "For how long the oldest frame not yet judged has waited. Objective: under 10 s for 99 % of the time.",
            "s",
            Query(f"max(phusong_verifier_lag_seconds{{{HERE}}})", ""),
            runbook="PhusongVerificationBudgetBurnsFast",
            lines=[Line(1, BETWEEN), Line(TEN_S)],
        ),
        number(
            "Does not add up",
            "What came in less what became of it, over all laws of conservation; always 0.",
            "short",
            Query(f"sum(abs(phusong_conservation_difference{{{HERE}}}))", ""),
            runbook="PhusongConservationBroken",
            lines=[Line(1)],
        ),
        number(
            "Damaged segments",
            "Sealed segments that are missing or not what was sealed.",
            "short",
            Query(f"sum(phusong_journal_damaged_segments{{{HERE}}})", ""),
            runbook="PhusongSegmentDamaged",
            lines=[Line(1)],
        ),
        number(
            "Since the start",
            "How long ago the service was started.",
            "s",
            Query(f'time() - max(process_start_time_seconds{{job="phusong", {HERE}}})', ""),
            runbook="PhusongRestarting",
        ),
    ]


def _objectives() -> list[Json]:
    return [
        heading("Objectives"),
        states(
            "Ready",
            "By part; a broker only where one is read.",
            Query(f"min by (part) (phusong_ready{{{HERE}}})", "{{part}}"),
            {"1": ("ready", GOOD), "0": ("not ready", BAD)},
            runbook="PhusongIntakeStopped",
            width=8,
        ),
        series(
            "Slow commits: share",
            "Of 1,000 commits 999 within 0.25 s over 30 days. The alert is at 14.4 times that over an hour.",
            "percentunit",
            [
                Query(f"instance:phusong_commits_slow:ratio_rate5m{{{HERE}}}", "5 min", PALE_GOOD),
                Query(f"instance:phusong_commits_slow:ratio_rate1h{{{HERE}}}", "1 h", GOOD),
                Query(f"instance:phusong_commits_slow:ratio_rate6h{{{HERE}}}", "6 h", UNKNOWN),
            ],
            runbook="PhusongReceiptBudgetBurns",
            lines=[Line(0.001, BETWEEN), Line(0.0144)],
            width=8,
        ),
        series(
            "Late verification: share of the time",
            "99 % of the time under 10 s, over 30 days. The alert is at 14.4 times that over an hour.",
            "percentunit",
            [
                Query(f"instance:phusong_verifier_late:ratio_time5m{{{HERE}}}", "5 min", PALE_GOOD),
                Query(f"instance:phusong_verifier_late:ratio_time1h{{{HERE}}}", "1 h", GOOD),
                Query(f"instance:phusong_verifier_late:ratio_time6h{{{HERE}}}", "6 h", UNKNOWN),
            ],
            runbook="PhusongVerificationBudgetBurns",
            lines=[Line(0.01, BETWEEN), Line(0.144)],
            width=8,
        ),
    ]


def _verifier() -> list[Json]:
    return [
        heading("Verifier"),
        series(
            "Behind",
            "For how long the oldest frame waits.",
            "s",
            [Query(f"phusong_verifier_lag_seconds{{{HERE}}}", "{{instance}}")],
            runbook="PhusongVerificationBudgetBurnsFast",
            lines=[Line(TEN_S)],
            width=6,
        ),
        series(
            "Rows judged / s",
            "How much the verifier takes in.",
            "cps",
            [
                Query(
                    f"sum by (instance) (rate(phusong_verifier_received_rows_total{{{HERE}}}{PER_S}))",
                    "{{instance}}",
                )
            ],
            width=6,
        ),
        series(
            "What it works on",
            "Share of one core by stage; decode, payloads, signal, usage and cells are spent in kernels.",
            "percentunit",
            [
                Query(
                    f"sum by (stage) (rate(phusong_verifier_stage_seconds_total{{{HERE}}}{PER_S}))",
                    "{{stage}}",
                )
            ],
            is_stacked=True,
            width=6,
        ),
        series(
            "Age of its snapshot",
            "How much a start would have to judge again; it grows while no frame comes.",
            "s",
            [
                Query(
                    f"max by (instance) (phusong_verifier_snapshot_age_seconds{{{HERE}}})",
                    "{{instance}}",
                )
            ],
            runbook="PhusongSnapshotOld",
            width=6,
        ),
        series(
            "Batches that never came",
            "Batches that sources numbered and that are missing.",
            "short",
            [Query(f"phusong_verifier_sequence_gaps{{{HERE}}}", "{{instance}}")],
            runbook="PhusongSequenceGapsGrow",
            width=6,
        ),
        series(
            "Starts",
            "Starts of the verifier within an hour; one is a deployment.",
            "short",
            [Query(f"changes(phusong_verifier_starts_total{{{HERE}}}[1h])", "{{instance}}")],
            runbook="PhusongVerifierRestarting",
            lines=[Line(3)],
            width=6,
        ),
    ]


def _journal() -> list[Json]:
    return [
        series(
            "Age of the signed head",
            "Signed every minute.",
            "s",
            [Query(f"phusong_journal_signed_age_seconds{{{HERE}}}", "{{instance}}")],
            runbook="PhusongHeadNotSigned",
            lines=[Line(FIVE_MINUTES_S)],
            width=6,
        ),
        series(
            "Frames / s",
            "Commits of the journal.",
            "cps",
            [Query(f"rate(phusong_journal_commit_seconds_count{{{HERE}}}{PER_S})", "{{instance}}")],
            width=6,
        ),
    ]


def _machine() -> list[Json]:
    return [
        heading("Machine"),
        series(
            "Room on the journal's disk",
            "Below the reserve nothing new is taken.",
            "bytes",
            [
                Query(f"phusong_disk_free_bytes{{{HERE}}}", "free", GOOD),
                Query(f"phusong_disk_needed_bytes{{{HERE}}}", "reserve", BAD),
                Query(f"phusong_journal_size_bytes{{{HERE}}}", "journal", UNKNOWN),
            ],
            runbook="PhusongDiskFillsWithinADay",
            width=8,
        ),
        series(
            "Processors",
            "Cores that each process takes.",
            "short",
            [
                Query(f'rate(process_cpu_seconds_total{{job="phusong", {HERE}}}{PER_S})', "collector", GOOD),
                Query(f"rate(phusong_verifier_cpu_seconds_total{{{HERE}}}{PER_S})", "verifier", BETWEEN),
            ],
            width=8,
        ),
        series(
            "Memory",
            "What each process holds.",
            "bytes",
            [
                Query(f'process_resident_memory_bytes{{job="phusong", {HERE}}}', "collector", GOOD),
                Query(f"phusong_verifier_resident_memory_bytes{{{HERE}}}", "verifier", BETWEEN),
            ],
            width=8,
        ),
    ]  # fmt: skip
