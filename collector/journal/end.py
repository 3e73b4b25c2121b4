"""Where a journal ends: the last frame of its live segment, checked to follow from those before it."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from phusong.collector.journal.reader import open_any
from phusong.collector.journal.segment import JournalDamaged, SegmentMeta, StoredFrame
from phusong.kernels.frame import chain_hash

# Frames whose chain is computed again at start: what the last commits before a crash wrote. The verifier checks all.
CHAIN_CHECK_COUNT = 256


class End(NamedTuple):
    """The last frame of a journal, or what comes before the first one."""

    sequence: int
    chain: bytes
    received_time_ms: int


def end_of(paths: Sequence[Path], database: sqlite3.Connection, meta: SegmentMeta) -> End:
    """Return where the journal of these segments ends; `database` and `meta` are those of the last.

    Raises JournalDamaged when its last frames do not follow from each other, OSError, sqlite3.Error.
    """
    rows = database.execute(
        "SELECT sequence, received_time_ms, body, chain FROM frame ORDER BY sequence DESC LIMIT ?",
        (CHAIN_CHECK_COUNT + 1,),
    ).fetchall()
    frames = [StoredFrame(*row) for row in reversed(rows)]
    if not frames:
        return End(meta.first_sequence - 1, meta.previous_chain, _last_time_before(paths, meta))
    sequence, chain = meta.first_sequence - 1, meta.previous_chain
    if len(frames) > CHAIN_CHECK_COUNT:
        before = frames.pop(0)  # its chain is what the first checked frame builds on
        sequence, chain = before.sequence, before.chain
    for frame in frames:
        if not isinstance(frame.body, bytes):
            raise JournalDamaged(f"{paths[-1].name}, sequence {frame.sequence}: body is not a blob")
        expected = chain_hash(chain, sequence + 1, frame.received_time_ms, frame.body)
        if frame.sequence != sequence + 1 or frame.chain != expected:
            raise JournalDamaged(
                f"{paths[-1].name}, sequence {frame.sequence}: does not follow from {sequence}"
            )
        sequence, chain = frame.sequence, frame.chain
    return End(sequence, chain, frames[-1].received_time_ms)


def _last_time_before(paths: Sequence[Path], meta: SegmentMeta) -> int:
    """Return the arrival of the last frame of the segment before, when the last one is still empty."""
    if meta.segment == 1:
        return 0
    path = paths[-2]  # sealed, when that came before the first frame
    database = open_any(path)
    try:
        row = database.execute(
            "SELECT received_time_ms, chain FROM frame ORDER BY sequence DESC LIMIT 1"
        ).fetchone()
    finally:
        database.close()
    if row is None or row[1] != meta.previous_chain:
        raise JournalDamaged(f"{path.name}: the next segment does not follow from it")
    return int(row[0])
