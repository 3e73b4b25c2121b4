"""`phusong import`: older records from files, by the same intake into the same journal."""

import asyncio
import json
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from phusong.collector.importing.formats import AUTO, FORMATS, read_file
from phusong.collector.importing.options import ImportFailed, ImportOptions, ImportRefused
from phusong.collector.importing.sending import FileReceipt, send_file
from phusong.collector.journal.reader import read_frames
from phusong.collector.journal.segment import JournalDamaged
from phusong.collector.journal.writer import JournalFailed, JournalLocked
from phusong.collector.road import open_road
from phusong.collector.routes import TooManyRoutes
from phusong.dashboards.commands.configuration import disk_reserve_bytes
from phusong.dashboards.commands.exits import FAILED, FINE, USAGE, fail, say
from phusong.dashboards.commands.options import DATA_DEFAULT, DataOption, now_ms
from phusong.kernels.frame import FrameDamaged

JOURNAL_FOLDER = "journal"

# What ends an import though nothing is wrong with its files.
BROKEN = (JournalFailed, JournalDamaged, FrameDamaged, TooManyRoutes, sqlite3.Error, OSError)


class ReceiptFormat(StrEnum):
    """How the receipt is written."""

    TABLE = "table"
    JSON = "json"


Advance = Callable[[int], None]


def import_files(
    files: Annotated[list[Path], typer.Argument(help="Files, each of one format.")],
    format_name: Annotated[
        str, typer.Option("--format", help=f"One of {', '.join(FORMATS)}.")
    ] = AUTO,
    data: DataOption = DATA_DEFAULT,
    operator: Annotated[
        str, typer.Option(help="Whose data it is, where the file does not say: viettel.")
    ] = "",
    source: Annotated[
        str, typer.Option(help="Who collected it, where the file does not say. Default: import.")
    ] = "",
    timezone: Annotated[
        str, typer.Option(help="Of times that name no zone: Asia/Ho_Chi_Minh.")
    ] = "",
    device: Annotated[
        str, typer.Option(help="Key of the measuring device; `log`: each log is one of its own.")
    ] = "",
    plmn: Annotated[
        str, typer.Option(help="Network that served, where it is not said: 452-04.")
    ] = "",
    subscriber: Annotated[
        str, typer.Option(help="Key of the subscriber, where the file does not say.")
    ] = "",
    session: Annotated[str, typer.Option(help="Session, where the file does not say.")] = "",
    receipt: Annotated[
        ReceiptFormat, typer.Option("--receipt", help="How to write the receipt.")
    ] = ReceiptFormat.TABLE,
) -> None:
    """Take older records in from files; a file that was imported before is counted once.

    Examples:

        phusong import signal.csv usage.parquet --operator viettel --data DIR

        phusong import *.csv --format gnettrack --operator viettel --timezone Asia/Ho_Chi_Minh --data DIR

        phusong import accounting.csv --format radius --operator viettel --receipt json --data DIR

    Columns and formats: docs/import.md. Exit status: 0 fine (refused rows are on the receipt), 1 failed, 2 usage.
    """
    try:
        options = ImportOptions(operator, source, timezone, device, plmn, subscriber, session)
        for file in files:  # all before the first row of any is taken
            read_file(file, format_name, options)
    except ImportRefused as refused:
        fail(str(refused), USAGE)
    except ImportFailed as failed:
        fail(str(failed))
    receipts = [FileReceipt(file.name) for file in files]
    status = FINE
    try:
        with _progress(sum(file.stat().st_size for file in files)) as (advance, note):
            spoken = ImportOptions(
                operator, source, timezone, device, plmn, subscriber, session, note
            )
            asyncio.run(_send(data, files, format_name, spoken, receipts, advance))
    except ImportRefused as refused:
        say(f"phusong: {refused}. The rows on the receipt had been taken before it was noticed.")
        status = USAGE
    except ImportFailed as failed:
        say(f"phusong: {failed}. The rows on the receipt are in the journal.")
        status = FAILED
    except JournalLocked:
        fail(
            f"another process has the journal in {data} open and takes no imports; stop it and try again"
        )
    except BROKEN as error:
        say(f"phusong: the journal in {data} took no more: {error}. Import again: what is on the")
        say("receipt is on disk and will be recognised.")
        status = FAILED
    document = receipt_document(data, receipts)
    if receipt is ReceiptFormat.JSON:
        json.dump(document, sys.stdout, ensure_ascii=False, indent=1)
        sys.stdout.write("\n")
    else:
        write_table(document)
    raise SystemExit(status)


async def _send(
    data: Path,
    files: list[Path],
    format_name: str,
    options: ImportOptions,
    receipts: list[FileReceipt],
    advance: Advance,
) -> None:
    async with open_road(data, now_ms, disk_reserve_bytes()) as road:
        for file, receipt in zip(files, receipts, strict=True):
            await send_file(road, read_file(file, format_name, options), receipt, advance)


@contextmanager
def _progress(total_bytes: int) -> Iterator[tuple[Advance, Callable[[str], None]]]:
    """Yield how to advance a bar and how to say something above it; the bar is drawn on a terminal only."""
    if not sys.stderr.isatty():
        yield (lambda _: None), say
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("import"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("import", total=total_bytes)
        yield (
            lambda read_bytes: bar.advance(task, read_bytes),
            lambda text: bar.console.print(text, markup=False, highlight=False),
        )


def receipt_document(data: Path, receipts: list[FileReceipt]) -> dict[str, Any]:
    """Return the receipt as scripts read it; documented in docs/import.md."""
    chains = _chains(data, {one.journal_sequence_last for one in receipts} - {0})
    files = [
        {
            "file": one.file,
            "rows": {
                "read": one.read_count,
                "taken": one.taken_count,
                "duplicate": one.duplicate_count,
                "refused": one.refused.total(),
            },
            "refused": dict(sorted(one.refused.items())),
            "bytes": one.read_bytes,
            "journal": {
                "sequence_first": one.journal_sequence_first,
                "sequence_last": one.journal_sequence_last,
                "chain": chains.get(one.journal_sequence_last, ""),
            },
        }
        for one in receipts
    ]
    totals = {
        "read": sum(one.read_count for one in receipts),
        "taken": sum(one.taken_count for one in receipts),
        "duplicate": sum(one.duplicate_count for one in receipts),
        "refused": sum(one.refused.total() for one in receipts),
    }
    return {"files": files, "rows": totals}


def _chains(data: Path, sequences: set[int]) -> dict[int, str]:
    return {
        sequence: next(read_frames(data / JOURNAL_FOLDER, sequence - 1)).chain.hex()
        for sequence in sequences
    }


def write_table(document: dict[str, Any]) -> None:
    """Print one row a file, and why rows were refused below it."""
    from rich.table import Table

    from phusong.dashboards.tables import console

    table = Table(title="Biên nhận · Receipt", title_style="bold", header_style="bold")
    table.add_column("Tệp · File", overflow="fold")
    for heading in ("Rows read", "Taken", "Duplicate", "Refused", "Bytes"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("Journal", no_wrap=True)
    for file in document["files"]:
        rows, journal = file["rows"], file["journal"]
        table.add_row(
            file["file"],
            *(f"{rows[name]:,}" for name in ("read", "taken", "duplicate", "refused")),
            f"{file['bytes']:,}",
            f"{journal['sequence_first']}–{journal['sequence_last']}" if journal["chain"] else "–",
        )
    out = console()
    out.print(table)
    for file in document["files"]:
        for reason, count in file["refused"].items():
            out.print(f"{count:>10,}  {reason}  {file['file']}", markup=False)
    for file in document["files"]:
        if file["journal"]["chain"]:
            out.print(f"chain {file['journal']['chain']}  {file['file']}", markup=False)
