"""Taking old frames away, once what proves them lies elsewhere. Deletes nothing before what stands for it is on disk.

The order on disk: what stands for the frames (`closing-*.state`, `.memory`), then the signed notes that make it count, then
per segment a file that says it was pruned, then the segment. A crash in between leaves a journal that is whole, and the same command
goes on.
"""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from phusong.collector.journal.absence import PRUNED, encode_absence
from phusong.collector.journal.checkpoint import (
    CHECKPOINT_FOLDER,
    KEY_FOLDER,
    Signer,
    write_file,
)
from phusong.collector.journal.closing import closing_of, closing_path
from phusong.collector.journal.isolation import NotDone, absence_record
from phusong.collector.journal.reader import read_frames
from phusong.collector.journal.sealed import note_path, sealed_path
from phusong.collector.journal.segment import FILE_MODE, segment_number, segment_paths, sync_folder
from phusong.collector.journal.survey import absence_path, content_damage, sealed_head
from phusong.kernels.closing import Closing, encode_closing, encode_closing_file
from phusong.kernels.merkle import Tree, leaf_hash
from phusong.kernels.note import Head, PublicKey

EXPORTED_NAME = "exported.json"


class Candidate(NamedTuple):
    """A sealed segment that may be pruned."""

    head: Head
    size_bytes: int


class Kept(NamedTuple):
    """The first segment that may not be pruned, and why."""

    segment: int
    reason: str
    is_young: bool  # it only has to grow older; else somebody has to do something


def export_checkpoints(data: Path, target: Path, public: PublicKey, time: str) -> dict[str, str]:
    """Copy heads, notes and public key to a folder, and remember which notes of segments are there by their digests.

    Raises NotDone, OSError.
    """
    if target.resolve().is_relative_to(data.resolve()):
        raise NotDone(f"{target} lies inside the data folder; copies belong on another machine")
    target.mkdir(parents=True, exist_ok=True)
    exported: dict[str, str] = {}
    for path in sorted((data / "journal").glob("segment-????????.note")):
        segment = segment_number(path)
        if sealed_head(data / "journal", segment, public) is not None:
            _copy(path, target)
            exported[str(segment)] = hashlib.sha256(path.read_bytes()).hexdigest()
    for path in [
        data / KEY_FOLDER / "journal.pub",
        *sorted((data / CHECKPOINT_FOLDER).glob("heads-*.notes")),
        *sorted((data / "journal").glob("closing-*.notes")),
    ]:
        _copy(path, target)
    sync_folder(target)
    record = {"time": time, "folder": str(target.resolve()), "segments": exported}
    write_file(data / CHECKPOINT_FOLDER / EXPORTED_NAME, json.dumps(record).encode())
    return exported


def prunable(
    data: Path, public: PublicKey, before_time: str
) -> tuple[list[Candidate], Kept | None]:
    """Return the sealed segments from the first one on that were sealed before a time, and what ends the list.

    Their content is read. Raises OSError.
    """
    folder = data / "journal"
    exported = _exported(data)
    candidates: list[Candidate] = []
    for path in segment_paths(folder):
        segment = segment_number(path)
        head = sealed_head(folder, segment, public)
        reason = None
        is_young = path.suffix != ".zst" or (head is not None and head.time >= before_time)
        if path.suffix != ".zst":
            reason = "it is not sealed yet"
        elif head is None:
            reason = "its signed note is gone or damaged"
        elif head.time >= before_time:
            reason = f"it was sealed at {head.time}"
        elif exported.get(str(segment)) != _note_digest(folder, segment):
            reason = "its checkpoint was not exported: `phusong journal export-checkpoints FOLDER`"
        elif (damage := content_damage(folder, segment, public)) is not None:
            reason = damage.reason
        elif candidates and head.first != candidates[-1].head.last + 1:
            reason = f"segment {segment - 1} is missing before it"
        if reason is not None or head is None:
            return candidates, Kept(segment, reason or "", is_young)
        candidates.append(Candidate(head, path.stat().st_size))
    return candidates, None


class ClosingContent(NamedTuple):
    """What is to stand for the frames."""

    state: bytes
    memory: bytes
    software: str


def prune(
    data: Path, candidates: list[Candidate], content: ClosingContent, signer: Signer, time: str
) -> None:
    """Take the candidates away. Raises NotDone, OSError, sqlite3.Error, JournalDamaged."""
    folder = data / "journal"
    last = candidates[-1].head
    head = closing_head(folder, last, time)
    path = closing_path(folder, last.last)
    digests = [hashlib.sha256(part).digest() for part in (content.state, content.memory)]
    closing = Closing(last.journal, last.last, digests[0], digests[1], content.software, time)
    write_file(path.with_suffix(".state"), content.state)
    write_file(path.with_suffix(".memory"), content.memory)
    head_note = signer.sign(head)
    notes = encode_closing_file(head_note, signer.sign_text(encode_closing(closing)))
    write_file(path, notes)
    for candidate in candidates:
        segment = candidate.head.segment
        record = absence_record(
            folder, candidate.head, signer.public, (PRUNED, "journal prune"), time
        )
        write_file(absence_path(folder, segment), encode_absence(record))
    for candidate in candidates:
        sealed_path(folder, candidate.head.segment).unlink()
        # One after another: after a power cut an older one may not be there without those that follow it.
        sync_folder(folder)
    for older in folder.glob("closing-*"):
        if older.stem < path.stem:
            older.unlink()


def closing_head(folder: Path, last: Head, time: str) -> Head:
    """Return the head of the journal after the last frame of a segment, from all frames that are there."""
    notes = closing_of(folder)
    tree = Tree() if notes is None else notes.head.tree
    for frame in read_frames(folder, tree.size):
        if frame.sequence > last.last:
            break
        tree = tree.grow(leaf_hash(frame.chain))
    return Head(last.journal, 0, 1, tree, last.chain, time)


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Let no other prune run meanwhile. Raises NotDone."""
    descriptor = os.open(folder / "prune.lock", os.O_CREAT | os.O_RDWR, FILE_MODE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise NotDone("another prune runs on this journal") from None
    finally:
        os.close(descriptor)


def _exported(data: Path) -> dict[str, str]:
    try:
        record = json.loads((data / CHECKPOINT_FOLDER / EXPORTED_NAME).read_bytes())
        segments = record["segments"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return segments if isinstance(segments, dict) else {}


def _note_digest(folder: Path, segment: int) -> str:
    return hashlib.sha256(note_path(folder, segment).read_bytes()).hexdigest()


def _copy(source: Path, folder: Path) -> None:
    """Copy a file and wait until it is on disk there."""
    draft = folder / f"draft-{source.name}"
    shutil.copyfile(source, draft)
    with draft.open("rb") as file:
        os.fsync(file.fileno())
    draft.replace(folder / source.name)
