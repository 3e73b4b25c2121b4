"""The quota ledger: a day of all SIMs closes once, and what comes to it later is a signed adjustment, never a rewrite.

A day closes CLOSE_GRACE_MS after its midnight or, where nothing of it was there by then, after the first of it arrived (an
import of old records, a source away for days): by the journal's times, before the first frame at or past that moment, so that
whoever reads the same journal closes the same day at the same frame with the same entries. A ledger as known at K is what was closed
by K and the adjustments known by K.

Only sums and digests stay here. The entries go to a sink, which writes them down (`ledger_files`).
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phusong.kernels.columns import Int64Column
from phusong.kernels.days import day_start_ms, ict_day
from phusong.kernels.shard import mark_shards
from phusong.verifier.quota.ledger_pieces import (
    ADJUSTMENT_COLUMNS,
    CLOSE_GRACE_MS,
    SHARD_COUNT,
    Cause,
    Piece,
    Written,
    digest_of,
)

# A flood of late data, an old month imported again, is written down before it fills memory: 64 MiB of them.
ADJUSTMENT_COUNT_MAX = 1 << 20
J_DAY = len(ADJUSTMENT_COLUMNS)  # while they wait, adjustments of all days lie together
OPEN_WIDTH = J_DAY + 1
DIGEST_WORDS = 4  # SHA-256 as int64
P_DAY, P_SHARD, P_IS_CLOSING, P_SEQUENCE, P_KNOWN, P_COUNT = range(6)
PIECE_WIDTH = 6 + DIGEST_WORDS
NONE = -1

# Is told after each closing: the ledger, the last frame it knows of, and the new pieces.
Sink = Callable[["Ledger", int, list[Written]], None]


class Ledger:
    """Which days are closed, what is known of their entries, and the adjustments that are not written down yet."""

    def __init__(self) -> None:
        """Start before the first frame."""
        self.sink: Sink | None = None
        self.watched = NONE  # the last day whose grace has passed
        self._opened: dict[
            int, int
        ] = {}  # day → when it closes, for days first heard of later than that
        self._pieces = np.empty((0, PIECE_WIDTH), np.int64)
        self._open: list[Int64Column] = []
        self._closed: set[int] = set()

    @property
    def pieces(self) -> list[Piece]:
        """Everything that was closed or adjusted, in the order in which it was."""
        return [
            Piece(day, shard, bool(is_closing), sequence, known_ms, count, _digest(words))
            for day, shard, is_closing, sequence, known_ms, count, *words in self._pieces.tolist()
        ]

    @property
    def closed_day_count(self) -> int:
        """How many days have closed."""
        return len(self._closed)

    @property
    def adjustment_count(self) -> int:
        """How many entries of closed days were changed, written down or not."""
        is_written = self._pieces[:, P_IS_CLOSING] == 0
        return int(self._pieces[is_written, P_COUNT].sum()) + sum(map(len, self._open))

    def is_closed(self, ict_day: int) -> bool:
        """Tell whether a day has closed."""
        return ict_day in self._closed

    @property
    def open_adjustments(self) -> Int64Column:
        """Adjustments known and not written down: int64[n, OPEN_WIDTH], ADJUSTMENT_COLUMNS and the day."""
        return np.concatenate([np.empty((0, OPEN_WIDTH), np.int64), *self._open])

    @property
    def next_close_ms(self) -> int:
        """When something closes next, by the journal's time."""
        return min([close_time_ms(self.watched + 1), *self._opened.values()])

    def due(self, time_ms: int) -> bool:
        """Tell whether something is to be closed or written down before a frame of this time is applied."""
        is_full = sum(map(len, self._open)) >= ADJUSTMENT_COUNT_MAX
        return self.watched == NONE or is_full or time_ms >= self.next_close_ms

    def close(
        self,
        time_ms: int,
        sequence: int,
        days_of: Callable[[], list[int]],
        entries_of: Callable[[int], Int64Column],
    ) -> None:
        """Close every day whose time has come by `time_ms`, the arrival of the frame after `sequence`.

        days_of: the days with readings. entries_of: int64[n, 4] of a day, as `Meter.entries`.
        """
        last = int(ict_day(time_ms - CLOSE_GRACE_MS)) - 1
        closing = {day: at for day, at in self._opened.items() if at <= time_ms}
        if self.watched == NONE:
            self.watched = last
        elif last > self.watched:
            fresh = [day for day in days_of() if self.watched < day <= last]
            closing |= {day: close_time_ms(day) for day in fresh}
            self.watched = last
        written = self._flush(sequence, time_ms)
        for day in sorted(closing):
            entries = entries_of(day)
            if entries[:, 1:].any():
                written += self._pieces_of(day, entries, sequence, closing[day])
                self._closed.add(day)
            self._opened.pop(day, None)
        self._keep(written)
        if self.sink is not None:
            self.sink(self, sequence, written)

    def note_revisions(
        self, revisions: Int64Column, sequence: int, known_time_ms: int, cause: Cause
    ) -> None:
        """Take in what a frame changed on days whose grace has passed: adjustments where they have closed.

        revisions: int64[n, 8] as `Meter.take_revisions`.
        """
        if not len(revisions):
            return
        days, change = revisions[:, 1], revisions[:, 5:] - revisions[:, 2:5]
        is_change = (change != 0).any(axis=1)
        for day in np.unique(days[is_change]).tolist():
            if day not in self._closed:
                self._opened.setdefault(day, known_time_ms + CLOSE_GRACE_MS)
        is_adjustment = is_change & np.isin(days, list(self._closed))
        found = np.empty((int(is_adjustment.sum()), OPEN_WIDTH), np.int64)
        found[:, 0] = revisions[is_adjustment, 0]
        found[:, 1:4] = change[is_adjustment]
        found[:, 4:J_DAY] = (sequence, known_time_ms, cause)
        found[:, J_DAY] = days[is_adjustment]
        if len(found):
            self._open.append(found)

    def export(self) -> dict[str, NDArray[Any]]:
        """Return the state by name."""
        return {
            "watched": np.array([self.watched], np.int64),
            "opened": np.array(sorted(self._opened.items()), np.int64).reshape(-1, 2),
            "pieces": self._pieces.copy(),
            "open": self.open_adjustments,
        }

    def restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Become what was exported."""
        self.watched = int(arrays["watched"][0])
        self._opened = dict(arrays["opened"].tolist())
        self._pieces = arrays["pieces"].copy()
        self._open = [arrays["open"].copy()] if len(arrays["open"]) else []
        closing = self._pieces[self._pieces[:, P_IS_CLOSING] != 0]
        self._closed = set(closing[:, P_DAY].tolist())

    def _flush(self, sequence: int, time_ms: int) -> list[Written]:
        """Return the adjustments that wait as pieces, and forget them."""
        waiting, self._open = self.open_adjustments, []
        written = []
        for day in np.unique(waiting[:, J_DAY]).tolist():
            rows = waiting[waiting[:, J_DAY] == day, :J_DAY]
            written += self._pieces_of(day, rows, sequence, time_ms, is_closing=False)
        return written

    @staticmethod
    def _pieces_of(
        day: int, rows: Int64Column, sequence: int, known_time_ms: int, *, is_closing: bool = True
    ) -> list[Written]:
        shard = np.empty(len(rows), np.int64)
        mark_shards(rows[:, 0].copy(), SHARD_COUNT, shard)
        # By SIM, and the adjustments of one in the order in which they came; a frame has one of a SIM's day at the most
        # for each cause.
        order = np.lexsort((*(() if is_closing else (rows[:, 6], rows[:, 4])), rows[:, 0], shard))
        rows, shard = rows[order], shard[order]
        edges = np.searchsorted(shard, np.arange(SHARD_COUNT + 1))
        written = []
        for number in range(SHARD_COUNT):
            part = rows[edges[number] : edges[number + 1]]
            if not len(part) and not is_closing:
                continue
            digest = digest_of(day, number, part)
            head = (day, number, is_closing, sequence, known_time_ms, len(part), digest)
            written.append(Written(Piece(*head), part))
        return written

    def _keep(self, written: list[Written]) -> None:
        if written:
            rows = [
                (*piece[:6], *np.frombuffer(piece.digest, "<i8").tolist()) for piece, _ in written
            ]
            self._pieces = np.concatenate([self._pieces, np.array(rows, np.int64)])


def close_time_ms(day: int) -> int:
    """Return when a day closes of which readings came before that."""
    return int(day_start_ms(day + 1)) + CLOSE_GRACE_MS


def _digest(words: list[int]) -> bytes:
    return np.array(words, "<i8").tobytes()
