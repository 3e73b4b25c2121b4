"""Damaged segments moved aside, and copies of segments put back. Only by command; every step leaves what it found."""

import os
import shutil
from pathlib import Path

from phusong.collector.journal.absence import ISOLATED, PRUNED, Absence, encode_absence
from phusong.collector.journal.checkpoint import is_signed_by, write_file
from phusong.collector.journal.sealed import note_path, sealed_path
from phusong.collector.journal.segment import (
    FOLDER_MODE,
    segment_number,
    sync_folder,
)
from phusong.collector.journal.survey import (
    absence_of,
    absence_path,
    content_damage,
    file_digest,
    sealed_head,
)
from phusong.kernels.note import Head, NoteDamaged, PublicKey, decode_head, decode_note

DAMAGED_FOLDER = "damaged"


class NotDone(Exception):
    """A command does not do what was asked, and says why."""


def isolate(folder: Path, segment: int, public: PublicKey, time: str) -> Path:
    """Move a damaged sealed segment aside and say so in its place; return where it lies now.

    Raises NotDone, OSError.
    """
    path = sealed_path(folder, segment)
    head = sealed_head(folder, segment, public)
    if not path.exists():
        raise NotDone(f"there is no {path.name}; only sealed segments are isolated")
    if head is None:
        raise NotDone(f"the signed note of {path.name} is gone, so nothing says what it should be")
    if content_damage(folder, segment, public) is None:
        raise NotDone(f"{path.name} is the file that was sealed; nothing was done")
    write_file(
        absence_path(folder, segment),
        encode_absence(absence_record(folder, head, public, (ISOLATED, "journal isolate"), time)),
    )
    target = folder / DAMAGED_FOLDER / path.name
    target.parent.mkdir(mode=FOLDER_MODE, exist_ok=True)
    path.replace(target)
    sync_folder(target.parent)
    sync_folder(folder)
    return target


def restore(folder: Path, copy: Path, public: PublicKey) -> Head:
    """Put the copy of a sealed segment in its place, when the signed note proves that it is the one; return its head.

    The note of the journal counts; where it is gone, one beside the copy. Raises NotDone, OSError.
    """
    try:
        segment = segment_number(copy)
    except ValueError:
        raise NotDone(
            f"{copy.name} is not called like a segment: segment-00000007.sqlite.zst"
        ) from None
    head, beside = (
        sealed_head(folder, segment, public),
        copy.parent / note_path(folder, segment).name,
    )
    note = None
    if head is None:
        head, note = _head_beside(beside, public)
    if head.segment != segment or file_digest(copy) != head.file:
        raise NotDone(
            f"{copy} is not the file that was sealed as segment {segment}; nothing was done"
        )
    following = absence_of(folder, segment + 1)
    if following is not None and following.kind == PRUNED:
        raise NotDone(
            f"segment {segment + 1} was pruned and is not there: put its copy back first, from the newest to the oldest, so"
            " that there is never a hole"
        )
    draft, path = folder / "restoring.zst", sealed_path(folder, segment)
    draft.unlink(missing_ok=True)
    shutil.copyfile(copy, draft)
    with draft.open("rb") as file:
        os.fsync(file.fileno())
    if file_digest(draft) != head.file:
        raise NotDone(f"{copy} could not be copied whole; nothing was done")
    if note is not None:
        write_file(note_path(folder, segment), note)
    draft.replace(path)
    sync_folder(folder)
    absence_path(folder, segment).unlink(missing_ok=True)
    return head


def absence_record(
    folder: Path, head: Head, public: PublicKey, why: tuple[str, str], time: str
) -> Absence:
    """Return what is to stand in the place of a segment; `why` is a kind and a command."""
    before = sealed_head(folder, head.segment - 1, public) if head.segment > 1 else None
    path = sealed_path(folder, head.segment)
    return Absence(
        why[0],
        head.segment,
        head.first,
        head.last,
        before.chain.hex() if before is not None else "",
        head.chain.hex(),
        head.tree.root.hex(),
        path.stat().st_size,
        time,
        why[1],
    )


def _head_beside(path: Path, public: PublicKey) -> tuple[Head, bytes]:
    try:
        content = path.read_bytes()
        note = decode_note(content)
        head = decode_head(note.text)
    except (FileNotFoundError, NoteDamaged):
        raise NotDone(
            f"no signed note says what the segment should be: put {path.name} beside the copy"
        ) from None
    if not is_signed_by(note, public):
        raise NotDone(f"{path} is not signed by this journal's key")
    return head, content
