"""Committed frames for the collector's own memory, from any sequence on. The verifier proves the chain; this reads."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from phusong.collector.journal.segment import StoredFrame, read_meta, segment_paths

# Rows fetched at once: frames are up to 2 MiB.
FETCH_FRAME_COUNT = 32
BUSY_TIMEOUT_S = 10


def read_frames(folder: Path, after_sequence: int = 0) -> Iterator[StoredFrame]:
    """Yield the committed frames after a sequence, in order. Raises sqlite3.Error, JournalDamaged."""
    paths = segment_paths(folder)
    firsts = []
    for path in paths:
        with closing(open_segment(path)) as database:
            firsts.append(read_meta(database).first_sequence)
    for i, path in enumerate(paths):
        if i + 1 < len(paths) and firsts[i + 1] <= after_sequence + 1:
            continue
        with closing(open_segment(path)) as database:
            cursor = database.execute(
                "SELECT sequence, received_time_ms, body, chain FROM frame WHERE sequence > ? ORDER BY sequence",
                (after_sequence,),
            )
            while rows := cursor.fetchmany(FETCH_FRAME_COUNT):
                yield from (StoredFrame(*row) for row in rows)


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
