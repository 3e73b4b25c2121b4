"""Disks as a power cut may leave them, made from the record of what was asked of one.

What was synced is there. Of the rest, each write may be there, missing, or torn at the edges of sectors, in any order; names
may or may not have been set, moved and removed. A disk keeps or loses by a *mood*, because independent dice alone would
hardly ever draw the interesting extremes.
"""

import random
from dataclasses import dataclass
from pathlib import Path

from disk.trace import Entry, Node, Record, Truncate, Write

SECTOR_BYTES = (512, 4096)
MOODS = ("nothing", "everything", "in order", "operations", "sectors", "all but one", "only one")


@dataclass(frozen=True)
class Cut:
    """The moment the power went, and what the disk does with what it had not been told to keep."""

    moment: int
    mood: str
    seed: int


def random_cut(record: Record, seed: int, suffix: str | None = None) -> Cut:
    """Draw a power cut: right after something was asked or done, the rare kinds as often as the many writes.

    With a suffix only where names that end so come and go.
    """
    dice = random.Random(seed)
    moments: dict[object, list[int]] = {}
    if suffix is not None:
        entries = [op for node in record.nodes for op in node.operations if isinstance(op, Entry)]
        named = [op for op in entries if any(name.endswith(suffix) for name, _ in op.names)]
        return Cut(dice.choice(named).start + 1, dice.choice(MOODS), seed)
    for node in record.nodes:
        for operation in node.operations:
            moments.setdefault(type(operation), []).append(operation.start + 1)
        moments.setdefault("sync", []).extend(end + 1 for _, end in node.syncs)
    moments["mark"] = [mark.start + 1 for mark in record.marks]
    kind = dice.choice([kind for kind, found in moments.items() if found])
    return Cut(dice.choice(moments[kind]), dice.choice(MOODS), seed)


class _Luck:
    """Decides what of the unsynced is there."""

    def __init__(self, cut: Cut, unsynced: list[Write | Truncate | Entry]) -> None:
        self.dice = random.Random(cut.seed)
        self._mood = cut.mood
        self._share = self.dice.choice([0.1, 0.5, 0.9])
        starts = sorted(op.start for op in unsynced)
        self._one = self.dice.choice(starts) if starts else 0
        self.sector_bytes = self.dice.choice(SECTOR_BYTES)

    def keeps(self, operation: Write | Truncate | Entry) -> bool:
        match self._mood:
            case "nothing":
                return False
            case "everything":
                return True
            case "in order":
                return operation.start <= self._one
            case "all but one":
                return operation.start != self._one
            case "only one":
                return operation.start == self._one
        return self.dice.random() < self._share

    def pieces(self, write: Write) -> list[tuple[int, bytes]]:
        """Return what of a write is there, as (offset, bytes)."""
        if self._mood != "sectors":
            return [(write.offset, write.content)] if self.keeps(write) else []
        kept = []
        place, end = write.offset, write.offset + len(write.content)
        while place < end:
            stop = min(end, (place // self.sector_bytes + 1) * self.sector_bytes)
            if self.dice.random() < self._share:
                kept.append((place, write.content[place - write.offset : stop - write.offset]))
            place = stop
        return kept


def build(record: Record, cut: Cut, target: Path) -> None:
    """Make the folder as it is after the cut."""
    unsynced = [op for node in record.nodes for op in _split(node, cut.moment)[1]]
    _build_folder(record, 0, cut, _Luck(cut, unsynced), target)


def _split(node: Node, moment: int) -> tuple[list, list]:
    """Return what is surely there of a node at a moment, and what may be."""
    synced = max((start for start, end in node.syncs if end < moment), default=-1)
    begun = [op for op in node.operations if op.start < moment]
    return [op for op in begun if op.end < synced], [op for op in begun if op.end >= synced]


def _build_folder(record: Record, number: int, cut: Cut, luck: _Luck, target: Path) -> None:
    target.mkdir(parents=True)
    names: dict[str, int] = {}
    sure, unsure = _split(record.nodes[number], cut.moment)
    for entry in sure + [op for op in unsure if luck.keeps(op)]:
        for name, node in entry.names:
            if node is None:
                names.pop(name, None)
            else:
                names[name] = node
    for name, node in names.items():
        if record.nodes[node].is_folder:
            _build_folder(record, node, cut, luck, target / name)
        else:
            (target / name).write_bytes(_content(record.nodes[node], cut, luck, name))


def _content(node: Node, cut: Cut, luck: _Luck, name: str) -> bytes:
    content = bytearray()
    sure, unsure = _split(node, cut.moment)
    for op in sure:
        _put(content, op, [(op.offset, op.content)] if isinstance(op, Write) else [])
    for op in unsure:
        if isinstance(op, Write):
            _put(content, op, luck.pieces(op))
        elif luck.keeps(op):
            _put(content, op, [])
    if name.endswith("-shm"):  # written through a mapping, which nobody saw
        return luck.dice.randbytes(len(content))
    return bytes(content)


def _put(content: bytearray, op: Write | Truncate, pieces: list[tuple[int, bytes]]) -> None:
    if isinstance(op, Truncate):
        del content[op.size :]
        content.extend(bytes(op.size - len(content)))
    for offset, piece in pieces:
        content.extend(bytes(max(0, offset + len(piece) - len(content))))
        content[offset : offset + len(piece)] = piece
