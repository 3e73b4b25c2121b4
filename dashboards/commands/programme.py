"""`phusong programme`: what was promised, and how each promise stands on the evidence."""

import csv
import json
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from phusong.dashboards.commands.exits import NON_COMPLIANT
from phusong.dashboards.commands.options import (
    DATA_DEFAULT,
    AsOfOption,
    DataOption,
    Format,
    FormatOption,
    KnownAtOption,
    iso_text,
    now_ms,
    time_ms,
)
from phusong.dashboards.commands.replaying import state_of
from phusong.dashboards.commands.version import software
from phusong.kernels.days import ict_day
from phusong.verifier.collation import collation_key
from phusong.verifier.coverage.milestones import claimed_sites
from phusong.verifier.coverage.records import Verdict
from phusong.verifier.placing import Horizon
from phusong.verifier.programme.provinces import read_provinces
from phusong.verifier.programme.pupils import UNIX_DAY, pupils_of
from phusong.verifier.programme.reading import platform_count
from phusong.verifier.programme.sites import verdicts_by_site
from phusong.verifier.programme.status import Knowledge, Standing, Status, programme_status
from phusong.verifier.state import State

app = typer.Typer(
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    add_completion=False,
    help="What was promised, and how each promise stands on the evidence.",
)
PERMILLE = 1000


class ProvinceView(StrEnum):
    """Which provinces sites are counted by."""

    OF_2021 = "2021"
    OF_2025 = "2025"


@app.callback()
def _group() -> None:
    """Keep `status` a command of its own, also while it is the only one."""


@app.command()
def status(
    data: DataOption = DATA_DEFAULT,
    as_of: AsOfOption = None,
    known_at: KnownAtOption = None,
    provinces: Annotated[
        ProvinceView,
        typer.Option(
            "--provinces", help="Count sites by the 63 provinces of 2021 or the 34 of 2025."
        ),
    ] = ProvinceView.OF_2021,
    output: FormatOption = Format.TABLE,
) -> None:
    """Say of each obligation its target, its deadline, what is verified and what is unproven.

    Examples:

        phusong programme status --data DIR --as-of 2021-12-31

        phusong programme status --data DIR --provinces 2025 --format json

    Exit status 3 when an obligation is proven not to be met.
    """
    judged_ms = now_ms() if as_of is None else time_ms(as_of, "--as-of")
    known_ms = None if known_at is None else time_ms(known_at, "--known-at")
    document = programme_document(data, Horizon(judged_ms, known_ms), provinces)
    if output is Format.JSON:
        json.dump(document, sys.stdout, ensure_ascii=False, indent=1)
        sys.stdout.write("\n")
    elif output is Format.CSV:
        write_csv(document["obligations"])
    else:
        from phusong.dashboards.programme_tables import programme_tables

        programme_tables(document)
    if any(row["standing"] == Standing.NOT_MET for row in document["obligations"]):
        raise SystemExit(NON_COMPLIANT)


def programme_document(data: Path, horizon: Horizon, view: ProvinceView) -> dict[str, Any]:
    """Return the report as scripts and auditors read it; documented in docs/reports.md."""
    as_of_ms, known_ms = horizon.as_of_ms, horizon.known_at_ms
    assert as_of_ms is not None, "a report has a date"
    state = state_of(data, horizon)
    in_force = state.registries.programme(UNIX_DAY + timedelta(days=int(ict_day(as_of_ms))))
    programme = in_force.programme
    known_until_ms = now_ms() if known_ms is None else known_ms
    verdicts = {as_of_ms: verdicts_by_site(state.reported(as_of_ms, known_until_ms))}

    def verdicts_as_of(moment_ms: int) -> Mapping[str, Verdict]:
        # A state that knows nothing later than the day it is asked about.
        if moment_ms not in verdicts:
            then = state_of(data, Horizon(moment_ms, known_ms))
            verdicts[moment_ms] = verdicts_by_site(then.reported(moment_ms, known_until_ms))
        return verdicts[moment_ms]

    known = Knowledge(
        as_of_ms=as_of_ms,
        confidence=state.registries.policy.share.confidence_permille / PERMILLE,
        sites=state.registries.sites,
        verdicts_as_of=verdicts_as_of,
        end_of_day_ms=lambda day: time_ms(day, "deadline"),
        pupils=pupils_of(
            state.registries.sims,
            state.registries.handovers,
            state.quota.meter,
            int(ict_day(as_of_ms)),
        ),
        platform_count=platform_count(state.registries),
        claimed_sites=claimed_sites(state.registries.sites, state.cells, as_of_ms),
    )
    rows = programme_status(programme, known)
    effective = programme.programme.effective_from
    return {
        "programme": {
            "id": programme.programme.id,
            "title": programme.programme.title,
            "title_en": programme.programme.title_en,
            "effective_from": None if effective is None else effective.isoformat(),
            "version": in_force.origin,
            "digest": in_force.digest,
        },
        "as_of": iso_text(as_of_ms),
        "known_at": iso_text(known_until_ms),
        "policy": {"id": state.registries.policy.id, "digest": state.registries.policy.digest},
        "software": software(),
        "journal": {"sequence": state.used.sequence, "chain": state.used.chain.hex()},
        "obligations": [asdict(row) for row in rows],
        "money": [money.model_dump(mode="json") for money in programme.money],
        "provinces": province_rows(state, verdicts[as_of_ms], view),
    }


def province_rows(
    state: State, verdicts: Mapping[str, Verdict], view: ProvinceView
) -> list[dict[str, Any]]:
    """Return, per province and list, how many sites stand at each verdict."""
    provinces = read_provinces()
    counts: dict[tuple[str, str, str], Counter[str]] = {}
    for site in state.registries.sites.sites:
        known = provinces.get(site.province_code)
        code, name = site.province_code, ""
        if known is not None:
            code, name = (
                (known.gso_code_2025, known.name_2025)
                if view is ProvinceView.OF_2025
                else (known.gso_code, known.name)
            )
        key = (code, name, site.list)
        counts.setdefault(key, Counter())[verdicts[site.code].value] += 1
    return [
        {
            "province_code": code,
            "name": name,
            "list": name_of_list,
            "listed_count": found.total(),
            "verified_count": found[Verdict.COVERED],
            "refuted_count": found[Verdict.NOT_COVERED],
            "verdicts": dict(found),
        }
        for (code, name, name_of_list), found in sorted(
            counts.items(), key=lambda row: (collation_key(row[0][1]), row[0])
        )
    ]


def write_csv(rows: list[dict[str, Any]]) -> None:
    """Write one line an obligation; the byte order mark makes Excel read Vietnamese right."""
    sys.stdout.write("\ufeff")
    names = list(Status.__dataclass_fields__)
    writer = csv.DictWriter(sys.stdout, names, lineterminator="\r\n")
    writer.writeheader()
    for row in rows:
        flat = row | {"unproven": "; ".join(row["unproven"])}
        flat["verdicts"] = "; ".join(f"{name} {count}" for name, count in row["verdicts"].items())
        writer.writerow(flat)
