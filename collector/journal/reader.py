"""Committed frames for the collector's own memory, from any sequence on. The verifier proves the chain; this reads."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from phusong.collector.journal.sealed import note_path, open_sealed, sealed_path
from phusong.collector.journal.segment import (
    JournalDamaged,
    StoredFrame,
    read_meta,
    segment_number,
    segment_paths,
)
from phusong.kernels.frame import CHAIN_START
from phusong.kernels.note import NoteDamaged, decode_head, decode_note

# Rows fetched at once: frames are up to 2 MiB.
FETCH_FRAME_COUNT = 32
BUSY_TIMEOUT_S = 10
# What SQLite says of a file that is not what it was; a lock or a failing disk is another matter.
DAMAGED_CODES = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}


def read_frames(folder: Path, after_sequence: int = 0) -> Iterator[StoredFrame]:
    """Yield the committed frames after a sequence, in order and without a gap. Raises sqlite3.Error, JournalDamaged."""
    paths = segment_paths(folder)
    firsts = [first_sequence(path) for path in paths]
    for i, path in enumerate(paths):
        if i + 1 < len(paths) and firsts[i + 1] <= after_sequence + 1:
            continue
        for frame in _frames_of(path, after_sequence):
            if frame.sequence != after_sequence + 1:
                raise JournalDamaged(
                    f"{path.name}: sequence {after_sequence + 1} to {frame.sequence - 1} are missing before it"
                )
            after_sequence = frame.sequence
            yield frame


def _frames_of(path: Path, after_sequence: int) -> Iterator[StoredFrame]:
    try:
        with closing(open_any(path)) as database:
            cursor = database.execute(
                "SELECT sequence, received_time_ms, body, chain FROM frame WHERE sequence > ? ORDER BY sequence",
                (after_sequence,),
            )
            while rows := cursor.fetchmany(FETCH_FRAME_COUNT):
                yield from (StoredFrame(*row) for row in rows)
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF not in DAMAGED_CODES:
            raise
        raise JournalDamaged(f"{path.name}: {error}") from error


def first_sequence(path: Path) -> int:
    """Return the sequence a segment begins with; of a sealed one as its note says, which saves unpacking it."""
    if path.suffix == ".zst":
        note = note_path(path.parent, segment_number(path))
        try:
            return decode_head(decode_note(note.read_bytes()).text).first
        except (OSError, NoteDamaged):
            pass  # the segment itself knows
    with closing(open_any(path)) as database:
        return read_meta(database).first_sequence


def chain_at(folder: Path, sequence: int) -> bytes | None:
    """Return the chain at a sequence, None where there is no such frame."""
    if sequence == 0:
        return CHAIN_START
    for path in reversed(segment_paths(folder)):
        if first_sequence(path) <= sequence:
            with closing(open_any(path)) as database:
                row = database.execute(
                    "SELECT chain FROM frame WHERE sequence = ?", (sequence,)
                ).fetchone()
            return bytes(row[0]) if row else None
    # The last of the frames that were pruned is known by the one after it.
    for path in segment_paths(folder)[:1]:
        with closing(open_any(path)) as database:
            meta = read_meta(database)
        if meta.first_sequence == sequence + 1:
            return meta.previous_chain
    return None


def open_any(path: Path) -> sqlite3.Connection:
    """Open a segment for reading, sealed or not, also when it is being sealed at this moment."""
    if path.suffix == ".zst":
        return open_sealed(path)
    try:
        return open_segment(path)
    except sqlite3.OperationalError:
        sealed = sealed_path(path.parent, segment_number(path))
        if path.exists() or not sealed.exists():
            raise
        return open_sealed(sealed)


def open_segment(path: Path) -> sqlite3.Connection:
    """Open a segment for reading, whoever writes it meanwhile."""
    database = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro",
        uri=True,
        timeout=BUSY_TIMEOUT_S,
        check_same_thread=False,
    )
    database.execute("PRAGMA query_only = ON")
    return database
