"""What a SIM used on closed days, from the files of the ledger alone: as closed, and adjusted since."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from phusong.kernels.shard_number import shard_number
from phusong.verifier.quota.day_text import day_text
from phusong.verifier.quota.ledger_files import LedgerDamaged, path_of
from phusong.verifier.quota.ledger_pieces import (
    ADJUSTMENT_COLUMNS,
    ENTRY_COLUMNS,
    SHARD_COUNT,
    Cause,
    Piece,
    day_digest,
)

NO_BYTES = (0, 0, 0)


class DayState(StrEnum):
    """What the ledger knows of a day."""

    CLOSED = "CLOSED"
    NO_ENTRY = "NO_ENTRY"  # the day is closed, and the SIM has no byte on it
    NOT_CLOSED = "NOT_CLOSED"  # not yet, or not as known then; or nobody was heard of on it


@dataclass(frozen=True, slots=True)
class Adjustment:
    """Bytes added to a closed day, or taken back from it."""

    sequence: int
    known_time_ms: int
    cause: str
    metered_bytes: int
    indeterminate_bytes: int
    zero_rated_bytes: int


@dataclass(frozen=True, slots=True)
class DayEntry:
    """A day of a SIM: its entry as the day closed, what came since, and the sum of both."""

    day: str
    state: DayState
    closed_time_ms: int | None
    closed_sequence: int | None
    day_sha256: str | None
    closing_bytes: tuple[int, int, int]  # metered, indeterminate, zero-rated
    adjustments: tuple[Adjustment, ...]

    @property
    def known_bytes(self) -> tuple[int, int, int]:
        """Metered, indeterminate and zero-rated bytes with all adjustments."""
        parts = [
            (one.metered_bytes, one.indeterminate_bytes, one.zero_rated_bytes)
            for one in self.adjustments
        ]
        metered, indeterminate, zero_rated = map(sum, zip(self.closing_bytes, *parts, strict=True))
        return metered, indeterminate, zero_rated


def sim_history(  # noqa: PLR0917  a SIM and a range are one question
    data: Path, pieces: list[Piece], key: int, first_day: int, last_day: int, known_ms: int | None
) -> list[DayEntry]:
    """Return every day from first to last. Raises LedgerDamaged where a file that is named cannot be read.

    key: int64 bits. known_ms: only what was known by then; None: all that is written down.
    """
    shard = shard_number(key, SHARD_COUNT)
    wanted = [p for p in pieces if p.shard == shard and first_day <= p.ict_day <= last_day]
    closings = {
        p.ict_day: p
        for p in wanted
        if p.is_closing and (known_ms is None or p.known_time_ms <= known_ms)
    }
    entries = _rows_of(data, list(closings.values()), key)
    found: dict[int, list[Adjustment]] = {}
    late = [p for p in wanted if not p.is_closing and p.ict_day in closings]
    for row in _rows_of(data, late, key):
        sequence, known_time_ms = int(row["sequence"]), int(row["known_time_ms"])
        if known_ms is not None and known_time_ms > known_ms:
            continue
        parts = (int(row[name]) for name in ENTRY_COLUMNS[1:])
        adjustment = Adjustment(sequence, known_time_ms, Cause(row["cause"]).name, *parts)
        found.setdefault(row["ict_day"], []).append(adjustment)
    sums: dict[int, tuple[int, int, int]] = {
        row["ict_day"]: (row["metered_bytes"], row["indeterminate_bytes"], row["zero_rated_bytes"])
        for row in entries
    }
    of_day: dict[int, list[Piece]] = {}
    for piece in pieces:
        of_day.setdefault(piece.ict_day, []).append(piece)
    days = []
    for day in range(first_day, last_day + 1):
        closing = closings.get(day)
        if closing is None:
            nothing = (None, None, None, NO_BYTES, ())
            days.append(DayEntry(day_text(day), DayState.NOT_CLOSED, *nothing))
            continue
        has_entry = day in sums or day in found
        days.append(
            DayEntry(
                day_text(day),
                DayState.CLOSED if has_entry else DayState.NO_ENTRY,
                closing.known_time_ms,
                closing.sequence,
                day_digest(of_day[day]),
                sums.get(day, NO_BYTES),
                tuple(sorted(found.get(day, ()), key=lambda one: (one.sequence, one.cause))),
            )
        )
    return days


def _rows_of(data: Path, pieces: list[Piece], key: int) -> list[dict[str, Any]]:
    """Return the rows of a SIM in files of one kind, with their day."""
    import polars as pl  # noqa: PLC0415  a quarter of a second that other questions need not wait

    if not pieces:
        return []
    paths = {str(path_of(data, piece)): piece.ict_day for piece in pieces}
    names = ENTRY_COLUMNS if pieces[0].is_closing else ADJUSTMENT_COLUMNS
    lazy = pl.scan_parquet(list(paths), include_file_paths="file", hive_partitioning=False)
    try:
        table = lazy.filter(pl.col("subscriber_key") == key).select(*names, "file").collect()
    except (OSError, pl.exceptions.PolarsError) as error:
        raise LedgerDamaged(str(error)) from error
    return [row | {"ict_day": paths[row["file"]]} for row in table.to_dicts()]
