"""`phusong journal`: what is in the journal, and what of it is not counted."""

import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from phusong.dashboards.commands.coverage import by_reason
from phusong.dashboards.commands.exits import FAILED, USAGE, fail, say
from phusong.dashboards.commands.options import (
    DATA_DEFAULT,
    DataOption,
    Format,
    FormatOption,
    KnownAtOption,
    iso_text,
    open_data,
    time_ms,
)
from phusong.dashboards.commands.replaying import state_of
from phusong.dashboards.commands.retention import export, prune_segments
from phusong.dashboards.commands.segments import damage_in, isolate, restore
from phusong.kernels.frame import PayloadKind, Route, Transport, decode_frame
from phusong.kernels.reject import Reject, reason_name
from phusong.v1.ingest_pb2 import RowKind
from phusong.v1.journal_pb2 import FileRow
from phusong.verifier.closing import ClosedHistory, closed_history, starting_state
from phusong.verifier.coverage.rulings import ReadingName
from phusong.verifier.journal import JournalDamaged, JournalReader
from phusong.verifier.placing import Horizon
from phusong.verifier.quota.settings import QuotaSettings
from phusong.verifier.registry.entries import read_registries
from phusong.verifier.rulings.entries import RulingAct, RulingRecord, holding
from phusong.verifier.sealed import segments
from phusong.verifier.state import State, new_state
from phusong.verifier.tallies import Refusals

app = typer.Typer(
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    add_completion=False,
    help="Look into the journal.",
)
app.command()(isolate)
app.command()(restore)
app.command(name="export-checkpoints")(export)
app.command(name="prune")(prune_segments)
KIND_NAMES: dict[int, str] = {
    RowKind.ROW_KIND_UNSPECIFIED: "payload",
    RowKind.ROW_KIND_SIGNAL: "signal",
    RowKind.ROW_KIND_USAGE: "usage",
    RowKind.ROW_KIND_CELL: "cell",
}
# Enough of a payload to recognise it by; the whole lies in the journal.
SHOWN_BYTES = 48


@app.command()
def stat(data: DataOption = DATA_DEFAULT, output: FormatOption = Format.TABLE) -> None:
    """Say how far the journal goes, that its chain holds, and what became of everything in it.

    Damaged and missing segments are named first, with what to do. Exit status: 0 fine, 1 damaged.

    Example: phusong journal stat --data DIR
    """
    damaged = damage_in(open_data(data))
    for damage in damaged:
        say(f"phusong: damaged: {damage}")
    state = state_of(data, Horizon())
    closed = closed_history(data)
    document = stat_document(data, state) | {
        "gone_sequence": 0 if closed is None else closed.position.sequence,
        "gone_since": "" if closed is None else closed.closing.time,
        "damaged": [str(damage) for damage in damaged],
    }
    if output is Format.JSON:
        json.dump(document, sys.stdout, ensure_ascii=False, indent=1)
        sys.stdout.write("\n")
    else:
        _write_lines(document)
    if damaged:
        raise SystemExit(FAILED)


def _write_lines(document: dict[str, Any]) -> None:
    for name, value in document.items():
        if isinstance(value, dict):
            for key, count in value.items():
                typer.echo(f"{name}\t{key}\t{count}")
        elif isinstance(value, list):
            for line in value:
                typer.echo(f"{name}\t{line}")
        else:
            typer.echo(f"{name}\t{value}")


@app.command()
def verify(data: DataOption = DATA_DEFAULT) -> None:
    """Recompute the chain of hashes over every frame.

    Example: phusong journal verify --data DIR
    """
    try:
        closed = closed_history(open_data(data))
        reader = JournalReader(data / "journal", None if closed is None else closed.position)
        count = sum(1 for _ in reader.frames())
    except JournalDamaged as damage:
        fail(f"the journal is damaged at {damage}", FAILED)
    if closed is not None:
        say(f"phusong: {_gone(closed)}")
    typer.echo(f"{count} frames, chain {reader.position.chain.hex()} holds")


def _gone(closed: ClosedHistory) -> str:
    return f"sequence 1 to {closed.position.sequence} were pruned on {closed.closing.time}"


@app.command()
def quarantine(
    data: DataOption = DATA_DEFAULT,
    reason: Annotated[
        str | None, typer.Option("--reason", help="Only this reason, such as LEVEL_OUT_OF_RANGE.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", help="At most so many; 0 is all.")] = 1000,
    known_at: KnownAtOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """List every payload and row that is kept but not counted, with its reason, and what an auditor ruled on it.

    What was released counts, and stays listed with the reason it had been set aside for.

    Example: phusong journal quarantine --data DIR --reason TRUNCATED
    """
    if reason is not None and reason not in Reject.__members__:
        fail(f"--reason: {reason!r} is none of {', '.join(Reject.__members__)}", USAGE)
    known_ms = None if known_at is None else time_ms(known_at, "--known-at")
    total: Counter[str] = Counter()
    shown: list[dict[str, Any]] = []
    try:
        for entry in quarantined(data, known_ms):
            total[entry["reason"]] += 1
            if (reason is None or entry["reason"] == reason) and (not limit or len(shown) < limit):
                shown.append(entry)
    except JournalDamaged as damage:
        fail(
            f"the journal is damaged at {damage}. `phusong journal stat` says what to put back.",
            FAILED,
        )
    if output is Format.JSON:
        document = {"by_reason": dict(sorted(total.items())), "entries": shown}
        json.dump(document, sys.stdout, ensure_ascii=False, indent=1)
        sys.stdout.write("\n")
        return
    from phusong.dashboards.tables import quarantine_csv, quarantine_table

    (quarantine_csv if output is Format.CSV else quarantine_table)(shown, total)


def quarantined(data: Path, known_ms: int | None = None) -> Iterator[dict[str, Any]]:
    """Yield what is not counted of all that had arrived by a time, in journal order.

    Replays the journal twice: some reasons depend on what came before, those of the plausibility screen on what came after. Judged by the lists and rulings known then.
    """
    folder = open_data(data) / "journal"
    closed = closed_history(data)
    rulings: dict[ReadingName, RulingRecord] = {}
    if closed is None:
        history = read_registries(folder)
        horizon = Horizon(None, known_ms)
        whole, state = (
            new_state(history, horizon, QuotaSettings(), minds_rulings=False) for _ in range(2)
        )
        rulings = holding(history.entered(PayloadKind.RULING, known_ms))
    else:
        say(f"phusong: {_gone(closed)} and are not listed")
        whole, state = (starting_state(data, Horizon(), QuotaSettings()) for _ in range(2))
    for stored in JournalReader(folder, whole.position).frames():
        if known_ms is not None and stored.received_time_ms > known_ms:
            break  # frames stand in the order of their arrival
        whole.apply(stored)
    whole.coverage.screen(whole.cells)
    state.screened_by = whole
    for stored in JournalReader(folder, state.position).frames(whole.position.sequence):
        refusals = state.apply(stored)
        if not len(refusals.reason):
            continue
        frame = decode_frame(stored.body)
        for i in range(len(refusals.reason)):
            envelope = int(refusals.envelope[i])
            route = frame.routes[int(frame.route[envelope])]
            start, size = int(frame.offset[envelope]), int(frame.length[envelope])
            payload = stored.body[start : start + size]
            yield {
                "sequence": stored.sequence,
                "envelope": envelope,
                "received_time": iso_text(stored.received_time_ms),
                **route_record(route),
                "kind": KIND_NAMES[int(refusals.kind[i])],
                "row": int(refusals.row[i]),
                "reason": reason_name(int(refusals.reason[i])),
                "ruling": _ruling_on(stored.sequence, refusals, i, rulings),
                "payload_bytes": size,
                "payload_start_hex": payload[:SHOWN_BYTES].hex(),
                **file_record(route, payload),
            }


def _ruling_on(
    sequence: int, refusals: Refusals, i: int, rulings: dict[ReadingName, RulingRecord]
) -> str:
    """Return what an auditor ruled on a refused row, in words; "" where nobody did."""
    if int(refusals.kind[i]) != RowKind.ROW_KIND_SIGNAL:
        return ""
    name = ReadingName(sequence, int(refusals.envelope[i]), int(refusals.row[i]))
    ruling = rulings.get(name)
    if ruling is None:
        return ""
    return f"{'released' if ruling.act is RulingAct.RELEASE else 'confirmed'} by {ruling.name}"


def file_record(route: Route, payload: bytes) -> dict[str, str]:
    """Return where in which file a row stood that could not be read, and what was expected; nothing for others."""
    if route.kind != PayloadKind.FILE_ROW:
        return {"file": "", "detail": ""}
    row = FileRow.FromString(payload)
    return {"file": f"{row.file}:{row.line}", "detail": row.detail}


def route_record(route: Route) -> dict[str, str]:
    """Return a route in words."""
    return {
        "operator": route.operator,
        "source": route.source,
        "principal": route.principal,  # whose credential it came with
        "transport": Transport(route.transport).name,
    }


def stat_document(data: Path, state: State) -> dict[str, Any]:
    """Return the journal's extent and the tallies of everything in it."""
    folder = data / "journal"
    tallies = state.tallies
    return {
        "sequence": state.position.sequence,
        "chain": state.position.chain.hex(),
        "segments": len(segments(folder)),
        "bytes": sum(path.stat().st_size for path in folder.glob("segment-*")),
        "sources": len(state.sources.texts),
        "sequence_gaps": state.windows.gap_count(),
        "received": sum(tallies.received.values()),
        "taken": sum(tallies.taken.values()),
        "duplicate": sum(tallies.duplicate.values()),
        "refused": {
            reason_name(reason): count
            for reason, count in sorted(tallies.refused_by_reason().items())
        },
        # Of those taken, and by site: what is set aside again by the plausibility screen.
        "quarantined": by_reason(state.quarantined(state.time_max_ms)),
    }
