"""Bytes of a file: unpacked, digested, cut into numbered lines. Knows nothing of columns."""

import gzip
import hashlib
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from phusong.collector.importing.options import KEY_BITS_MASK, ImportFailed, ImportRefused

GZIP_MAGIC = b"\x1f\x8b"
UTF8_BOM = b"\xef\xbb\xbf"
UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")

# A line of our widest format has under 2 KiB; what is longer is no row, and must not fill the memory.
LINE_MAX_BYTES = 64 * 1024
# Big enough that the cost of a chunk is its rows, small enough that a few chunks fit in any memory.
CHUNK_BYTES = 8 * 1024 * 1024


class Lines(NamedTuple):
    """A run of lines: `number[i]` is where `text[i]` stands in the file, the first line being 1.

    Blank lines are left out. `too_long` are the numbers of lines over LINE_MAX_BYTES. `read_bytes` is how far the
    file on disk was read for them.
    """

    text: list[str]
    number: list[int]
    too_long: list[int]
    read_bytes: int


def open_content(path: Path) -> tuple[BinaryIO, BinaryIO]:
    """Return a stream of the file's content, unpacked if it is gzip, and the stream of the file itself."""
    raw = path.open("rb")
    magic = raw.read(len(GZIP_MAGIC))
    raw.seek(0)
    if magic == GZIP_MAGIC:
        return cast("BinaryIO", gzip.GzipFile(fileobj=raw)), raw
    return raw, raw


def content_digest(path: Path) -> bytes:
    """Return the SHA-256 of the file's content; a packed file and the same unpacked are one.

    Reads to the end, so a damaged archive is found before any of its rows is taken.

    Raises:
        ImportFailed: the file cannot be read to its end.
    """
    digest = hashlib.sha256()
    try:
        content, raw = open_content(path)
        with raw, content:
            while block := content.read(CHUNK_BYTES):
                digest.update(block)
    except (OSError, EOFError, zlib.error) as error:
        raise ImportFailed(f"cannot read {path.name} to its end: {error}") from error
    return digest.digest()


def boot_epoch_of(digest: bytes) -> int:
    """Return the identity under which the batches of a file are counted once: 63 bits of its digest, not 0."""
    return int.from_bytes(digest[:8], "big") & KEY_BITS_MASK or 1


def read_lines(path: Path) -> Iterator[Lines]:
    """Yield the lines of a text file, the header included, a chunk at a time.

    Lines end with LF, CRLF or (old spreadsheets) CR. What is not UTF-8 becomes U+FFFD, so that one strange letter in a column
    nobody reads costs nothing.

    Raises:
        ImportRefused: the file is UTF-16.
    """
    content, raw = open_content(path)
    with raw, content:
        # Four times a line, so that the kind of line end is known even when the header is long.
        head = content.read(4 * LINE_MAX_BYTES)
        if head.startswith(UTF16_BOMS):
            raise ImportRefused(f"{path.name} is UTF-16 text; save it as CSV UTF-8")
        head = head.removeprefix(UTF8_BOM)
        ends_with_cr = b"\n" not in head and b"\r" in head
        yield from _cut_lines(head, content, raw, is_cr=ends_with_cr)


def _cut_lines(block: bytes, content: BinaryIO, raw: BinaryIO, *, is_cr: bool) -> Iterator[Lines]:
    line_number, told_bytes, rest = 1, 0, b""
    while True:
        is_end = not block
        if is_cr:
            block = block.replace(b"\r", b"\n")
        *lines, rest = (rest + block).split(b"\n")
        if is_end:
            lines.append(rest)
        # One byte more than allowed is enough to know that the line is too long when it ends.
        rest = rest[: LINE_MAX_BYTES + 1]
        chunk = _number_lines(lines, line_number)
        line_number += len(lines)
        position = raw.tell()
        yield Lines(*chunk, position - told_bytes)
        told_bytes = position
        if is_end:
            return
        block = content.read(CHUNK_BYTES)


def _number_lines(lines: list[bytes], first: int) -> tuple[list[str], list[int], list[int]]:
    text, number, too_long = [], [], []
    for line_number, line in enumerate(lines, first):
        if len(line) > LINE_MAX_BYTES:
            too_long.append(line_number)
        elif line and not line.isspace():
            text.append(line.decode(errors="replace").removesuffix("\r"))
            number.append(line_number)
    return text, number, too_long
