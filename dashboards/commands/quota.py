"""`phusong quota`: what each SIM used of its free volume on a day, and that the sums reconcile; weeks of one SIM."""

import csv
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from phusong.dashboards.commands.exits import USAGE, fail, say
from phusong.dashboards.commands.options import (
    DATA_DEFAULT,
    AsOfOption,
    DataOption,
    Format,
    FormatOption,
    KnownAtOption,
    day_number,
    iso_text,
    now_ms,
    time_ms,
    today_of,
)
from phusong.dashboards.commands.quota_compliance import compliance
from phusong.dashboards.commands.version import software

if TYPE_CHECKING:
    from phusong.verifier.quota.report import QuotaDay
    from phusong.verifier.state import State

SIM_COLUMNS = (
    *("day", "sim", "used_bytes", "zero_rated_bytes", "indeterminate_bytes", "state"),
    *("crossed_time", "thresholds_crossed"),
)
KEY_BITS = 64

app = typer.Typer(
    context_settings={"help_option_names": ["-h", "--help"]},
    add_completion=False,
    invoke_without_command=True,
)
app.command(epilog="Exit status: 0 fine, 1 failed, 2 usage, 3 something was not kept.")(compliance)


@app.callback()
def quota(
    context: typer.Context,
    data: DataOption = DATA_DEFAULT,
    day: Annotated[
        str | None,
        typer.Option("--day", help="Calendar day in Vietnam, 2021-10-01. Default: today."),
    ] = None,
    sim: Annotated[
        str | None, typer.Option("--sim", help="Only this subscriber key, decimal or 0x….")
    ] = None,
    first: Annotated[
        str | None, typer.Option("--from", help="With --sim: closed days from this one on.")
    ] = None,
    last: Annotated[
        str | None, typer.Option("--to", help="With --sim: … to this one. Default: today.")
    ] = None,
    as_of: AsOfOption = None,
    known_at: KnownAtOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Say for each SIM what of its free volume a day took; of one SIM, what the ledger holds of weeks.

    Examples:

        phusong quota --data DIR --day 2021-10-01

        phusong quota --data DIR --day 2021-10-01 --sim 1234567890 --format json

        phusong quota --data DIR --sim 1234567890 --from 2021-10-01 --to 2021-12-31
    """
    if context.invoked_subcommand is not None:
        return
    if first is not None or last is not None:
        _answer_history(data, sim, (first, last), known_at, output)
        return
    # What is about weeks needs neither, and Numba alone takes half a second.
    from phusong.dashboards.commands.replaying import state_of
    from phusong.verifier.placing import Horizon

    judged_ms = now_ms() if as_of is None else time_ms(as_of, "--as-of")
    known_ms = None if known_at is None else time_ms(known_at, "--known-at")
    wanted_day = today_of(judged_ms) if day is None else day_number(day)
    state = state_of(data, Horizon(judged_ms, known_ms))
    report = state.quota.day(wanted_day)
    if sim is not None:
        key = sim_text(sim)
        report = replace(report, sims=[row for row in report.sims if row.sim == key])
        if not report.sims:
            say(f"phusong: nothing was heard of SIM {key} on {report.day}")
    document = quota_document(state, report, judged_ms, now_ms() if known_ms is None else known_ms)
    if output is Format.JSON:
        json.dump(document, sys.stdout, ensure_ascii=False, indent=1)
        sys.stdout.write("\n")
    elif output is Format.CSV:
        write_csv(document)
    else:
        from phusong.dashboards.tables import quota_table

        quota_table(document)


def _answer_history(
    data: Path,
    sim: str | None,
    days: tuple[str | None, str | None],
    known_at: str | None,
    output: Format,
) -> None:
    if sim is None or days[0] is None:
        fail("--from and --to are about one SIM: give --sim KEY and --from 2021-10-01", USAGE)
    from phusong.dashboards.commands.quota_history import show_history

    last = today_of(now_ms()) if days[1] is None else day_number(days[1], "--to")
    known_ms = None if known_at is None else time_ms(known_at, "--known-at")
    show_history(data, sim_text(sim), (day_number(days[0], "--from"), last), known_ms, output)


def quota_document(
    state: "State", report: "QuotaDay", as_of_ms: int, known_at_ms: int
) -> dict[str, Any]:
    """Return the report as scripts read it; documented in docs/reports.md."""
    from phusong.verifier.quota.report import quota_record

    record = quota_record(report)
    head = {
        "day": record.pop("day"),
        "as_of": iso_text(as_of_ms),
        "known_at": iso_text(known_at_ms),
        "software": software(),
        "journal": {"sequence": state.used.sequence, "chain": state.used.chain.hex()},
    }
    return head | record


def sim_text(text: str) -> str:
    """Return a subscriber key as reports write it: unsigned, decimal."""
    try:
        key = int(text, 0)
    except ValueError:
        fail(f"--sim: {text!r} is no subscriber key; expected a number, decimal or 0x…", USAGE)
    if not -(2 ** (KEY_BITS - 1)) <= key < 2**KEY_BITS:
        fail(f"--sim: {text} does not fit in {KEY_BITS} bits", USAGE)
    return str(key % 2**KEY_BITS)


def write_csv(document: dict[str, Any]) -> None:
    """Write one line a SIM; the byte order mark makes Excel read it right."""
    sys.stdout.write("\ufeff")
    writer = csv.DictWriter(sys.stdout, SIM_COLUMNS, lineterminator="\r\n", extrasaction="ignore")
    writer.writeheader()
    for row in document["sims"]:
        crossed = "; ".join(str(percent) for percent in row["thresholds_crossed"])
        writer.writerow(row | {"day": document["day"], "thresholds_crossed": crossed})
