"""What comes in, by whom, what becomes of it, and how long a receipt takes."""

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
)

# A share of nothing is no number.
OR_NONE = ">= 0 or vector(0)"
SLOW = f"instance:phusong_commits_slow:ratio_rate1h{{{HERE}}}"


def intake() -> Json:
    """Return the dashboard."""
    return dashboard(
        "phusong-intake",
        "Phusong · Tiếp nhận / Intake",
        "What comes in, by whom, what becomes of it, and how long a receipt takes.",
        [*_now(), *_flow(), *_outcome(), *_doors()],
    )


def _now() -> list[Json]:
    return [
        number(
            "Payloads / s",
            "Payloads journalled, all doors.",
            "cps",
            Query(f"sum(rate(phusong_collector_received_payloads_total{{{HERE}}}{PER_S}))", ""),
        ),
        number(
            "Rows accepted / s",
            "Rows that receipts called accepted.",
            "cps",
            Query(f"sum(rate(phusong_collector_accepted_rows_total{{{HERE}}}{PER_S}))", ""),
        ),
        number(
            "Bytes / s",
            "Bytes of payloads journalled.",
            "Bps",
            Query(f"sum(rate(phusong_collector_received_bytes_total{{{HERE}}}{PER_S}))", ""),
        ),
        number(
            "Refused",
            "Share of rows and payloads that are kept and not counted, over 30 minutes.",
            "percentunit",
            Query(
                f"(sum(rate(phusong_collector_refused_total{{{HERE}}}[30m]))"
                f" / (sum(rate(phusong_collector_refused_total{{{HERE}}}[30m]))"
                f" + sum(rate(phusong_collector_accepted_rows_total{{{HERE}}}[30m]))"
                f" + sum(rate(phusong_collector_duplicate_rows_total{{{HERE}}}[30m])))) {OR_NONE}",
                "",
            ),
            runbook="PhusongDataRefused",
            lines=[Line(0.01, BETWEEN), Line(0.05)],
        ),
        number(
            "Slow commits",
            "Share of commits of the last hour that took over 0.25 s. Objective: 0.1 % over 30 days.",
            "percentunit",
            Query(f"max({SLOW}) {OR_NONE}", ""),
            runbook="PhusongReceiptBudgetBurns",
            lines=[Line(0.001, BETWEEN), Line(0.0144)],
        ),
        number(
            "Waiting",
            "Payload bytes that wait for a commit.",
            "bytes",
            Query(f"sum(phusong_collector_queue_bytes{{{HERE}}})", ""),
            runbook="PhusongIntakeStopped",
        ),
    ]


def _flow() -> list[Json]:
    by = "sum by (operator, transport)"
    return [
        heading("What comes in"),
        series(
            "Payloads by operator and transport",
            "A line that ends is an operator that fell silent.",
            "cps",
            [
                Query(
                    f"{by} (rate(phusong_collector_received_payloads_total{{{HERE}}}{PER_S}))",
                    "{{operator}} {{transport}}",
                )
            ],
            runbook="PhusongOperatorSilent",
        ),
        series(
            "Bytes by operator and transport",
            "Bytes of payloads journalled.",
            "Bps",
            [
                Query(
                    f"{by} (rate(phusong_collector_received_bytes_total{{{HERE}}}{PER_S}))",
                    "{{operator}} {{transport}}",
                )
            ],
        ),
    ]


def _outcome() -> list[Json]:
    seconds = "phusong_journal_commit_seconds"
    quantile = f"sum by (le) (rate({seconds}_bucket{{{HERE}}}{PER_S}))"
    return [
        heading("What becomes of it"),
        series(
            "Rows by what receipts said",
            "Duplicates are counted once; what is refused is kept and listed by phusong journal quarantine.",
            "cps",
            [
                Query(
                    f"sum(rate(phusong_collector_accepted_rows_total{{{HERE}}}{PER_S}))",
                    "accepted",
                    GOOD,
                ),
                Query(
                    f"sum(rate(phusong_collector_duplicate_rows_total{{{HERE}}}{PER_S}))",
                    "duplicate",
                    UNKNOWN,
                ),
                Query(
                    f"sum(rate(phusong_collector_refused_total{{{HERE}}}{PER_S}))", "refused", BAD
                ),
            ],
            is_stacked=True,
            width=8,
        ),
        series(
            "Refused by reason",
            "The ten most frequent; docs/reports.md says what each means.",
            "cps",
            [
                Query(
                    f"topk(10, sum by (reason) (rate(phusong_collector_refused_total{{{HERE}}}{PER_S})))",
                    "{{reason}}",
                )
            ],
            runbook="PhusongDataRefused",
            width=8,
        ),
        series(
            "Time of a commit",
            "From taking what waits to bytes on disk; a receipt waits for the one under way and for its own.",
            "s",
            [
                Query(f"histogram_quantile(0.5, {quantile})", "half", PALE_GOOD),
                Query(f"histogram_quantile(0.99, {quantile})", "99 %", GOOD),
                Query(f"histogram_quantile(0.999, {quantile})", "99.9 %", BETWEEN),
            ],
            runbook="PhusongReceiptBudgetBurnsFast",
            lines=[Line(0.25)],
            width=8,
        ),
    ]


def _doors() -> list[Json]:
    nobody = 'label_replace(vector(0), "reason", "nobody", "", "")'
    return [
        heading("Doors"),
        series(
            "MQTT clients",
            "Connected now.",
            "short",
            [Query(f"phusong_mqtt_connections{{{HERE}}}", "{{instance}}")],
            width=6,
        ),
        series(
            "Not let in",
            "Connections, calls and handshakes refused, by reason; docs/doors.md has the reasons.",
            "cps",
            [
                Query(
                    f"sum by (reason) (rate(phusong_door_refused_total{{{HERE}}}{PER_S})) or {nobody}",
                    "{{reason}}",
                )
            ],
            runbook="PhusongStrangersAtDoor",
            width=6,
        ),
        series(
            "Held back",
            "How often a source was ahead of its rate: not read for a while, or told to come again.",
            "cps",
            [
                Query(
                    f"sum(rate(phusong_door_held_total{{{HERE}}}{PER_S})) or vector(0)",
                    "times",
                    BETWEEN,
                )
            ],
            width=6,
        ),
        series(
            "Read from a broker",
            "Messages delivered by the broker and acknowledged to it; 0 where none is read.",
            "cps",
            [
                Query(
                    f"sum(rate(phusong_broker_received_messages_total{{{HERE}}}{PER_S})) or vector(0)",
                    "delivered",
                    PALE_GOOD,
                ),
                Query(
                    f"sum(rate(phusong_broker_acknowledged_messages_total{{{HERE}}}{PER_S})) or vector(0)",
                    "acknowledged",
                    GOOD,
                ),
            ],
            runbook="PhusongBrokerAway",
            width=6,
        ),
    ]
