"""One file of the journal: its name, its tables, and how it comes into being.

A segment appears under its name complete: it is made beside it, synced and renamed, so that a reader never meets a
file without tables. The format is in ARCHITECTURE.md, "Contracts between rooms".
"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

FORMAT = "1"
FILE_MODE = 0o600  # the journal holds where and when children's SIMs were used
FOLDER_MODE = 0o700

# Frames are 64 KiB to 1 MiB: with large pages they need fewer overflow links. A quarter fewer bytes written than with 4 KiB.
PAGE_BYTES = 16_384

SCHEMA = """
CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE frame(
  sequence INTEGER PRIMARY KEY, received_time_ms INTEGER NOT NULL, body BLOB NOT NULL, chain BLOB NOT NULL
);
"""


class SegmentMeta(NamedTuple):
    """What a segment says about itself."""

    journal: str  # random, shared by all segments of a journal
    segment: int  # counted from 1
    first_sequence: int
    previous_chain: bytes


class StoredFrame(NamedTuple):
    """One committed row."""

    sequence: int
    received_time_ms: int
    body: bytes
    chain: bytes


class JournalDamaged(Exception):
    """What the journal holds does not follow from what it held before."""


def segment_path(folder: Path, segment: int) -> Path:
    """Return where a segment lies."""
    return folder / f"segment-{segment:08d}.sqlite"


def segment_number(path: Path) -> int:
    """Return the number in a segment's name."""
    return int(path.name.removeprefix("segment-").partition(".")[0])


def segment_paths(folder: Path) -> list[Path]:
    """Return the segments there are, in order; sealed ones only where the file they were made from is gone."""
    sealed = {segment_number(path): path for path in folder.glob("segment-????????.sqlite.zst")}
    plain = {segment_number(path): path for path in folder.glob("segment-????????.sqlite")}
    return [path for _, path in sorted((sealed | plain).items())]


def create_segment(folder: Path, meta: SegmentMeta) -> Path:
    """Make a segment without frames and return its path. Raises OSError, sqlite3.Error."""
    path = segment_path(folder, meta.segment)
    assert not path.exists(), "a segment is made once"
    draft = path.with_suffix(".draft")
    draft.unlink(missing_ok=True)  # left by a crash while it was made
    os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, FILE_MODE))
    with closing(sqlite3.connect(draft)) as database:
        database.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        database.execute("PRAGMA synchronous = FULL")
        database.executescript(SCHEMA)
        database.executemany(
            "INSERT INTO meta VALUES (?, ?)", {"format": FORMAT, **meta._asdict()}.items()
        )
        database.commit()
        # Under its name it would need a rollback journal for this, which nobody who only reads could roll back.
        database.execute("PRAGMA journal_mode = WAL")
    draft.rename(path)
    sync_folder(folder)
    return path


def read_meta(database: sqlite3.Connection) -> SegmentMeta:
    """Return what a segment says about itself. Raises JournalDamaged."""
    values = dict(database.execute("SELECT key, value FROM meta").fetchall())
    if values.get("format") != FORMAT:
        raise JournalDamaged(f"format {values.get('format')!r}, expected {FORMAT!r}")
    return SegmentMeta(*(values[field] for field in SegmentMeta._fields))


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, and make their names survive a power cut. Raises OSError.

    Also where the folder is there already: who made it may have been killed before it could sync.
    """
    missing = [folder]
    while not missing[-1].parent.exists():
        missing.append(missing[-1].parent)
    folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    for made in missing:
        sync_folder(made.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
