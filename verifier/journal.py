"""The journal, reading side: frames in order, each proven to follow the one before.

Readers open the segments read-only while the one writer writes them (SQLite in WAL mode), in this
process or another. The format is in ARCHITECTURE.md.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from phusong.kernels.frame import CHAIN_START, chain_hash

FORMAT = "1"
# Frames are read in runs, so that a reader neither asks once per frame nor holds gigabytes.
RUN_FRAME_COUNT = 64


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
            with closing(_open(path)) as database:
                row = database.execute(
                    "SELECT sequence, chain FROM frame ORDER BY sequence DESC LIMIT 1"
                ).fetchone()
            if row is not None:
                return Position(int(row[0]), bytes(row[1]))
        return Position()

    def chain_at(self, sequence: int) -> bytes | None:
        """Return the chain at a sequence, None where there is no such frame."""
        if sequence == 0:
            return CHAIN_START
        path = _segment_of(self.folder, sequence)
        if path is None:
            return None
        with closing(_open(path)) as database:
            row = database.execute(
                "SELECT chain FROM frame WHERE sequence = ?", (sequence,)
            ).fetchone()
        return bytes(row[0]) if row else None

    def _read_run(self, until_sequence: int) -> list[StoredFrame]:
        """Return the next frames of the open segment, else of the one that comes after it."""
        rows = self._select(until_sequence)
        if not rows:
            path = _segment_of(self.folder, self.position.sequence + 1)
            if path is None or path == self._segment:
                return []
            self.close()
            self._segment, self._database = path, _open(path)
            rows = self._select(until_sequence)
        return [StoredFrame(int(s), int(t), bytes(b), bytes(c)) for s, t, b, c in rows]

    def _select(self, until_sequence: int) -> list[tuple[int, int, bytes, bytes]]:
        if self._database is None:
            return []
        return self._database.execute(
            "SELECT sequence, received_time_ms, body, chain FROM frame"
            " WHERE sequence BETWEEN ? AND ? ORDER BY sequence LIMIT ?",
            (self.position.sequence + 1, until_sequence, RUN_FRAME_COUNT),
        ).fetchall()

    def _prove(self, frame: StoredFrame) -> None:
        where = f"{self._segment.name if self._segment else '?'}, sequence {frame.sequence}"
        if frame.sequence != self.position.sequence + 1:
            raise JournalDamaged(f"{where}: expected sequence {self.position.sequence + 1}")
        expected = chain_hash(
            self.position.chain, frame.sequence, frame.received_time_ms, frame.body
        )
        if expected != frame.chain:
            raise JournalDamaged(
                f"{where}: the stored chain is {frame.chain.hex()[:16]}…, recomputed {expected.hex()[:16]}…"
            )


def segments(folder: Path) -> list[Path]:
    """Return the segment files in order."""
    return sorted(folder.glob("segment-*.sqlite"))


def _segment_of(folder: Path, sequence: int) -> Path | None:
    """Return the segment in which a sequence lies or would lie next."""
    for path in reversed(segments(folder)):
        with closing(_open(path)) as database:
            row = database.execute("SELECT value FROM meta WHERE key = 'first_sequence'").fetchone()
        if row is not None and int(row[0]) <= sequence:
            return path
    return None


def _open(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=10)
    database.execute("PRAGMA query_only = ON")
    return database
