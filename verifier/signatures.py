"""Whether a note was signed by the key an auditor holds."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from phusong.kernels.note import (
    Head,
    NoteDamaged,
    PublicKey,
    SignedNote,
    decode_head,
    decode_note,
    decode_public_key,
    split_notes,
)


class SignedHead(NamedTuple):
    """A head whose signature was checked, and where it was found."""

    where: str
    head: Head


def read_public_key(path: Path) -> PublicKey:
    """Return the key in a file. Raises OSError, NoteDamaged."""
    try:
        return decode_public_key(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise NoteDamaged("not UTF-8") from error


def read_head(content: bytes, public: PublicKey) -> Head:
    """Return what a note says, when the key signed it. Raises NoteDamaged."""
    note = decode_note(content)
    head = decode_head(note.text)
    check_signed(note, public)
    return head


def check_signed(note: SignedNote, public: PublicKey) -> None:
    """Raise NoteDamaged unless the key signed a note."""
    if (note.key_name, note.key_hash) != (public.name, public.hash):
        raise NoteDamaged(f"signed by another key ({note.key_name}) than {public.name}")
    try:
        Ed25519PublicKey.from_public_bytes(public.key).verify(note.signature, note.text.encode())
    except (InvalidSignature, ValueError) as error:
        raise NoteDamaged("the signature is not that of its text") from error


def checkpoint_files(paths: list[Path]) -> list[Path]:
    """Return the files in which heads lie: the given ones, and those in given folders; a missing folder has none."""
    return [
        file
        for path in paths
        for file in ([path] if path.is_file() else sorted(path.glob("heads-*.notes")))
    ]


def read_heads(paths: list[Path], public: PublicKey) -> Iterator[SignedHead | str]:
    """Yield every head in checkpoint files, or in words what is wrong with it. Raises OSError."""
    for path in checkpoint_files(paths):
        for number, content in enumerate(split_notes(path.read_bytes()), start=1):
            where = f"{path.name}, note {number}"
            try:
                head = read_head(content, public)
            except NoteDamaged as damage:
                yield f"{where}: {damage}"
                continue
            if head.segment:
                yield f"{where}: the note of a segment, expected one of the journal"
            else:
                yield SignedHead(where, head)


def newest_head(paths: list[Path], public: PublicKey) -> tuple[Head, bytes] | None:
    """Return the signed head that goes furthest, and its note; None where nothing is signed. Raises OSError."""
    newest: tuple[Head, bytes] | None = None
    for path in checkpoint_files(paths):
        for content in split_notes(path.read_bytes()):
            try:
                head = read_head(content, public)
            except NoteDamaged:
                continue
            if not head.segment and (newest is None or head.last > newest[0].last):
                newest = head, content
    return newest
