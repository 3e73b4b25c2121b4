"""Writes the ledger's files beside whoever judges: a closing day of a million SIMs holds up nothing."""

import logging
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from phusong.verifier.quota.ledger import Ledger
from phusong.verifier.quota.ledger_files import Index, write_index, write_pieces
from phusong.verifier.quota.ledger_pieces import Written

log = logging.getLogger(__name__)


class LedgerWriter:
    """One thread, so that pieces are written in the order in which they were closed."""

    def __init__(self, data: Path) -> None:
        """Write below `data`."""
        self._data = data
        self._thread = ThreadPoolExecutor(1, "ledger")
        self._last: Future[None] | None = None

    def __call__(self, ledger: Ledger, sequence: int, written: list[Written]) -> None:
        """Take new pieces, as a ledger's sink."""
        index = Index(sequence, ledger.next_close_ms, ledger.pieces)
        self._last = self._thread.submit(self._write, index, written)

    @property
    def is_idle(self) -> bool:
        """Whether everything taken is written."""
        return self._last is None or self._last.done()

    def drain(self) -> None:
        """Wait until everything taken is written."""
        if self._last is not None:
            self._last.result()

    def _write(self, index: Index, written: list[Written]) -> None:
        try:
            write_pieces(self._data, written)
            write_index(self._data, index)
        except OSError as error:  # a full disk, say: the journal has it all
            log.warning(
                "the ledger could not be written: %s; `phusong quota --from … --to …` makes it again",
                error,
                extra={"event": "ledger_failed", "reason": str(error)},
            )
