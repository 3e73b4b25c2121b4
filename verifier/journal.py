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
    """Follows the journal in `folder`; a missing folder is a journal without frames yet."""

    def __init__(self, folder: Path, position: Position | None = None) -> None:
        """Start after `position`, by default before the first frame."""
        self.folder = folder
        self.position = position or Position()
        self._segment: Path | None = None

    def frames(self, until_sequence: int | None = None) -> Iterator[StoredFrame]:
        """Yield the committed frames after the position, and move it.

        Raises JournalDamaged where the chain or the sequence breaks.
        """
        while run := self._read_run(until_sequence):
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
        path = self._segment_of(sequence)
        if path is None:
            return None
        with closing(_open(path)) as database:
            row = database.execute(
                "SELECT chain FROM frame WHERE sequence = ?", (sequence,)
            ).fetchone()
        return bytes(row[0]) if row else None

    def _read_run(self, until_sequence: int | None) -> list[StoredFrame]:
        wanted = self.position.sequence + 1
        if until_sequence is not None and wanted > until_sequence:
            return []
        path = self._segment_of(wanted)
        if path is None:
            return []
        self._segment = path
        with closing(_open(path)) as database:
            rows = database.execute(
                "SELECT sequence, received_time_ms, body, chain FROM frame"
                " WHERE sequence BETWEEN ? AND ? ORDER BY sequence LIMIT ?",
                (wanted, until_sequence or 2**62, RUN_FRAME_COUNT),
            ).fetchall()
        return [StoredFrame(int(s), int(t), bytes(b), bytes(c)) for s, t, b, c in rows]

    def _segment_of(self, sequence: int) -> Path | None:
        """Return the segment in which a sequence lies or would lie next."""
        found = None
        for path in segments(self.folder):
            with closing(_open(path)) as database:
                row = database.execute(
                    "SELECT value FROM meta WHERE key = 'first_sequence'"
                ).fetchone()
            if row is None or int(row[0]) > sequence:
                break
            found = path
        return found

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


def _open(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=10)
    database.execute("PRAGMA query_only = ON")
    return database
