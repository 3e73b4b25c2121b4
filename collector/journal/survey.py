"""Which sealed segments are not what was sealed: damaged, missing, or moved away. Looks; changes nothing.

Cheap at any size: names and notes at once, and the content of one file at a time, for whoever has a minute.
"""

import hashlib
from pathlib import Path
from typing import NamedTuple

from phusong.collector.journal.absence import ISOLATED, PRUNED, Absence, decode_absence
from phusong.collector.journal.checkpoint import is_signed_by
from phusong.collector.journal.sealed import note_path, sealed_path
from phusong.collector.journal.segment import segment_number, segment_path, segment_paths
from phusong.kernels.note import Head, NoteDamaged, PublicKey, decode_head, decode_note

COPY_BYTES = 1 << 20
REMEDY = "put its copy back with `phusong journal restore FILE`"


class Damage(NamedTuple):
    """A segment that cannot be read as it was sealed."""

    segment: int
    reason: str
    first_sequence: int = 0  # 0 where its note does not say
    last_sequence: int = 0

    def __str__(self) -> str:
        """Name the segment and its frames."""
        frames = f", sequence {self.first_sequence} to {self.last_sequence}"
        return f"segment {self.segment}{frames if self.last_sequence else ''}: {self.reason}"


def survey(folder: Path, public: PublicKey) -> list[Damage]:
    """Return the segments whose file or note is not there, without reading any file but notes. Raises OSError."""
    paths = {segment_number(path): path for path in segment_paths(folder)}
    found: list[Damage] = []
    for segment in range(1, max(paths, default=0) + 1):
        path = paths.get(segment)
        if path is None:
            found += _missing(folder, segment, public)
        elif path.suffix == ".zst" and sealed_head(folder, segment, public) is None:
            found.append(Damage(segment, f"its signed note is gone or damaged; {REMEDY}"))
    return found


def content_damage(folder: Path, segment: int, public: PublicKey) -> Damage | None:
    """Read one sealed segment; return how it is not the file that its note names, None when it is. Raises OSError."""
    head = sealed_head(folder, segment, public)
    path = sealed_path(folder, segment)
    if head is None or not path.exists() or file_digest(path) == head.file:
        return None
    reason = f"{path.name} is not the file that was sealed; {REMEDY}"
    return Damage(segment, reason, head.first, head.last)


def all_damage(folder: Path, public: PublicKey) -> list[Damage]:
    """Read every sealed segment; return what is wrong with any. Raises OSError."""
    found = survey(folder, public)
    for path in segment_paths(folder):
        if path.suffix == ".zst":
            damage = content_damage(folder, segment_number(path), public)
            found += [] if damage is None else [damage]
    return sorted(found)


def sealed_head(folder: Path, segment: int, public: PublicKey) -> Head | None:
    """Return what the note of a sealed segment says; None where it is gone, damaged, or not signed by the key."""
    try:
        note = decode_note(note_path(folder, segment).read_bytes())
        head = decode_head(note.text)
    except (FileNotFoundError, NoteDamaged):
        return None
    return head if is_signed_by(note, public) and head.segment == segment else None


def absence_path(folder: Path, segment: int) -> Path:
    """Return where it is said that a segment was taken away."""
    return segment_path(folder, segment).with_suffix(".absent")


def absence_of(folder: Path, segment: int) -> Absence | None:
    """Return why a segment is not there, None where nobody took it away. Raises OSError."""
    try:
        return decode_absence(absence_path(folder, segment).read_bytes())
    except FileNotFoundError:
        return None


def file_digest(path: Path) -> bytes:
    """Return the SHA-256 of a file. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(COPY_BYTES):
            digest.update(piece)
    return digest.digest()


def _missing(folder: Path, segment: int, public: PublicKey) -> list[Damage]:
    absence = absence_of(folder, segment)
    if absence is not None and absence.kind == PRUNED:
        return []
    reason = f"its file is gone; {REMEDY}"
    if absence is not None and absence.kind == ISOLATED:
        reason = f"isolated on {absence.time}; {REMEDY}"
    head = sealed_head(folder, segment, public)
    if head is None:
        return [Damage(segment, reason)]
    return [Damage(segment, reason, head.first, head.last)]
