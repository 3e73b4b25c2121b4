"""A journal whose oldest frames were pruned: what stands for them here. The format is in kernels/closing.py."""

import hashlib
from pathlib import Path

from phusong.collector.journal.checkpoint import KEY_FOLDER, is_signed_by
from phusong.collector.journal.reader import first_sequence
from phusong.collector.journal.segment import JournalDamaged, segment_paths
from phusong.kernels.closing import ClosingNotes, decode_closing_file
from phusong.kernels.note import NoteDamaged, decode_public_key


def closing_path(folder: Path, last_sequence: int) -> Path:
    """Return where the signed notes of a closing lie; `.state` and `.memory` lie beside them."""
    return folder / f"closing-{last_sequence:020d}.notes"


def closing_of(folder: Path) -> ClosingNotes | None:
    """Return what stands for the frames before the first that is there, None where that is the first of all.

    Raises JournalDamaged, OSError.
    """
    paths = segment_paths(folder)
    first = first_sequence(paths[0]) if paths else 1
    if first <= 1:
        return None
    for path in sorted(folder.glob("closing-*.notes")):
        if int(path.stem.removeprefix("closing-")) >= first - 1:
            return _read(path)
    raise JournalDamaged(
        f"sequence 1 to {first - 1} are missing: their segments are gone, and nothing signed stands for them."
        " Put their copies back with `phusong journal restore FILE`"
    )


def closing_memory(folder: Path, notes: ClosingNotes) -> bytes:
    """Return what the collector remembered after the last frame that is gone. Raises JournalDamaged, OSError."""
    path = closing_path(folder, notes.closing.last_sequence).with_suffix(".memory")
    content = path.read_bytes()
    if hashlib.sha256(content).digest() != notes.closing.memory:
        raise JournalDamaged(f"{path.name} is not the memory that was signed")
    return content


def _read(path: Path) -> ClosingNotes:
    try:
        public = decode_public_key(
            (path.parent.parent / KEY_FOLDER / "journal.pub").read_text(encoding="utf-8")
        )
        found = decode_closing_file(path.read_bytes())
    except NoteDamaged as damage:
        raise JournalDamaged(f"{path.name}: {damage}") from damage
    if not all(is_signed_by(note, public) for note in found.notes):
        raise JournalDamaged(f"{path.name} is not signed by this journal's key")
    return found
