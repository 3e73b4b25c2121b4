"""The journal, reading side: frames in order, each proven to follow the one before; sealed segments or not.

Readers open the segments read-only while the one writer writes them (SQLite in WAL mode), in this
process or another. The format is in ARCHITECTURE.md.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from phusong.kernels.frame import CHAIN_START, chain_hash
from phusong.verifier.sealed import (
    SealDamaged,
    is_sealed,
    noted_head,
    open_segment,
    segment_number,
    segments,
)

# Frames are read in runs, so that a reader neither asks once per frame nor holds gigabytes.
RUN_FRAME_COUNT = 64
TIME_MAX_MS = 2**63 - 1
# What SQLite says of a file that is not what it was; a lock or a failing disk is another matter.
DAMAGED_CODES = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}


class JournalDamaged(Exception):
    """A frame does not follow from the one before it. Names the segment and the sequence."""


class Position(NamedTuple):
    """How far a reader has come: the last frame it took, and the chain up to there."""

    sequence: int = 0
    chain: bytes = CHAIN_START


class StoredFrame(NamedTuple):
    """One commit of the journal."""

    sequence: int
    received_time_ms: int
    body: bytes
    chain: bytes

    @property
    def position(self) -> Position:
        """Where a reader stands after this frame."""
        return Position(self.sequence, self.chain)


class JournalReader:
    """Follows the journal in `folder`; a missing folder is a journal without frames yet.

    Keeps the segment it reads open: a follower looks hundreds of times a second.
    """

    def __init__(self, folder: Path, position: Position | None = None) -> None:
        """Start after `position`, by default before the first frame."""
        self.folder = folder
        self.position = position or Position()
        self._segment: Path | None = None
        self._database: sqlite3.Connection | None = None

    @property
    def segment(self) -> Path | None:
        """The segment of the frame that was read last."""
        return self._segment

    def segment_meta(self) -> dict[str, Any]:
        """Return what the open segment says about itself. Raises JournalDamaged."""
        if self._database is None or self._segment is None:
            return {}
        with _reading(self._segment):
            return dict(self._database.execute("SELECT key, value FROM meta").fetchall())

    def close(self) -> None:
        """Let go of the segment that is open."""
        if self._database is not None:
            self._database.close()
        self._segment = self._database = None

    def frames(self, until_sequence: int | None = None) -> Iterator[StoredFrame]:
        """Yield the committed frames after the position, and move it.

        Raises JournalDamaged where the chain or the sequence breaks.
        """
        while run := self._read_run(2**62 if until_sequence is None else until_sequence):
            for frame in run:
                self._prove(frame)
                self.position = frame.position
                yield frame

    def last(self) -> Position:
        """Return the last committed position."""
        for path in reversed(segments(self.folder)):
            with _reading(path), closing(open_segment(path)) as database:
                row = database.execute(
                    "SELECT sequence, chain FROM frame ORDER BY sequence DESC LIMIT 1"
                ).fetchone()
            if row is not None:
                return Position(int(row[0]), bytes(row[1]))
        return Position()

    def last_time_ms(self) -> int:
        """Return when the last committed frame arrived, 0 where there is none."""
        for path in reversed(segments(self.folder)):
            with _reading(path), closing(open_segment(path)) as database:
                row = database.execute(
                    "SELECT received_time_ms FROM frame ORDER BY sequence DESC LIMIT 1"
                ).fetchone()
            if row is not None:
                return int(row[0])
        return 0

    def chain_at(self, sequence: int) -> bytes | None:
        """Return the chain at a sequence, None where there is no such frame."""
        if sequence == 0:
            return CHAIN_START
        path = _segment_of(self.folder, sequence)
        if path is None:
            return None
        with _reading(path), closing(open_segment(path)) as database:
            row = database.execute(
                "SELECT chain FROM frame WHERE sequence = ?", (sequence,)
            ).fetchone()
            if row is None:  # the last of the frames that were pruned is known by the one after it
                row = database.execute(
                    "SELECT value FROM meta WHERE key = 'previous_chain' AND"
                    " (SELECT value FROM meta WHERE key = 'first_sequence') = ?",
                    (sequence + 1,),
                ).fetchone()
        return bytes(row[0]) if row else None

    def _read_run(self, until_sequence: int) -> list[StoredFrame]:
        """Return the next frames of the open segment, else of those that come after it."""
        rows = self._select(until_sequence)
        while not rows and self.position.sequence < until_sequence:
            path = self._next_segment()
            if path is None:
                return []
            # The writer may have gone on since we looked; with a segment after it, this one is whole.
            rows = self._select(until_sequence)
            if not rows:
                self.close()
                with _reading(path):
                    self._database = open_segment(path)
                self._segment = path
                rows = self._select(until_sequence)
        return rows

    def _next_segment(self) -> Path | None:
        """Return the segment to open next: the one after the open one, whatever its first frame is."""
        if self._segment is None:
            return _segment_of(self.folder, self.position.sequence + 1)
        number = segment_number(self._segment)
        return next((p for p in segments(self.folder) if segment_number(p) > number), None)

    def _select(self, until_sequence: int) -> list[StoredFrame]:
        if self._database is None or self._segment is None:
            return []
        with _reading(self._segment):
            rows = self._database.execute(
                "SELECT sequence, received_time_ms, body, chain FROM frame"
                " WHERE sequence BETWEEN ? AND ? ORDER BY sequence LIMIT ?",
                (self.position.sequence + 1, until_sequence, RUN_FRAME_COUNT),
            ).fetchall()
        return [self._frame(row) for row in rows]

    def _frame(self, row: tuple[Any, Any, Any, Any]) -> StoredFrame:
        frame = StoredFrame(*row)
        is_typed = (
            isinstance(frame.received_time_ms, int)
            and isinstance(frame.body, bytes)
            and isinstance(frame.chain, bytes)
        )
        if not is_typed or not 0 <= frame.received_time_ms <= TIME_MAX_MS:
            raise JournalDamaged(f"{self._where(frame.sequence)}: no frame has such values")
        return frame

    def _where(self, sequence: int) -> str:
        return f"{self._segment.name if self._segment else '?'}, sequence {sequence}"

    def _prove(self, frame: StoredFrame) -> None:
        where = self._where(frame.sequence)
        if frame.sequence != self.position.sequence + 1:
            missing = f"sequence {self.position.sequence + 1} to {frame.sequence - 1}"
            raise JournalDamaged(
                f"{where}: expected sequence {self.position.sequence + 1}"
                + (f"; {missing} are missing" if frame.sequence > self.position.sequence else "")
            )
        expected = chain_hash(
            self.position.chain, frame.sequence, frame.received_time_ms, frame.body
        )
        if expected != frame.chain:
            raise JournalDamaged(
                f"{where}: the stored chain is {frame.chain.hex()[:16]}…, recomputed {expected.hex()[:16]}…"
            )


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Name the segment in which reading fails because it is damaged."""
    try:
        yield
    except SealDamaged as damage:
        raise JournalDamaged(f"{path.name}: {damage}") from damage
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF not in DAMAGED_CODES:
            raise
        raise JournalDamaged(f"{path.name}: {error}") from error


def first_sequence_in(folder: Path) -> int:
    """Return the sequence the journal that is there begins with, 1 for one without segments. Raises JournalDamaged."""
    path = next(iter(segments(folder)), None)
    if path is None:
        return 1
    head = noted_head(path) if is_sealed(path) else None
    return _first_sequence(path) if head is None else head.first


def _segment_of(folder: Path, sequence: int) -> Path | None:
    """Return the segment in which a sequence lies or would lie next, the first one when none says so.

    Of a sealed one the note tells, which saves unpacking it. A note that lies leads to frames that do not follow.
    """
    paths = segments(folder)
    for path in reversed(paths):
        head = noted_head(path) if is_sealed(path) else None
        if (_first_sequence(path) if head is None else head.first) <= sequence:
            return path
    return paths[0] if paths else None


def _first_sequence(path: Path) -> int:
    with _reading(path), closing(open_segment(path)) as database:
        row = database.execute("SELECT value FROM meta WHERE key = 'first_sequence'").fetchone()
    if row is None or not isinstance(row[0], int):
        raise JournalDamaged(f"{path.name}: does not say which sequence it begins with")
    return row[0]
