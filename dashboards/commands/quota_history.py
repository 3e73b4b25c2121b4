"""`phusong quota --sim KEY --from D --to D`: weeks of one SIM, from the files of the ledger."""

import csv
import io
import json
import sqlite3
import sys
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from phusong.dashboards.commands.exits import USAGE, fail, say
from phusong.dashboards.commands.options import Format, iso_text, open_data
from phusong.dashboards.commands.version import software
from phusong.verifier.quota.history import DayEntry, DayState, sim_history
from phusong.verifier.quota.ledger_files import (
    Index,
    LedgerDamaged,
    missing_pieces,
    read_index,
)
from phusong.verifier.quota.settings import QUOTA_BYTES_DECIMAL, QuotaSettings
from phusong.verifier.sealed import SealDamaged, open_segment, segments

# An entitlement is three months; more than ten years is a slip of the pen.
DAY_COUNT_MAX = 3_660
NAMES = ("used_bytes", "indeterminate_bytes", "zero_rated_bytes")


def show_history(
    data: Path,
    sim: str,
    days: tuple[int, int],
    known_ms: int | None,
    output: Format,
) -> None:
    """Answer from the ledger, which is made again from the journal where it is not there."""
    first, last = days
    if not 0 <= last - first < DAY_COUNT_MAX:
        fail(f"--from and --to: expected 1 to {DAY_COUNT_MAX} days, the first of them first", USAGE)
    index = ledger_index(open_data(data))
    key = int(sim) - 2**64 if int(sim) >= 2**63 else int(sim)
    try:
        entries = sim_history(data, index.pieces, key, first, last, known_ms)
    except LedgerDamaged as damage:
        fail(f"{damage}. Delete {data / 'derived'} and ask again: it is made from the journal")
    document = history_document(sim, entries, index, known_ms, quota_of(data))
    if output is Format.JSON:
        json.dump(document, sys.stdout, ensure_ascii=False, indent=1)
        sys.stdout.write("\n")
    elif output is Format.CSV:
        write_csv(document)
    else:
        from phusong.dashboards.quota_tables import history_table

        history_table(document)
    if any(entry.state is DayState.NOT_CLOSED for entry in entries):
        say(
            "phusong: days that are not closed are asked for one by one: phusong quota --day D --sim KEY"
        )


def ledger_index(data: Path) -> Index:
    """Return the index of a ledger that is whole, making it from the journal where it is not."""
    index = read_index(data)
    if index is not None and not missing_pieces(data, index.pieces):
        if last_time_ms(data / "journal") < index.next_close_ms:
            return index
        if (data / "serve.json").exists():
            say("phusong: the service has not closed the last days yet; this is the ledger before")
            return index
    from phusong.dashboards.commands.replaying import ledger_of

    say("phusong: making the ledger from the journal; this happens once, a service keeps it up")
    return ledger_of(data)


def last_time_ms(folder: Path) -> int:
    """Return when the last frame of a journal arrived, 0 where there is none: what a damaged one says is found out elsewhere."""
    for path in reversed(segments(folder)):
        try:
            with closing(open_segment(path)) as database:
                row = database.execute(
                    "SELECT received_time_ms FROM frame ORDER BY sequence DESC LIMIT 1"
                ).fetchone()
        except (sqlite3.Error, SealDamaged):
            return 0
        if row is not None:
            return int(row[0])
    return 0


def quota_of(data: Path) -> QuotaSettings:
    """Return the quota that the snapshot was made with, the default where none says so.

    Out of its one small part: the rest may be hundreds of megabytes, and no byte of the ledger depends on the quota.
    """
    try:
        with zipfile.ZipFile(data / "snapshot" / "state.snapshot") as file:
            meta = json.loads(np.load(io.BytesIO(file.read("meta.npy"))).tobytes())
        return QuotaSettings(int(meta["quota_bytes"]))
    except (OSError, zipfile.BadZipFile, KeyError, ValueError):
        return QuotaSettings()


def history_document(
    sim: str,
    entries: list[DayEntry],
    index: Index,
    known_ms: int | None,
    settings: QuotaSettings,
) -> dict[str, Any]:
    """Return the answer as scripts read it; documented in docs/reports.md."""
    return {
        "sim": sim,
        "quota_bytes": settings.quota_bytes,
        "quota_bytes_decimal": QUOTA_BYTES_DECIMAL,
        "known_at": iso_text(known_ms),
        "software": software(),
        "ledger": {"sequence": index.sequence, "complete_until": iso_text(index.next_close_ms)},
        "days": [_day_record(entry, settings) for entry in entries],
    }


def _day_record(entry: DayEntry, settings: QuotaSettings) -> dict[str, Any]:
    metered, indeterminate, _ = known = entry.known_bytes
    return {
        "day": entry.day,
        "state": str(entry.state),
        **dict(zip(NAMES, known, strict=True)),
        "is_at_quota": metered - indeterminate >= settings.quota_bytes,
        "is_at_4_decimal_gigabytes": metered - indeterminate >= QUOTA_BYTES_DECIMAL,
        "closed": None
        if entry.closed_time_ms is None
        else {
            "time": iso_text(entry.closed_time_ms),
            "sequence": entry.closed_sequence,
            "day_sha256": entry.day_sha256,
            **dict(zip(NAMES, entry.closing_bytes, strict=True)),
        },
        "adjustments": [
            {
                "sequence": one.sequence,
                "known": iso_text(one.known_time_ms),
                "cause": one.cause,
                "used_bytes": one.metered_bytes,
                "indeterminate_bytes": one.indeterminate_bytes,
                "zero_rated_bytes": one.zero_rated_bytes,
            }
            for one in entry.adjustments
        ],
    }


CSV_COLUMNS = (
    *("day", "sim", "row", "state", "sequence", "known", "cause"),
    *NAMES,
)


def write_csv(document: dict[str, Any]) -> None:
    """Write a line for each closing and each adjustment: a column of bytes adds up to what is known."""
    sys.stdout.write("\ufeff")
    writer = csv.DictWriter(sys.stdout, CSV_COLUMNS, lineterminator="\r\n", extrasaction="ignore")
    writer.writeheader()
    for day in document["days"]:
        head = {"day": day["day"], "sim": document["sim"], "state": day["state"]}
        if day["closed"] is None:
            writer.writerow(head)
            continue
        closed = day["closed"]
        writer.writerow(head | closed | {"row": "closing", "known": closed["time"]})
        for adjustment in day["adjustments"]:
            writer.writerow(head | adjustment | {"row": "adjustment"})
