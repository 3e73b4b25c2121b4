"""The collector's memory written down beside the journal, while it grows and at the end: after a kill, only frames since are read.

Everything but the writing is done on the committer's thread, between two frames, so what is written is of one position of the
journal, and that position is on disk already. A failure costs time at the next start and nothing else.
"""

import contextlib
import errno
import hashlib
import io
import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from phusong.collector.decisions import BOARD_KINDS
from phusong.collector.journal.segment import FILE_MODE, sync_folder
from phusong.collector.journal.writer import JournalWriter
from phusong.collector.judge import Envelopes
from phusong.collector.memory import CACHE_NAME, Memory, MemoryCopy, copied, write_memory
from phusong.kernels.checked import DIGEST_BYTES

if TYPE_CHECKING:  # only checkers of types know it before Python 3.12
    from typing_extensions import Buffer

log = logging.getLogger(__name__)

# A start reads no more than this again: about a second of a core. A new segment is reason enough too: what was sealed may
# then be damaged, or moved away, and the service starts all the same.
SAVE_AFTER_BYTES = 256 << 20
# Of a service to which little comes, so that a start never reads frames that are much older than this.
SAVE_AFTER_S = 600.0
# Nothing is committed while the copy is made, and the disk is shared while it is written: a thousandth and a twentieth of
# the time, however large the memory is. Of a million identities and two million rows the copy takes 55 ms (up to 0.4 s
# where its 220 MiB are new to the process), the writing 1 s.
COPY_SHARE = 1000
WRITE_SHARE = 20
# A disk without room, mostly; somebody has to make some.
RETRY_S = 60.0
# Written in steps that are synced one by one: a commit may wait for one of them, 50 ms of a slow disk, and never for all.
SYNC_AFTER_BYTES = 8 << 20


class _Moment(NamedTuple):
    """When a copy was made."""

    segment: int
    noted_bytes: int
    held_s: float  # for so long nothing was committed


class MemoryCache:
    """Knows when to write the memory down. All methods are the committer's thread's."""

    def __init__(
        self, writer: JournalWriter, memory: Memory, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        """Begin with what was recovered. The board is copied: the loop's own runs behind the journal."""
        self._writer = writer
        self._judge = memory.judge
        self._board = memory.board.copy()
        self._clock_s = clock_s
        self._noted_bytes = memory.replayed_bytes
        self._saved_bytes = 0
        self._saved_sequence: int | None = None  # what is on disk may be of another version
        self._saved_segment = writer.segment
        self._saved_s = self._earliest_s = clock_s()
        self._thread: threading.Thread | None = None

    def note(self, envelopes: Envelopes) -> None:
        """Take in a frame that was committed."""
        self._noted_bytes += len(envelopes.body)
        kind = self._judge.table.kind
        numbers = np.flatnonzero(np.bincount(envelopes.route))
        if BOARD_KINDS.isdisjoint(kind[numbers].tolist()):
            return  # nearly always
        kind = kind[envelopes.route]
        for i in np.flatnonzero(np.isin(kind, list(BOARD_KINDS))).tolist():
            start, length = int(envelopes.offset[i]), int(envelopes.length[i])
            self._board.take(int(kind[i]), envelopes.body[start : start + length])

    def keep(self, room_bytes: int) -> None:
        """Have the memory written when it is time and the file fits into `room_bytes`."""
        if (self._thread is not None and self._thread.is_alive()) or not self._is_due():
            return
        begin_s = self._clock_s()
        try:
            copy = self._copied()
            moment = _Moment(self._writer.segment, self._noted_bytes, self._clock_s() - begin_s)
            thread = threading.Thread(
                target=self._write,
                args=(copy, moment, room_bytes),
                name="phusong-memory",
                daemon=True,
            )
            thread.start()
        except (MemoryError, RuntimeError) as error:  # no room for the copy, or for a thread
            self._note_failure(repr(error))
        else:
            self._thread = thread

    def close(self) -> None:
        """Write what is remembered at the end; unless a commit failed: it may be more than was committed."""
        if self._thread is not None:
            self._thread.join()
        if self._writer.is_failed or self._writer.sequence == self._saved_sequence:
            return
        try:
            write_cache(self._writer.folder, self._copied())
        except (OSError, MemoryError) as error:
            self._note_failure(repr(error))

    def _write(self, copy: MemoryCopy, moment: "_Moment", room_bytes: int) -> None:
        """Write a copy. On its own thread; what it sets is read when that has ended."""
        begin_s = self._clock_s()
        try:
            write_cache(self._writer.folder, copy, room_bytes)
        except (OSError, MemoryError) as error:
            self._note_failure(repr(error))
            return
        self._saved_sequence, self._saved_segment = copy.sequence, moment.segment
        self._saved_bytes = moment.noted_bytes
        self._saved_s = self._clock_s()
        pause_s = max(COPY_SHARE * moment.held_s, WRITE_SHARE * (self._saved_s - begin_s))
        self._earliest_s = self._saved_s + pause_s

    def _is_due(self) -> bool:
        now_s = self._clock_s()
        is_new = self._writer.sequence != self._saved_sequence
        if self._writer.is_failed or now_s < self._earliest_s or not is_new:
            return False
        return (
            self._writer.segment != self._saved_segment
            or self._noted_bytes - self._saved_bytes >= SAVE_AFTER_BYTES
            or now_s - self._saved_s >= SAVE_AFTER_S
        )

    def _copied(self) -> MemoryCopy:
        memory = Memory(self._judge, self._board, self._writer.sequence)
        return copied(memory, self._writer.chain)

    def _note_failure(self, reason: str) -> None:
        log.warning(
            "the collector's memory was not written, it is tried again: %s",
            reason,
            extra={"event": "memory_failed", "reason": reason},
        )
        self._earliest_s = self._clock_s() + RETRY_S


def write_cache(folder: Path, copy: MemoryCopy, room_bytes: int | None = None) -> None:
    """Write the cache, whole and synced or not at all. Raises OSError, also where it needs more than `room_bytes`."""
    if room_bytes is not None and copy.size_bytes > room_bytes:
        needed = f"{copy.size_bytes} bytes are needed, {room_bytes} are left above the reserve"
        raise OSError(errno.ENOSPC, needed)
    draft = folder / f"{CACHE_NAME}.draft"
    draft.unlink(missing_ok=True)  # left by a crash
    try:
        _write_synced(draft, copy)
        draft.replace(folder / CACHE_NAME)
    except BaseException:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise
    sync_folder(folder)


def _write_synced(draft: Path, copy: MemoryCopy) -> None:
    with io.BufferedRandom(_SteadyFile(draft)) as file:
        file.write(bytes(DIGEST_BYTES))
        write_memory(file, copy)
        file.seek(DIGEST_BYTES)
        digest = hashlib.file_digest(file, "sha256").digest()  # of what is behind the seek
        file.seek(0)
        file.write(digest)
        file.flush()
        os.fsync(file.fileno())


class _SteadyFile(io.FileIO):
    """A new file that is synced while it is written."""

    def __init__(self, path: Path) -> None:
        flags = os.O_CREAT | os.O_EXCL | os.O_RDWR
        super().__init__(path, "w+", opener=lambda name, _: os.open(name, flags, FILE_MODE))
        self._unsynced_bytes = 0

    def write(self, content: "Buffer") -> int:
        count = super().write(content)
        self._unsynced_bytes += count
        if self._unsynced_bytes >= SYNC_AFTER_BYTES:
            os.fsync(self.fileno())
            self._unsynced_bytes = 0
        return count
