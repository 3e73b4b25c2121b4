"""`phusong coverage`: for each site, operator and technology the verdict and what it rests on."""

import csv
import json
import sys
from collections import Counter
from collections.abc import Mapping
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
    iso_text,
    now_ms,
    time_ms,
)
from phusong.dashboards.commands.replaying import state_of
from phusong.dashboards.commands.version import software
from phusong.verifier.coverage.milestones import NO_MILESTONES, Milestones
from phusong.verifier.coverage.records import SiteVerdict, Verdict
from phusong.verifier.placing import Horizon
from phusong.verifier.programme.sites import sites_by_any
from phusong.verifier.state import State

EPILOG = "Exit status: 0 fine, 1 failed, 2 usage, 3 a site is NOT_COVERED."


def coverage(
    data: DataOption = DATA_DEFAULT,
    as_of: AsOfOption = None,
    known_at: KnownAtOption = None,
    site: Annotated[str | None, typer.Option("--site", help="Only this site code.")] = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Say for each site whether it is covered, and on what evidence.

    Examples:

        phusong coverage --data DIR --as-of 2021-12-31

        phusong coverage --data DIR --site HG-0017 --format json
    """
    judged_ms = now_ms() if as_of is None else time_ms(as_of, "--as-of")
    known_ms = None if known_at is None else time_ms(known_at, "--known-at")
    state = state_of(data, Horizon(judged_ms, known_ms))
    known_until_ms = now_ms() if known_ms is None else known_ms
    rows = state.reported(judged_ms, known_until_ms)
    if site is not None:
        rows = [row for row in rows if row.site_code == site]
        if not rows:
            fail(
                f"no site {site!r} is registered; `phusong coverage --data {data}` lists all", USAGE
            )
    document = coverage_document(state, rows, judged_ms, known_until_ms)
    if output is Format.JSON:
        json.dump(document, sys.stdout, ensure_ascii=False, indent=1)
        sys.stdout.write("\n")
    elif output is Format.CSV:
        write_csv(document)
    else:
        from phusong.dashboards.tables import coverage_table

        coverage_table(document)
    if any(row.verdict == Verdict.NOT_COVERED for row in rows):
        raise SystemExit(NON_COMPLIANT)


def coverage_document(
    state: State, rows: list[SiteVerdict], as_of_ms: int, known_at_ms: int
) -> dict[str, Any]:
    """Return the report as scripts and auditors read it; documented in docs/reports.md."""
    policy = state.registries.policy
    floors = state.floor_shares(as_of_ms)
    tests = state.coverage.test_results(as_of_ms, state.operators, state.cells)
    codes = {row.site_code for row in rows}
    milestones = state.milestones(as_of_ms, codes)
    quarantined = state.quarantined(as_of_ms)
    return {
        "as_of": iso_text(as_of_ms),
        "known_at": iso_text(known_at_ms),
        "policy": {"id": policy.id, "digest": policy.digest},
        "software": software(),
        "journal": {"sequence": state.used.sequence, "chain": state.used.chain.hex()},
        "quarantined": by_reason({k: n for k, n in quarantined.items() if k[0] in codes}),
        "sites": [
            asdict(row)
            | {"floors": [asdict(found) for found in floors.get(_row_name(row), ())]}
            | {"tests": [asdict(found) for found in tests.get(_row_name(row), ())]}
            | {"milestones": asdict(milestones.pop(_row_name(row), NO_MILESTONES))}
            for row in rows
        ],
        "any_operator": [asdict(site) for site in sites_by_any(rows)],
        # What cells claim by a technology of which nothing was measured.
        "other_claims": [
            {"site_code": site, "operator": operator, "technology": technology} | asdict(found)
            for (site, operator, technology), found in sorted(milestones.items())
        ],
    }


def by_reason(quarantined: Mapping[tuple[str, str, str], int]) -> dict[str, int]:
    """Return readings set aside by the plausibility screen by the name of the reason alone."""
    found: Counter[str] = Counter()
    for (_, _, reason), count in quarantined.items():
        found[reason] += count
    return dict(sorted(found.items()))


def _row_name(row: SiteVerdict) -> tuple[str, str, str]:
    return row.site_code, row.operator, row.technology


def write_csv(document: dict[str, Any]) -> None:
    """Write one line a row; the byte order mark makes Excel read Vietnamese right."""
    by_any = {site["site_code"]: site["verdict"] for site in document["any_operator"]}
    flat = [flatten(row) | {"any_operator": by_any[row["site_code"]]} for row in document["sites"]]
    sys.stdout.write("\ufeff")
    names = list(flat[0]) if flat else CSV_COLUMNS
    writer = csv.DictWriter(sys.stdout, names, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(flat)


CSV_COLUMNS = [
    *("site_code", "name", "province_code", "list", "operator", "technology", "verdict", "reason"),
    *(
        f"counts_{name}"
        for name in (
            *("raw", "bins", "clusters", "effective", "devices", "windows", "days"),
            "quarantined",
        )
    ),
    *("design_effect", "share", "lower_bound", "upper_bound", "median_level_dbm"),
    *("first_observed", "last_observed", "missing", "overlay", "disputes", "parts"),
    *("floors", "tests", *Milestones.__dataclass_fields__, "any_operator"),
]


def flatten(row: dict[str, Any]) -> dict[str, Any]:
    """Return a site row in one level: counts beside the rest, what is missing in one cell."""
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if name == "counts":
            flat.update({f"counts_{kind}": count for kind, count in value.items()})
        elif name == "parts":
            flat[name] = "; ".join(
                f"{part['part']} {part['verdict']} ({part['surveyed_count']}/{part['place_count']})"
                for part in value
            )
        elif name == "tests":
            flat[name] = "; ".join(
                f"{found['measure']} {found['standing']} {found['share']}"
                f" ({found['lower_bound']}..{found['upper_bound']}) n={found['sample_count']}"
                for found in value
            )
        elif name == "milestones":
            flat.update(value)
        elif name == "missing":
            flat[name] = "; ".join(value)
        elif name == "disputes":
            flat[name] = "; ".join(f"{mark['dispute']} {mark['state']}" for mark in value)
        elif name == "floors":
            flat[name] = "; ".join(
                f"{at['floor_dbm']} dBm {at['share']} ({at['lower_bound']}..{at['upper_bound']})"
                for at in value
            )
        else:
            flat[name] = value
    return flat
