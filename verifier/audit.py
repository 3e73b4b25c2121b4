"""The journal against what was signed about it: every frame, every segment, every head.

Says what is wrong in words that name segment and sequence; knows nothing of states and verdicts.
"""

import hashlib
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from phusong.kernels.merkle import Tree, leaf_hash
from phusong.kernels.note import Head, NoteDamaged, PublicKey
from phusong.verifier.closing import ClosedHistory, closed_history
from phusong.verifier.journal import JournalDamaged, JournalReader, Position, StoredFrame
from phusong.verifier.sealed import is_sealed, note_of, segment_number
from phusong.verifier.signatures import SignedHead, read_head, read_heads

Progress = Callable[[int, int], None]
COPY_BYTES = 1 << 20


@dataclass(slots=True)
class Audit:
    """What was found: nothing in `damage` means that the journal is the one that was signed."""

    damage: list[str] = field(default_factory=list)
    position: Position = field(default_factory=Position)
    head_count: int = 0
    signed_sequence: int = 0  # the last frame that a head signed
    sealed_count: int = 0
    unsealed_count: int = 0
    gone_sequence: int = 0  # the last frame that was pruned, 0 for none
    gone_time: str = ""
    gone_count: int = 0  # pruned segments whose signed notes hold together
    unchecked_count: int = 0  # heads of pruned frames: signed, and nothing left to compare with


@dataclass(slots=True)
class _Segment:
    """The segment whose frames are being read."""

    path: Path
    first: int
    tree: Tree = field(default_factory=Tree)


def audit_journal(
    folder: Path, checkpoints: list[Path], public: PublicKey, progress: Progress
) -> Audit:
    """Read the whole journal and compare it with the signed heads and the notes of its segments. Raises OSError."""
    try:
        closed = closed_history(folder.parent, public)
    except JournalDamaged as damage:
        return Audit(damage=[str(damage)])
    auditor = _Auditor(folder, public, closed)
    auditor.take_heads(checkpoints)
    if closed is not None:
        auditor.take_closing(closed)
    auditor.read(progress)
    return auditor.audit


class _Auditor:
    def __init__(self, folder: Path, public: PublicKey, closed: ClosedHistory | None) -> None:
        start = Position() if closed is None else closed.position
        self.audit = Audit(position=start)
        self._public = public
        self._reader = JournalReader(folder, start)
        self._heads: dict[int, list[SignedHead]] = {}
        self._tree = Tree() if closed is None else closed.head.tree
        self._segment: _Segment | None = None
        self._good_sequence = start.sequence  # up to here a head confirmed the frames

    def take_heads(self, checkpoints: list[Path]) -> None:
        """Check the signatures of all heads and keep them by size."""
        for found in read_heads(checkpoints, self._public):
            if isinstance(found, str):
                self.audit.damage.append(found)
                continue
            self.audit.head_count += 1
            self.audit.signed_sequence = max(self.audit.signed_sequence, found.head.last)
            if f"phusong/{found.head.journal}" != self._public.name:
                self.audit.damage.append(f"{found.where}: the head of another journal")
            self._heads.setdefault(found.head.last, []).append(found)

    def take_closing(self, closed: ClosedHistory) -> None:
        """Check what stands for pruned frames: the notes of their segments, one after another, and the head after the last."""
        audit, last = self.audit, closed.position.sequence
        audit.gone_sequence, audit.gone_time = last, closed.closing.time
        for size in [size for size in self._heads if size <= last]:
            for signed in self._heads.pop(size):
                if size < last:
                    audit.unchecked_count += 1
                elif (signed.head.tree, signed.head.chain) != (closed.head.tree, closed.head.chain):
                    audit.damage.append(
                        f"sequence 1 to {last}: pruned as other frames than were signed ({signed.where})"
                    )
        expected = 1
        while expected <= last:
            note = self._reader.folder / f"segment-{audit.gone_count + 1:08d}.note"
            try:
                head = read_head(note.read_bytes(), self._public)
            except (FileNotFoundError, NoteDamaged) as damage:
                audit.damage.append(
                    f"{note.name}, of pruned frames from sequence {expected}: {damage}"
                )
                return
            if (head.segment, head.first) != (audit.gone_count + 1, expected):
                audit.damage.append(
                    f"{note.name}: pruned frames do not follow from each other at {expected}"
                )
                return
            audit.gone_count += 1
            expected = head.last + 1

    def read(self, progress: Progress) -> None:
        """Prove every frame, and stop at the first that does not follow: nothing after it can be placed."""
        last = 0
        try:
            last = self._reader.last().sequence
            for frame in self._reader.frames():
                self._take(frame)
                progress(frame.sequence, last)
            self._enter_segment()  # one without frames yet
            self._leave_segment()
        except (JournalDamaged, sqlite3.Error) as damage:
            self.audit.damage.append(str(damage))
        else:
            self._check_end()
        finally:
            self.audit.position = self._reader.position
            self._reader.close()

    def _take(self, frame: StoredFrame) -> None:
        if self._segment is None or self._reader.segment != self._segment.path:
            # The chain before this frame, which the reader has moved past already.
            self._enter_segment(frame)
        assert self._segment is not None, "a frame lies in a segment"
        leaf = leaf_hash(frame.chain)
        self._tree = self._tree.grow(leaf)
        self._segment.tree = self._segment.tree.grow(leaf)
        for signed in self._heads.pop(frame.sequence, []):
            self._check_head(signed, frame)
        self.audit.position = frame.position

    def _check_head(self, signed: SignedHead, frame: StoredFrame) -> None:
        head = signed.head
        if (head.first, head.tree, head.chain) == (1, self._tree, frame.chain):
            self._good_sequence = frame.sequence
            return
        name = self._reader.segment.name if self._reader.segment else "?"
        self.audit.damage.append(
            f"{name}, sequence {self._good_sequence + 1} to {frame.sequence}: not the frames signed at"
            f" {head.time} ({signed.where})"
        )

    def _enter_segment(self, frame: StoredFrame | None = None) -> None:
        """Check what a segment says about itself against what came before it."""
        path = self._reader.segment
        if path is None or (self._segment is not None and path == self._segment.path):
            return
        before = self.audit.position
        self._leave_segment()
        self._segment = _Segment(path, before.sequence + 1)
        meta = self._reader.segment_meta()
        expected = {
            "journal": self._public.name.removeprefix("phusong/"),
            "segment": segment_number(path),
            "first_sequence": before.sequence + 1,
            "previous_chain": before.chain,
        }
        for name, value in expected.items():
            if meta.get(name) != value:
                where = f"{path.name}, sequence {before.sequence + 1 if frame is None else frame.sequence}"
                self.audit.damage.append(f"{where}: its {name} is not the one expected here")

    def _leave_segment(self) -> None:
        """Compare a segment whose frames were all read with its note."""
        segment, self._segment = self._segment, None
        if segment is None:
            return
        if not is_sealed(segment.path):
            self.audit.unsealed_count += 1
            return
        self.audit.sealed_count += 1
        where = f"{segment.path.name}, sequence {segment.first} to {self.audit.position.sequence}"
        try:
            head = read_head(note_of(segment.path).read_bytes(), self._public)
        except FileNotFoundError:
            self.audit.damage.append(f"{where}: sealed, and its signed note is gone")
        except NoteDamaged as damage:
            self.audit.damage.append(f"{note_of(segment.path).name} of {where}: {damage}")
        else:
            if _says(head) != self._found(segment):
                self.audit.damage.append(
                    f"{where}: not what its note says was sealed at {head.time}"
                )
            elif head.file != _file_digest(segment.path):
                self.audit.damage.append(f"{where}: the file is not the one that was sealed")

    def _found(self, segment: _Segment) -> tuple[str, int, int, Tree, bytes]:
        journal = self._public.name.removeprefix("phusong/")
        chain = self.audit.position.chain
        return journal, segment_number(segment.path), segment.first, segment.tree, chain

    def _check_end(self) -> None:
        last = self.audit.position.sequence
        for size in sorted(self._heads):
            for signed in self._heads[size]:
                self.audit.damage.append(
                    f"after sequence {last}: frames {last + 1} to {size} are gone, which were signed at"
                    f" {signed.head.time} ({signed.where})"
                )
        if last and not self.audit.head_count:
            self.audit.damage.append(
                f"sequence 1 to {last}: no signed head; the checkpoints are gone, or were never made"
            )


def _says(head: Head) -> tuple[str, int, int, Tree, bytes]:
    return head.journal, head.segment, head.first, head.tree, head.chain


def _file_digest(path: Path) -> bytes:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(COPY_BYTES):
            digest.update(piece)
    return digest.digest()
