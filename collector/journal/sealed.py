"""A segment nobody writes any more: proven, signed, compressed. And reading it again.

    segment-00000007.sqlite       →  segment-00000007.sqlite.zst, segment-00000007.note

Until the compressed file has its name, is on disk and was read back, the old one stays; where both are there, the old one
counts and sealing starts again. So a crash at any point leaves one that is whole.
"""

import hashlib
import os
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import IO, NamedTuple

from phusong.collector.journal.checkpoint import Signer, write_file
from phusong.collector.journal.segment import (
    FILE_MODE,
    JournalDamaged,
    SegmentMeta,
    read_meta,
    segment_path,
    sync_folder,
)
from phusong.kernels.frame import chain_hash
from phusong.kernels.merkle import Tree, leaf_hash
from phusong.kernels.note import Head

# A segment is 1 GiB and a frame; anything much larger was not written by us and would fill the disk it is unpacked to.
SEALED_MAX_BYTES = 8 << 30
# The demo's journal shrinks to 37 % at 121 MB/s; zlib's level 6 brings it to 39 % at 17 MB/s.
LEVEL = 3
COPY_BYTES = 1 << 20
COPY_NAME = "sealing.sqlite"
DRAFT_NAME = "sealing.zst"


class Proven(NamedTuple):
    """What a whole segment holds."""

    meta: SegmentMeta
    tree: Tree
    chain: bytes


def sealed_path(folder: Path, segment: int) -> Path:
    """Return where a sealed segment lies."""
    return segment_path(folder, segment).with_suffix(".sqlite.zst")


def note_path(folder: Path, segment: int) -> Path:
    """Return where the signed note of a sealed segment lies."""
    return segment_path(folder, segment).with_suffix(".note")


def seal_segment(folder: Path, segment: int, signer: Signer, time: str) -> Head:
    """Seal a segment that another one follows. Raises JournalDamaged, OSError, sqlite3.Error."""
    plain, sealed = segment_path(folder, segment), sealed_path(folder, segment)
    copy, draft = folder / COPY_NAME, folder / DRAFT_NAME
    remove_drafts(folder)
    _copy_database(plain, copy)
    proven = prove_segment(copy, plain.name)
    _compress(copy, draft)
    if _digest(copy, lambda file: file) != _unpacked_digest(draft):
        raise OSError(f"{draft}: what was written does not unpack to what it was made from")
    file_hash = _digest(draft, lambda file: file)
    first = proven.meta.first_sequence
    head = Head(proven.meta.journal, segment, first, proven.tree, proven.chain, time, file_hash)
    write_file(note_path(folder, segment), signer.sign(head))
    draft.rename(sealed)
    sync_folder(folder)
    copy.unlink()
    plain.unlink()
    remove_logs(folder, segment)
    sync_folder(folder)
    return head


def remove_drafts(folder: Path) -> None:
    """Remove what a crash left of sealing: a gigabyte, maybe."""
    for name in (COPY_NAME, f"{COPY_NAME}-journal", DRAFT_NAME):
        (folder / name).unlink(missing_ok=True)


def remove_logs(folder: Path, segment: int) -> None:
    """Remove what SQLite keeps beside a segment that is sealed, and gone for good.

    Else a power cut could bring it back without its log: a reader that was slow when it ended leaves frames there only.
    """
    plain = segment_path(folder, segment)
    logs = [plain.with_name(plain.name + suffix) for suffix in ("-wal", "-shm")]
    if any(log.exists() for log in logs):
        sync_folder(folder)
        for log in logs:
            log.unlink(missing_ok=True)


def prove_segment(path: Path, name: str) -> Proven:
    """Return the tree over a segment's frames, each of which follows from the one before. Raises JournalDamaged."""
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
        meta = read_meta(database)
        sequence, chain, tree = meta.first_sequence - 1, meta.previous_chain, Tree()
        for number, time_ms, body, stored in database.execute(
            "SELECT sequence, received_time_ms, body, chain FROM frame ORDER BY sequence"
        ):
            sequence += 1
            chain = chain_hash(chain, sequence, time_ms, body)
            if (number, stored) != (sequence, chain):
                raise JournalDamaged(
                    f"{name}, sequence {number}: does not follow from {sequence - 1}"
                )
            tree = tree.grow(leaf_hash(chain))
    return Proven(meta, tree, chain)


def open_sealed(path: Path) -> sqlite3.Connection:
    """Open a sealed segment for reading, unpacked into a temporary file that goes with the connection.

    Raises JournalDamaged, OSError.
    """
    import zstandard  # noqa: PLC0415 - most starts unpack nothing

    with tempfile.NamedTemporaryFile(prefix="phusong-", suffix=".sqlite") as copy:
        try:
            with path.open("rb") as file:
                expected = zstandard.frame_content_size(file.read(64))
            with path.open("rb") as file, _unpacked(file) as content:
                size = _copy(content, copy)
        except zstandard.ZstdError as error:
            raise JournalDamaged(f"{path.name}: {error}") from error
        if size != expected:
            raise JournalDamaged(f"{path.name}: holds {size} bytes, expected {expected}")
        copy.flush()
        uri = f"{Path(copy.name).as_uri()}?mode=ro&immutable=1"
        database = sqlite3.connect(uri, uri=True, check_same_thread=False)
        # SQLite opens the file now, so that its name may go.
        database.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    return database


def _copy_database(plain: Path, copy: Path) -> None:
    """Copy the pages, the write-ahead log included, into one file that needs nothing beside it."""
    os.close(os.open(copy, os.O_CREAT | os.O_EXCL | os.O_WRONLY, FILE_MODE))
    uri = f"{plain.absolute().as_uri()}?mode=ro"
    with (
        closing(sqlite3.connect(uri, uri=True)) as source,
        closing(sqlite3.connect(copy)) as target,
    ):
        source.backup(target)
        target.execute("PRAGMA journal_mode = DELETE")


def _compress(source: Path, target: Path) -> None:
    import zstandard  # noqa: PLC0415 - as above

    descriptor = os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, FILE_MODE)
    compressor = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True)
    with source.open("rb") as file, os.fdopen(descriptor, "wb") as written:
        compressor.copy_stream(file, written, size=source.stat().st_size)
        written.flush()
        os.fsync(written.fileno())


def _unpacked(file: IO[bytes]) -> IO[bytes]:
    import zstandard  # noqa: PLC0415 - as above

    return zstandard.ZstdDecompressor().stream_reader(file)


def _digest(path: Path, opened: Callable[[IO[bytes]], IO[bytes]]) -> bytes:
    digest = hashlib.sha256()
    with path.open("rb") as file, opened(file) as content:
        while piece := content.read(COPY_BYTES):
            digest.update(piece)
    return digest.digest()


def _unpacked_digest(path: Path) -> bytes | None:
    """Return the SHA-256 of what a file unpacks to, None where it does not."""
    import zstandard  # noqa: PLC0415 - as above

    try:
        return _digest(path, _unpacked)
    except zstandard.ZstdError:
        return None


def _copy(source: IO[bytes], target: IO[bytes]) -> int:
    size = 0
    while piece := source.read(COPY_BYTES):
        size += len(piece)
        if size > SEALED_MAX_BYTES:
            raise JournalDamaged(f"unpacks to more than {SEALED_MAX_BYTES} bytes")
        target.write(piece)
    return size
