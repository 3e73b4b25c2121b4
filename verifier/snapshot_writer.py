"""Writes snapshots beside whoever judges: the state of a million SIMs on its way to the disk holds up no decision."""

import logging
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from phusong.verifier.snapshot import StateCopy, write_copy

log = logging.getLogger(__name__)


class SnapshotWriter:
    """One thread; a snapshot is begun only when the last one is written."""

    def __init__(self, data: Path) -> None:
        """Write below `data`."""
        self.sequence = 0  # of the last snapshot on disk
        self._data = data
        self._thread = ThreadPoolExecutor(1, "snapshot")
        self._last: Future[None] | None = None

    @property
    def is_idle(self) -> bool:
        """Whether nothing is being written."""
        return self._last is None or self._last.done()

    def write(self, copy: StateCopy) -> None:
        """Take a copy to be written."""
        assert self.is_idle, "one at a time"
        self._last = self._thread.submit(self._write, copy)

    def drain(self) -> None:
        """Wait until what was taken is written."""
        if self._last is not None:
            self._last.result()

    def _write(self, copy: StateCopy) -> None:
        try:
            write_copy(self._data, copy)
        except OSError as error:  # a full disk, say: without it only the next start is slower
            log.warning(
                "no snapshot could be written: %s",
                error,
                extra={"event": "snapshot_failed", "reason": str(error)},
            )
        else:
            self.sequence = copy.sequence
