"""The ledger on disk, for analysis and for questions about weeks: Parquet per day and shard. Only a cache.

    DATA/derived/ledger/index.json                                         what there is, with digests
    DATA/derived/ledger/day=2021-10-01/shard=3/closing.parquet             the entries of the day as it closed
    DATA/derived/ledger/day=2021-10-01/shard=3/adjustments-%020d.parquet   what came since, up to a sequence

A file is written once, under another name, synced and renamed; a day's first files come in one folder that is renamed. The index is
renamed over the old one last: what it names is there. All of it follows from the journal, to the byte, and may be deleted.
"""

import io
import json
import os
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from phusong.kernels.shard_number import SHARD_VERSION
from phusong.verifier.quota.day_text import day_text
from phusong.verifier.quota.ledger_pieces import (
    ADJUSTMENT_COLUMNS,
    CLOSE_GRACE_MS,
    ENTRY_COLUMNS,
    FORMAT,
    SHARD_COUNT,
    Piece,
    Written,
    day_digest,
    digest_of,
)

FOLDER = Path("derived") / "ledger"
INDEX = "index.json"
# One is read for a question about a SIM: 8,192 lines are some 200 KB, and a footer of a million SIMs names 16 of them.
ROW_GROUP_ROWS = 8192
FOLDER_MODE = 0o700
FILE_MODE = 0o600


class Index(NamedTuple):
    """What the folder holds, and up to which frame it is the ledger."""

    sequence: int
    next_close_ms: int
    pieces: list[Piece]


class LedgerDamaged(Exception):
    """A file of the ledger is missing, or not what the index says. It can be deleted and made again."""


def path_of(data: Path, piece: Piece) -> Path:
    """Return where a piece lies."""
    name = "closing" if piece.is_closing else f"adjustments-{piece.sequence:020d}"
    return (
        data
        / FOLDER
        / f"day={day_text(piece.ict_day)}"
        / f"shard={piece.shard}"
        / f"{name}.parquet"
    )


def write_pieces(data: Path, written: list[Written]) -> None:
    """Write pieces that the folder does not hold according to its index. Raises OSError."""
    _folder(data / FOLDER)
    index = read_index(data)
    known = set() if index is None else set(index.pieces)
    written = [
        one for one in written if one.piece not in known or not path_of(data, one.piece).exists()
    ]
    closing: dict[int, list[Written]] = {}
    for one in written:
        if one.piece.is_closing:
            closing.setdefault(one.piece.ict_day, []).append(one)
    for day, pieces in closing.items():
        _write_day(data / FOLDER / f"day={day_text(day)}", pieces)
    for one in written:
        path = path_of(data, one.piece)
        # Without the closing, which could not be written then, a day stays absent.
        if not one.piece.is_closing and path.parent.parent.exists():
            _folder(path.parent)
            _write_rows(path, one.rows, ADJUSTMENT_COLUMNS)


def write_index(data: Path, index: Index) -> None:
    """Say what the folder holds from now on. Raises OSError."""
    of_day: dict[int, list[Piece]] = {}
    for piece in index.pieces:
        of_day.setdefault(piece.ict_day, []).append(piece)
    document = {
        "format": FORMAT,
        "shard_version": SHARD_VERSION,
        "shard_count": SHARD_COUNT,
        "close_grace_ms": CLOSE_GRACE_MS,
        "sequence": index.sequence,
        "next_close_ms": index.next_close_ms,
        "days": {day_text(day): day_digest(found) for day, found in sorted(of_day.items())},
        "pieces": [[*piece[:6], piece.digest.hex()] for piece in index.pieces],
    }
    _write_file(data / FOLDER / INDEX, (json.dumps(document, indent=1) + "\n").encode())


def read_index(data: Path) -> Index | None:
    """Return what the folder holds, None where that cannot be said."""
    try:
        document: dict[str, Any] = json.loads((data / FOLDER / INDEX).read_bytes())
        if (document["format"], document["shard_version"], document["shard_count"]) != (
            *(FORMAT, SHARD_VERSION),
            SHARD_COUNT,
        ):
            return None
        pieces = [
            Piece(day, shard, is_closing, sequence, known_ms, count, bytes.fromhex(digest))
            for day, shard, is_closing, sequence, known_ms, count, digest in document["pieces"]
        ]
        return Index(int(document["sequence"]), int(document["next_close_ms"]), pieces)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def missing_pieces(data: Path, pieces: list[Piece]) -> list[Piece]:
    """Return those whose file is not there."""
    return [piece for piece in pieces if not path_of(data, piece).exists()]


def read_rows(path: Path) -> NDArray[np.int64]:
    """Return the rows of a file. Raises LedgerDamaged."""
    import polars as pl  # noqa: PLC0415  a quarter of a second that other questions need not wait

    try:
        table = pl.read_parquet(path)
        columns = [table[name].to_numpy() for name in table.columns]
    except (OSError, pl.exceptions.PolarsError) as error:
        raise LedgerDamaged(f"{path}: {error}") from error
    return np.stack(columns, axis=1).astype(np.int64) if columns else np.empty((0, 0), np.int64)


def differing_pieces(data: Path, pieces: list[Piece]) -> list[str]:
    """Return which files do not hold what the pieces of a ledger say, in words; files that are not there do not differ."""
    found = []
    for piece in pieces:
        path = path_of(data, piece)
        if not path.exists():
            continue
        try:
            rows = read_rows(path)
        except LedgerDamaged as damage:
            found.append(str(damage))
            continue
        if digest_of(piece.ict_day, piece.shard, rows) != piece.digest:
            found.append(f"{path}: not the entries that the journal implies")
    return found


def _write_day(folder: Path, pieces: list[Written]) -> None:
    """Write the closing of a day in one go: a folder of all its shards, renamed when it is whole."""
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)  # left by a crash
    _folder(partial)
    for one in pieces:
        path = partial / f"shard={one.piece.shard}" / "closing.parquet"
        _folder(path.parent)
        _write_rows(path, one.rows, ENTRY_COLUMNS)
        _sync_folder(path.parent)
    _sync_folder(partial)
    # Of another software, or a part of it was deleted: what belongs there is known, and adjustments follow again.
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
    _sync_folder(folder.parent)


def _write_rows(path: Path, rows: NDArray[np.int64], names: tuple[str, ...]) -> None:
    import polars as pl  # noqa: PLC0415

    columns = {name: np.ascontiguousarray(rows[:, k]) for k, name in enumerate(names)}
    content = io.BytesIO()
    pl.DataFrame(columns).write_parquet(
        content, compression="zstd", statistics=True, row_group_size=ROW_GROUP_ROWS
    )
    _write_file(path, content.getvalue())


def _write_file(path: Path, content: bytes) -> None:
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, FILE_MODE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    _sync_folder(path.parent)


def _folder(folder: Path) -> None:
    folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
