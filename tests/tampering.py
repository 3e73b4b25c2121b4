"""A signed and sealed journal, and ways in which somebody may falsify it."""

import shutil
import sqlite3
from pathlib import Path

import zstandard

from phusong.collector.journal.notary import Notary
from phusong.collector.journal.writer import JournalWriter, NewFrame
from phusong.kernels.frame import CHAIN_START, chain_hash

FRAME_COUNT = 16
TIME_MS = 1_633_064_400_000


def signed_journal(data):
    """Make a journal of several sealed segments and a live one, with a head signed after every third frame."""
    with JournalWriter(data / "journal", segment_max_bytes=50_000) as writer:
        for i in range(1, FRAME_COUNT + 1):
            writer.append([NewFrame(TIME_MS + i, b"frame %d " % i * 1200)])
            if i % 3 == 0 or i == FRAME_COUNT:
                Notary(data, writer.folder, writer.journal, lambda i=i: TIME_MS + i).sign_head()
    seal(data)


def seal(data):
    with JournalWriter(data / "journal") as writer:
        notary = Notary(data, writer.folder, writer.journal, lambda: TIME_MS)
        while notary.seal_next():
            pass


def segment_files(data):
    """Return the segments by number."""
    found = sorted((data / "journal").glob("segment-*.sqlite*"))
    return {int(p.name[8:16]): p for p in found if p.suffix in (".sqlite", ".zst")}


def unpack(path):
    """Put a plain file in the place of a sealed one; return it."""
    if path.suffix != ".zst":
        return path
    plain = path.with_suffix("")
    with path.open("rb") as file:
        plain.write_bytes(zstandard.ZstdDecompressor().stream_reader(file).read())
    path.unlink()
    return plain


def pack(plain):
    """Put a sealed file in the place of a plain one, as whoever owns the machine can."""
    plain.with_name(f"{plain.name}.zst").write_bytes(
        zstandard.ZstdCompressor(write_checksum=True).compress(plain.read_bytes())
    )
    plain.unlink()


def rows_of(plain):
    database = sqlite3.connect(plain)
    rows = database.execute("SELECT * FROM frame ORDER BY sequence").fetchall()
    database.close()
    return [list(row) for row in rows]


def write_rows(plain, rows, meta=()):
    database = sqlite3.connect(plain)
    database.execute("DELETE FROM frame")
    database.executemany("INSERT INTO frame VALUES (?, ?, ?, ?)", rows)
    for key, value in meta:
        database.execute("UPDATE meta SET value = ? WHERE key = ?", (value, key))
    database.commit()
    database.close()


def falsify(data, change, *, is_rechained):
    """Change the frames of the whole journal as a list; write them back into the segments they were in.

    With `is_rechained` the sequences and the chain are made to fit again, and sealed segments are packed again: all that
    somebody without the key can do.
    """
    files = segment_files(data)
    plain = {number: unpack(path) for number, path in files.items()}
    rows = [[number, *row] for number, path in plain.items() for row in rows_of(path)]
    change(rows)
    chain, firsts = CHAIN_START, {}
    for i, row in enumerate(rows):
        firsts.setdefault(row[0], (i + 1, chain))
        if is_rechained:
            chain = chain_hash(chain, i + 1, row[2], row[3])
            row[1], row[4] = i + 1, chain
    for number, path in plain.items():
        meta = ()
        if is_rechained and number in firsts:
            meta = zip(("first_sequence", "previous_chain"), firsts[number], strict=True)
        write_rows(path, [row[1:] for row in rows if row[0] == number], meta)
        if files[number].suffix == ".zst":
            pack(path)


def copy_of(data, target: Path):
    shutil.copytree(data, target)
    return target
