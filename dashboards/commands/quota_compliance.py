"""`phusong quota compliance`: a day judged both ways, per operator and province."""

import csv
import json
import sys
from dataclasses import asdict
from typing import Annotated, Any

import typer

from phusong.dashboards.commands.exits import NON_COMPLIANT, USAGE, fail
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
from phusong.dashboards.commands.version import software

SPREAD = ("count", "p50", "p95", "p99", "max")


def compliance(
    data: DataOption = DATA_DEFAULT,
    day: Annotated[
        str | None,
        typer.Option("--day", help="Calendar day in Vietnam, 2021-10-01. Default: yesterday."),
    ] = None,
    as_of: AsOfOption = None,
    known_at: KnownAtOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Say whether the free volume could be used, and whether it stopped, per operator and province.

    Examples:

        phusong quota compliance --data DIR --day 2021-10-01

        phusong quota compliance --data DIR --day 2021-10-01 --format json
    """
    from phusong.dashboards.commands.replaying import state_of
    from phusong.verifier.placing import Horizon
    from phusong.verifier.quota.compliance import compliance as compliance_of
    from phusong.verifier.quota.day_facts import day_facts, knows_cuts
    from phusong.verifier.quota.day_text import day_text
    from phusong.verifier.quota.enforcement import DAYS_KEPT
    from phusong.verifier.quota.settings import QUOTA_BYTES_DECIMAL

    judged_ms = now_ms() if as_of is None else time_ms(as_of, "--as-of")
    known_ms = None if known_at is None else time_ms(known_at, "--known-at")
    wanted = today_of(judged_ms) - 1 if day is None else day_number(day)
    state = state_of(data, Horizon(judged_ms, known_ms))
    if not knows_cuts(state, wanted):
        # The last day on which no decision of the next can have been taken for a device whose clock is ahead.
        latest = day_text(wanted + DAYS_KEPT - 2)
        fail(
            f"the decisions of {day_text(wanted)} are no longer at hand, and without them nobody would have been cut;"
            f" the journal has them: ask with --as-of {latest}",
            USAGE,
        )
    facts = day_facts(state, wanted, judged_ms)
    document: dict[str, Any] = {
        "day": day_text(wanted),
        "as_of": iso_text(judged_ms),
        "known_at": iso_text(now_ms() if known_ms is None else known_ms),
        "software": software(),
        "journal": {"sequence": state.used.sequence, "chain": state.used.chain.hex()},
        "quota_bytes": facts.quota_bytes,
        "quota_bytes_decimal": QUOTA_BYTES_DECIMAL,
        "is_closed": state.ledger.is_closed(wanted),
        "totals": state.quota.day(wanted).totals,
        "rows": [asdict(row) for row in compliance_of(facts)],
    }
    if output is Format.JSON:
        json.dump(document, sys.stdout, ensure_ascii=False, indent=1)
        sys.stdout.write("\n")
    elif output is Format.CSV:
        write_csv(document)
    else:
        from phusong.dashboards.quota_tables import compliance_table

        compliance_table(document)
    if any(row["findings"] for row in document["rows"]):
        raise SystemExit(NON_COMPLIANT)


def flat(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row with a column for every number in it."""
    found: dict[str, Any] = {}
    for name, value in row.items():
        if name == "findings":
            found[name] = "; ".join(value)
        elif name == "overshoot_bytes":
            found |= {
                f"overshoot_{part}_bytes".replace("count_bytes", "count"): value[part]
                for part in SPREAD
            }
        elif name == "latency_ms":
            for stage, spread in value.items():
                found |= {
                    f"{stage}_{part}_ms".replace("count_ms", "count"): spread[part]
                    for part in SPREAD
                }
        else:
            found[name] = value
    return found


def write_csv(document: dict[str, Any]) -> None:
    """Write one line an operator and province; the byte order mark makes Excel read it right."""
    sys.stdout.write("\ufeff")
    rows = [{"day": document["day"]} | flat(row) for row in document["rows"]]
    names = list(rows[0]) if rows else ["day", "operator", "province_code"]
    writer = csv.DictWriter(sys.stdout, names, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
