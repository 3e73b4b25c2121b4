"""`phusong decisions`: what the enforcement points were told, and what became of it."""

import csv
import json
import sys
from typing import Annotated, Any

import typer

from phusong.dashboards.commands.exits import NON_COMPLIANT, say
from phusong.dashboards.commands.options import (
    DATA_DEFAULT,
    AsOfOption,
    DataOption,
    Format,
    FormatOption,
    KnownAtOption,
    iso_text,
    now_ms,
    start_ms,
    time_ms,
)
from phusong.dashboards.commands.replaying import state_of
from phusong.dashboards.commands.version import software
from phusong.kernels.days import day_start_ms, ict_day
from phusong.verifier.placing import Horizon
from phusong.verifier.quota.day_text import day_text
from phusong.verifier.quota.stages import DecisionLine, Stage, decision_lines, decision_record
from phusong.verifier.state import State

TIMES = ("crossed", "arrived", "decided", "sent", "acknowledged", "verified", "failed")


def decisions(
    data: DataOption = DATA_DEFAULT,
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            help="Only those decided from this time on: 2021-12-31 or 2021-12-31T18:00+07:00. Default: today.",
        ),
    ] = None,
    operator: Annotated[
        str | None, typer.Option("--operator", help="Only those of this operator.")
    ] = None,
    state: Annotated[
        Stage | None,
        typer.Option("--state", case_sensitive=False, help="Only those that stand here."),
    ] = None,
    as_of: AsOfOption = None,
    known_at: KnownAtOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Say what was decided about SIMs at their limits, and how far it got: sent, acknowledged, verified.

    Ends with status 3 when a cut or throttle is overdue: not acknowledged within a minute, or acknowledged
    while readings show that use goes on.

    Examples:

        phusong decisions --data DIR

        phusong decisions --data DIR --since 2021-10-01 --state enforcement_failed --format json
    """
    judged_ms = now_ms() if as_of is None else time_ms(as_of, "--as-of")
    known_ms = None if known_at is None else time_ms(known_at, "--known-at")
    today_ms = int(day_start_ms(ict_day(judged_ms)))
    from_ms = today_ms if since is None else start_ms(since, "--since")
    built = state_of(data, Horizon(judged_ms, known_ms))
    _warn_of_forgotten(built, from_ms)
    lines = list(
        decision_lines(
            built.enforcement, judged_ms, since_ms=from_ms, operator=operator, wanted=state
        )
    )
    document = decisions_document(built, lines, (from_ms, judged_ms, known_ms or now_ms()))
    if output is Format.JSON:
        json.dump(document, sys.stdout, ensure_ascii=False, indent=1)
        sys.stdout.write("\n")
    elif output is Format.CSV:
        write_csv(document)
    else:
        from phusong.dashboards.decision_tables import decisions_table

        decisions_table(document)
    if any(line.is_overdue for line in lines):
        raise typer.Exit(NON_COMPLIANT)


def _warn_of_forgotten(state: State, since_ms: int) -> None:
    first_day = state.enforcement.first_day
    if first_day is not None and since_ms < int(day_start_ms(first_day)):
        say(
            f"phusong: decisions before {day_text(first_day)} are no longer at hand; the journal has them: ask"
            " for an earlier week with --as-of DAY --since DAY"
        )


def decisions_document(
    state: State, lines: list[DecisionLine], moments: tuple[int, int, int]
) -> dict[str, Any]:
    """Return the report as scripts read it; documented in docs/decisions.md. moments: since, as of, known at."""
    since_ms, as_of_ms, known_at_ms = moments
    return {
        "since": iso_text(since_ms),
        "as_of": iso_text(as_of_ms),
        "known_at": iso_text(known_at_ms),
        "software": software(),
        "journal": {"sequence": state.used.sequence, "chain": state.used.chain.hex()},
        "overdue_count": sum(line.is_overdue for line in lines),
        "decisions": [_with_texts(line, as_of_ms) for line in lines],
    }


def _with_texts(line: DecisionLine, as_of_ms: int) -> dict[str, Any]:
    """Return a line with times as texts, and its age in its state."""
    record = decision_record(line)
    record["since"] = iso_text(record.pop("since_ms"))
    record["age_s"] = max(0, as_of_ms - line.since_ms) // 1000
    for name in TIMES:
        record[f"{name}_time"] = iso_text(record.pop(f"{name}_time_ms"))
    return record


def write_csv(document: dict[str, Any]) -> None:
    """Write one line a decision; the byte order mark makes Excel read it right."""
    sys.stdout.write("\ufeff")
    names = [*CSV_COLUMNS]
    writer = csv.DictWriter(sys.stdout, names, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(document["decisions"])


CSV_COLUMNS = (
    *("operator", "position", "decision_key", "sim", "day", "action", "threshold_percent", "state"),
    *("is_overdue", "used_bytes", "quota_bytes", "overshoot_bytes", "leaked_bytes"),
    *("throttle_bits_per_s", "sent_count", "since", "age_s"),
    *(f"{name}_time" for name in TIMES),
)
