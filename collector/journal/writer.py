"""The one writer of the journal: appends frames, and answers only when they are on disk.

Everything here blocks and belongs on one worker thread.
"""

import errno
import fcntl
import os
import secrets
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Self

from phusong.collector.journal.end import end_of
from phusong.collector.journal.segment import (
    FILE_MODE,
    JournalDamaged,
    SegmentMeta,
    StoredFrame,
    create_segment,
    make_folder,
    read_meta,
    segment_path,
    segment_paths,
    sync_folder,
)
from phusong.kernels.frame import CHAIN_START, chain_hash

# A segment is what gets sealed, signed, compressed and copied: small enough to move, large enough that a year at a
# few MB/s stays in the tens of thousands of files.
SEGMENT_MAX_BYTES = 1 << 30
SEGMENT_MAX_MS = 24 * 60 * 60 * 1000

# The write-ahead log is copied into the segment when it holds this much: rarely, and while it is still in memory.
CHECKPOINT_BYTES = 32 << 20


class JournalLocked(Exception):
    """Another process writes this journal."""


class JournalFailed(Exception):
    """A commit failed. The writer stops for good: Linux marks unwritten pages clean, so trying again would lie."""


class NoSpace(Exception):
    """The disk had no room for a commit. Nothing of it is in the journal, and it may be tried again."""


class NotTaken(JournalFailed):
    """What waited for room when the service ended: it is not in the journal, and nothing else is wrong."""


class NewFrame(NamedTuple):
    """What a commit is to hold."""

    received_time_ms: int
    body: bytes


class JournalWriter:
    """Appends to the journal in `folder`, which is made when missing."""

    def __init__(
        self,
        folder: Path,
        *,
        segment_max_bytes: int = SEGMENT_MAX_BYTES,
        segment_max_ms: int = SEGMENT_MAX_MS,
    ) -> None:
        """Open the journal after its last committed frame.

        Raises JournalLocked when another process writes it, JournalDamaged when its last frames do not follow
        from each other, OSError and sqlite3.Error when the disk does not let us.
        """
        self.folder = folder
        self.segment_max_bytes = segment_max_bytes
        self.segment_max_ms = segment_max_ms
        self.is_failed = False
        self.sequence = 0
        self.chain = CHAIN_START
        self.received_time_ms = 0
        self._first_time_ms: int | None = None
        self._segment_bytes = 0
        self._log_bytes = 0
        make_folder(folder)
        self._lock = _lock(folder)
        try:
            self._database = self._recover()
        except BaseException:
            os.close(self._lock)
            raise

    @property
    def journal(self) -> str:
        """The random id that all segments of this journal share."""
        return self._meta.journal

    def append(self, frames: Sequence[NewFrame]) -> int:
        """Commit frames in one transaction and return the sequence of the last; they are on disk then.

        The received time may not run backwards. Raises NoSpace, after which the same may be tried again, and
        JournalFailed, for good.
        """
        if self.is_failed:
            raise JournalFailed("an earlier commit failed; the journal takes nothing more")
        assert frames, "a commit holds something"
        rows: list[StoredFrame] = []
        sequence, chain = self.sequence, self.chain
        received_time_ms = self.received_time_ms
        for frame in frames:
            assert frame.received_time_ms >= received_time_ms, "arrival never runs backwards"
            received_time_ms = frame.received_time_ms
            sequence += 1
            chain = chain_hash(chain, sequence, received_time_ms, frame.body)
            rows.append(StoredFrame(sequence, received_time_ms, frame.body, chain))
        try:
            self._rotate_if_due(rows[0].received_time_ms)
            self._database.execute("BEGIN IMMEDIATE")
            self._database.executemany("INSERT INTO frame VALUES (?, ?, ?, ?)", rows)
            self._database.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            self._roll_back_if_full(error)
            raise JournalFailed(
                f"commit of {len(rows)} frames from sequence {rows[0].sequence}: {error}"
            ) from error
        if self._first_time_ms is None:
            self._first_time_ms = rows[0].received_time_ms
        written_bytes = sum(len(row.body) for row in rows)
        self._segment_bytes += written_bytes
        self._log_bytes += written_bytes
        self.sequence, self.chain, self.received_time_ms = sequence, chain, received_time_ms
        return sequence

    def tidy(self) -> None:
        """Copy the write-ahead log into the segment when it has grown; call it after receipts have left."""
        if self._log_bytes < CHECKPOINT_BYTES or self.is_failed:
            return
        try:
            self._database.execute("PRAGMA wal_checkpoint(PASSIVE)")
        except sqlite3.Error as error:
            # The log is whole and stays; what was copied of it is copied again.
            if _is_full(error):
                return
            self.is_failed = True
            raise JournalFailed(f"checkpoint of the write-ahead log: {error}") from error
        self._log_bytes = 0

    def give_up(self) -> None:
        """Write nothing more: what follows would not be what was judged."""
        self.is_failed = True

    @property
    def segment(self) -> int:
        """The number of the live segment."""
        return self._meta.segment

    @property
    def segment_bytes(self) -> int:
        """About how large the live segment is."""
        return self._segment_bytes

    def close(self) -> None:
        """Release the journal; what was committed stays."""
        self._database.close()
        os.close(self._lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _recover(self) -> sqlite3.Connection:
        paths = segment_paths(self.folder)
        if not paths:
            meta = SegmentMeta(secrets.token_hex(16), 1, 1, CHAIN_START)
            return self._open(create_segment(self.folder, meta))
        if paths[-1].suffix != ".sqlite":
            raise JournalDamaged(f"{paths[-1].name}: the segment after this sealed one is gone")
        database = self._open(paths[-1])
        try:
            end = end_of(paths, database, self._meta)
        except BaseException:
            database.close()
            raise
        self.sequence, self.chain, self.received_time_ms = end
        return database

    def _open(self, path: Path) -> sqlite3.Connection:
        # Isolation None: BEGIN and COMMIT stand where we write them.
        database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        # By hand, in `tidy`: SQLite swallows the error of an automatic checkpoint.
        database.execute("PRAGMA wal_autocheckpoint = 0")
        self._meta = read_meta(database)
        row = database.execute(
            "SELECT min(received_time_ms) FROM frame WHERE sequence = ?",
            (self._meta.first_sequence,),
        ).fetchone()
        self._first_time_ms = row[0]
        self._segment_bytes = path.stat().st_size
        self._log_bytes = 0
        sync_folder(self.folder)
        return database

    def _rotate_if_due(self, time_ms: int) -> None:
        if self._first_time_ms is None:
            return  # an empty segment is never followed by another
        is_old = time_ms - self._first_time_ms >= self.segment_max_ms
        if self._segment_bytes < self.segment_max_bytes and not is_old:
            return
        self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        meta = SegmentMeta(
            self._meta.journal, self._meta.segment + 1, self.sequence + 1, self.chain
        )
        # The old one stays open until there is a new one: without room for it, this is tried again.
        path = self._create_next(meta)
        self._database.close()
        try:
            self._database = self._open(path)
        except (sqlite3.Error, OSError) as error:
            # It has its name already, so the old one must not grow: for good, even where there was only no room.
            self.is_failed = True
            raise JournalFailed(f"{path.name} cannot be opened: {error}") from error

    def _create_next(self, meta: SegmentMeta) -> Path:
        try:
            return create_segment(self.folder, meta)
        except OSError as error:
            # A disk without inodes may have bytes left. Once it has its name, what failed is the sync of it, and for good.
            is_full = error.errno in {errno.ENOSPC, errno.EDQUOT}
            if is_full and not segment_path(self.folder, meta.segment).exists():
                raise NoSpace(str(error)) from error
            raise

    def _roll_back_if_full(self, error: Exception) -> None:
        """Make ready to try again where the disk was full; any other failure is for good.

        A write that finds no room has written nothing that counts: SQLite fails before the record of the commit, or tears it,
        and the next commit goes over it. A failed fsync (SQLITE_IOERR_FSYNC) is another matter: the kernel has forgotten
        which pages it lost. Raises NoSpace.
        """
        if _is_full(error):
            try:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
            except sqlite3.Error:
                self.is_failed = True
                return
            raise NoSpace(str(error)) from error
        self.is_failed = True


def _is_full(error: Exception) -> bool:
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL


def _lock(folder: Path) -> int:
    descriptor = os.open(folder / "writer.lock", os.O_CREAT | os.O_RDWR, FILE_MODE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise JournalLocked(f"another process writes the journal in {folder}") from None
    return descriptor
