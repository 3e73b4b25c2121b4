"""Reading sealed segments (`segment-*.sqlite.zst`, written by the collector) and the signed notes beside them.

A sealed segment is unpacked into a temporary file that goes with the connection: an auditor's copy is only ever read.
"""

import sqlite3
import tempfile
from pathlib import Path

import zstandard

from phusong.kernels.note import Head, NoteDamaged, decode_head, decode_note

# Segments are a gigabyte; what unpacks to much more was not written by us and would fill a disk.
SEALED_MAX_BYTES = 8 << 30
COPY_BYTES = 1 << 20
# More than the longest header of a zstd frame.
HEADER_BYTES = 64


class SealDamaged(Exception):
    """A sealed segment cannot be unpacked to what its header says."""


def segment_number(path: Path) -> int:
    """Return the number in a segment's name."""
    return int(path.name.removeprefix("segment-").partition(".")[0])


def segments(folder: Path) -> list[Path]:
    """Return the segment files in order; sealed ones only where the file they were made from is gone."""
    sealed = {segment_number(path): path for path in folder.glob("segment-????????.sqlite.zst")}
    plain = {segment_number(path): path for path in folder.glob("segment-????????.sqlite")}
    return [path for _, path in sorted((sealed | plain).items())]


def is_sealed(path: Path) -> bool:
    """Tell whether a segment file is a sealed one."""
    return path.suffix == ".zst"


def note_of(path: Path) -> Path:
    """Return where the signed note of a segment lies."""
    return path.with_name(f"{path.name.partition('.')[0]}.note")


def noted_head(path: Path) -> Head | None:
    """Return what the note beside a segment says, unproven; None where there is none to read."""
    try:
        return decode_head(decode_note(note_of(path).read_bytes()).text)
    except (OSError, NoteDamaged):
        return None


def open_segment(path: Path) -> sqlite3.Connection:
    """Open a segment for reading, sealed or not, also when it is being sealed at this moment.

    Raises SealDamaged, OSError, sqlite3.Error.
    """
    if is_sealed(path):
        return _open_sealed(path)
    try:
        return _open_plain(path)
    except sqlite3.OperationalError:
        sealed = path.with_name(f"{path.name}.zst")
        if path.exists() or not sealed.exists():
            raise
        return _open_sealed(sealed)


def _open_plain(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=10)
    database.execute("PRAGMA query_only = ON")
    return database


def _open_sealed(path: Path) -> sqlite3.Connection:
    with tempfile.NamedTemporaryFile(prefix="phusong-", suffix=".sqlite") as copy:
        size = 0
        try:
            with path.open("rb") as file:
                expected = zstandard.frame_content_size(file.read(HEADER_BYTES))
                file.seek(0)
                content = zstandard.ZstdDecompressor().stream_reader(file)
                while piece := content.read(COPY_BYTES):
                    size += len(piece)
                    if size > SEALED_MAX_BYTES:
                        raise SealDamaged(f"unpacks to more than {SEALED_MAX_BYTES} bytes")
                    copy.write(piece)
        except zstandard.ZstdError as error:
            raise SealDamaged(f"cannot be unpacked: {error}") from error
        if size != expected:
            raise SealDamaged(f"unpacks to {size} bytes, expected {expected}")
        copy.flush()
        uri = f"{Path(copy.name).as_uri()}?mode=ro&immutable=1"
        database = sqlite3.connect(uri, uri=True)
        # SQLite opens the file now, so that its name may go.
        database.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    return database
