"""`phusong ruling`: what an auditor says of readings that were set aside."""

import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from phusong.dashboards.commands.dispute_options import (
    DeviceOption,
    FromOption,
    NameOption,
    RoleOption,
    SourceOption,
    TextOption,
    UntilOption,
    selections_of,
)
from phusong.dashboards.commands.entering import check_can_judge_again, enter
from phusong.dashboards.commands.exits import FAILED, USAGE, fail, say
from phusong.dashboards.commands.options import (
    DATA_DEFAULT,
    DataOption,
    Format,
    FormatOption,
    KnownAtOption,
    iso_text,
    now_ms,
    time_ms,
)
from phusong.dashboards.commands.replaying import state_of
from phusong.kernels.frame import PayloadKind
from phusong.kernels.reject import Reject
from phusong.verifier.coverage.rulings import RELEASABLE, ReadingName
from phusong.verifier.disputes.entries import plain
from phusong.verifier.disputes.records import Selection
from phusong.verifier.journal import JournalReader, StoredFrame
from phusong.verifier.placing import Horizon
from phusong.verifier.rulings.entries import (
    RulingAct,
    RulingRecord,
    encode_ruling,
    faults_of,
    holding,
    read_ruling,
    ruling_name,
)
from phusong.verifier.rulings.set_aside import SetAside, SetAsideReader, Wanted
from phusong.verifier.state import State

EPILOG = "Exit status: 0 fine, 1 refused, 2 usage. More: docs/disputes.md."
# Enough names to see what is wrong with them.
SHOWN_COUNT = 20

app = typer.Typer(
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    add_completion=False,
    help="Rule, as an auditor, on readings that were set aside.",
)

ReadingOption = Annotated[
    list[str] | None,
    typer.Option(
        "--reading",
        help="A reading as `phusong journal quarantine` lists it: SEQUENCE/ENVELOPE/ROW.",
    ),
]
SiteOption = Annotated[str | None, typer.Option("--site", help="Readings inside this site.")]
ReasonOption = Annotated[
    str | None, typer.Option("--reason", help="Readings set aside for this reason.")
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Only say which readings are meant; enter nothing.")
]


@app.command(epilog=EPILOG)
def release(
    name: NameOption,
    role: RoleOption,
    text: TextOption,
    reading: ReadingOption = None,
    site: SiteOption = None,
    device: DeviceOption = None,
    source: SourceOption = None,
    reason: ReasonOption = None,
    from_time: FromOption = None,
    until: UntilOption = None,
    dry_run: DryRunOption = False,
    data: DataOption = DATA_DEFAULT,
) -> None:
    """Let readings count from now on; what was reported before stays as it was known then.

    Examples:

        phusong ruling release --reading 12/0/17 --name 'Lê Thị Mai' --role auditor --text 'Checked on the spot.' --data DIR

        phusong ruling release --site HG-0017 --reason POSITION_INACCURATE --until 2021-12-31 --dry-run --name … --data DIR
    """
    wanted = _wanted(reading, site, reason, _selection(device, source, from_time, until))
    _rule(data, RulingAct.RELEASE, wanted, (name, role, text), is_dry=dry_run)


@app.command(epilog=EPILOG)
def confirm(
    name: NameOption,
    role: RoleOption,
    text: TextOption,
    reading: ReadingOption = None,
    site: SiteOption = None,
    device: DeviceOption = None,
    source: SourceOption = None,
    reason: ReasonOption = None,
    from_time: FromOption = None,
    until: UntilOption = None,
    dry_run: DryRunOption = False,
    data: DataOption = DATA_DEFAULT,
) -> None:
    """Confirm that readings stay out, or take a release back.

    Example: phusong ruling confirm --device 12345 --from 2021-12-01 --name 'Lê Thị Mai' --role auditor --text … --data DIR
    """
    wanted = _wanted(reading, site, reason, _selection(device, source, from_time, until))
    _rule(data, RulingAct.CONFIRM, wanted, (name, role, text), is_dry=dry_run)


@app.command(name="list", epilog="Exit status: 0 fine, 1 failed, 2 usage.")
def list_rulings(
    data: DataOption = DATA_DEFAULT,
    known_at: KnownAtOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """List rulings: who ruled what, why, and on how many readings it still holds.

    Example: phusong ruling list --data DIR
    """
    known_ms = now_ms() if known_at is None else time_ms(known_at, "--known-at")
    history = state_of(data, Horizon()).registries.history
    versions = history.entered(PayloadKind.RULING, known_ms)
    holds = Counter(ruling.name for ruling in holding(versions).values())
    found = [ruling for ruling in map(read_ruling, versions) if ruling is not None]
    document = {
        "known_at": iso_text(known_ms),
        "rulings": [ruling_record(ruling, holds[ruling.name]) for ruling in found],
        "unreadable_count": len(versions) - len(found),
    }
    if output is Format.JSON:
        json.dump(document, sys.stdout, ensure_ascii=False, indent=1)
        sys.stdout.write("\n")
        return
    from phusong.dashboards.ruling_tables import rulings_csv, rulings_table

    (rulings_csv if output is Format.CSV else rulings_table)(document)


def ruling_record(ruling: RulingRecord, holding_count: int) -> dict[str, Any]:
    """Return a ruling as reports write it; documented in docs/disputes.md."""
    return {
        "ruling": ruling.name,
        "act": "RELEASED" if ruling.act is RulingAct.RELEASE else "CONFIRMED",
        "time": iso_text(ruling.time_ms),
        "name": ruling.by,
        "role": ruling.role,
        "text": ruling.text,
        "selection": ruling.selection,
        "reading_count": len(ruling.readings),
        "holding_count": holding_count,
    }


def _selection(
    device: list[str] | None, source: list[str] | None, first: str | None, until: str | None
) -> Selection:
    """Return what narrows a ruling down; one of each at most, because they hold together."""
    if len(device or []) > 1 or len(source or []) > 1:
        fail("one --device and one --source at most: all that is given holds together", USAGE)
    found = Selection()
    if first or until or source:
        found = selections_of(None, source, None, first, until)[0]
    if device:
        found = found._replace(
            device_key=selections_of(None, None, device, None, None)[0].device_key
        )
    return found


def _wanted(
    names: list[str] | None, site: str | None, reason: str | None, selection: Selection
) -> Wanted:
    if reason is not None and reason not in {why.name for why in RELEASABLE}:
        releasable = ", ".join(sorted(why.name for why in RELEASABLE))
        fail(
            f"--reason {reason!r}: rulings are on what was set aside by judgement ({releasable}); a reading that cannot be"
            " read stays unreadable",
            USAGE,
        )
    wanted = Wanted(
        readings=frozenset(map(_reading_name, names)) if names else None,
        site=site or "",
        reason=None if reason is None else Reject[reason],
        device_key=selection.device_key,
        operator=selection.operator,
        source=selection.source,
        from_time_ms=selection.from_time_ms,
        until_time_ms=selection.until_time_ms,
    )
    if wanted == Wanted():
        fail(
            "which readings? Give --reading SEQUENCE/ENVELOPE/ROW, or --site, --device, --source, --reason, --from, --until",
            USAGE,
        )
    if names and wanted != Wanted(readings=wanted.readings):
        fail("--reading names readings whole; leave the other options out", USAGE)
    return wanted


def _reading_name(text: str) -> ReadingName:
    pieces = text.split("/")
    if len(pieces) != len(ReadingName._fields) or not all(
        p.isascii() and p.isdigit() for p in pieces
    ):
        fail(f"--reading {text!r}: expected SEQUENCE/ENVELOPE/ROW, such as 12/0/17", USAGE)
    return ReadingName(*map(int, pieces))


def _rule(
    data: Path, act: RulingAct, wanted: Wanted, said: tuple[str, str, str], *, is_dry: bool
) -> None:
    check_can_judge_again(data, "with a ruling")
    state = state_of(data, Horizon())
    found = _candidates(data, state, wanted)
    rulings = holding(state.registries.history.entered(PayloadKind.RULING, None))
    is_same = [f.reading in rulings and rulings[f.reading].act is act for f in found]
    ruled = [f for f, same in zip(found, is_same, strict=True) if not same]
    if is_dry:
        _tell_candidates(found, sum(is_same))
        return
    if not ruled:
        typer.echo(f"nothing to do: {len(found)} readings, all ruled so before")
        return
    by, role, text = map(plain, said)
    readings = tuple(sorted(f.reading for f in ruled))
    ruling = RulingRecord("", 0, act, by, role, text, str(wanted), readings)
    faults = list(faults_of(ruling))
    if faults:
        fail("; ".join(faults), USAGE)
    sequence = enter(data, PayloadKind.RULING, encode_ruling(ruling))
    verb = "released" if act is RulingAct.RELEASE else "confirmed as set aside"
    typer.echo(f"{len(ruled)} readings {verb}, entered as sequence {sequence}")
    say(
        f"phusong: verdicts known from now on are judged so; `phusong ruling list --data {data}` names the ruling"
        f" ({ruling_name(sequence, 0).split('.', maxsplit=1)[0]}.…)"
    )


def _candidates(data: Path, state: State, wanted: Wanted) -> list[SetAside]:
    """Return the readings meant, or end with why some of them cannot be ruled on."""
    if wanted.site and wanted.site not in {site.code for site in state.registries.sites.sites}:
        fail(
            f"no site {wanted.site!r} is registered; `phusong coverage --data {data}` lists all",
            USAGE,
        )
    named = wanted.readings or frozenset()
    reader = SetAsideReader(state.registries.history)

    def frames() -> Iterator[StoredFrame]:
        return JournalReader(data / "journal").frames(state.position.sequence)

    found = [one for one in reader.read(frames, named) if wanted.takes(one)]
    absent = sorted(named - {one.reading for one in found})
    for reading in absent[:SHOWN_COUNT]:
        why = reader.refused.get(reading)
        told = (
            "counts already, or is no signal reading of this journal"
            if why is None
            else f"was refused as {why.name}, which no ruling changes"
        )
        say(f"phusong: {'/'.join(map(str, reading))} {told}")
    if absent:
        fail(
            f"{len(absent)} of {len(named)} readings cannot be ruled on; nothing was entered",
            FAILED,
        )
    if not found:
        fail(
            f"no reading that was set aside is meant by: {wanted}. `phusong journal quarantine` lists all",
            FAILED,
        )
    return found


def _tell_candidates(found: list[SetAside], same_count: int) -> None:
    by_kind = Counter((f.reason.name, ";".join(f.sites) or "-", f.device_key) for f in found)
    typer.echo("reason\tsite\tdevice\treadings")
    for (reason, sites, device), count in sorted(by_kind.items()):
        typer.echo(f"{reason}\t{sites}\t{device}\t{count}")
    say(
        f"phusong: {len(found)} readings, {same_count} of them ruled so before. Nothing was entered"
    )
