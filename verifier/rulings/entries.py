"""Rulings to the bytes of the journal and back: who ruled what on which signal readings, and why.

A ruling names readings by where they stand in the journal, so it means the same under every list and policy. Of several on one
reading the newest holds. What it names lies before itself: what comes later nobody had looked at.
"""

from collections.abc import Iterable, Iterator
from enum import IntEnum
from typing import NamedTuple

from google.protobuf.message import DecodeError

from phusong.kernels.wire.decode import ROW_COUNT_MAX
from phusong.v1.journal_pb2 import RuledRows, RulingEntry
from phusong.verifier.coverage.rulings import ReadingName, Ruling, Rulings
from phusong.verifier.disputes.entries import plain
from phusong.verifier.disputes.records import NAME_LENGTH_MAX, TEXT_LENGTH_MAX
from phusong.verifier.registry.entries import Version

# Far more envelopes than a frame holds (collector/committer.py); with the rows of a payload they fit in 63 bits.
ENVELOPE_COUNT_MAX = 1 << 32
# One ruling is one payload of the journal; more readings are another ruling.
RULED_COUNT_MAX = 1_000_000


class RulingAct(IntEnum):
    """What was ruled; the numbers of journal.proto."""

    RELEASE = 1
    CONFIRM = 2


HOLDS = {RulingAct.RELEASE: Ruling.RELEASED, RulingAct.CONFIRM: Ruling.CONFIRMED}


class RulingRecord(NamedTuple):
    """One ruling, opened. `name` is where it stands in the journal."""

    name: str
    time_ms: int
    act: RulingAct
    by: str
    role: str
    text: str
    selection: str
    readings: tuple[ReadingName, ...]


def note_ruling(version: Version, rulings: Rulings) -> bool:
    """Let an entry of the journal hold; return whether anything else held before. What is no ruling has no effect."""
    found = read_ruling(version)
    if found is None:
        return False
    changed = [rulings.note(reading, HOLDS[found.act]) for reading in found.readings]
    return any(changed)


def read_ruling(version: Version) -> RulingRecord | None:
    """Return the ruling an entry of the journal holds, None where it is none."""
    try:
        entry = RulingEntry.FromString(version.content)
    except DecodeError:
        return None
    if int(entry.act) not in set(RulingAct):
        return None
    readings = tuple(_readings_of(entry))
    ruling = RulingRecord(
        name=ruling_name(version.sequence, version.envelope),
        time_ms=version.known_time_ms,
        act=RulingAct(int(entry.act)),
        by=plain(entry.name),
        role=plain(entry.role),
        text=plain(entry.text),
        selection=plain(entry.selection),
        readings=readings,
    )
    is_before = all(reading[:2] < (version.sequence, version.envelope) for reading in readings)
    return ruling if is_before and not any(faults_of(ruling)) else None


def faults_of(ruling: RulingRecord) -> Iterator[str]:
    """Yield what is wrong with a ruling by itself, in words that say what is expected."""
    for what, text, length_max in (
        ("name", ruling.by, NAME_LENGTH_MAX),
        ("role", ruling.role, NAME_LENGTH_MAX),
        ("text", ruling.text, TEXT_LENGTH_MAX),
    ):
        if not 0 < len(text) <= length_max:
            yield f"{what}: {len(text)} characters; expected 1 to {length_max}"
    if not 0 < len(ruling.readings) <= RULED_COUNT_MAX:
        yield f"readings: {len(ruling.readings)}; expected 1 to {RULED_COUNT_MAX:,}"
    if any(
        not (sequence > 0 and 0 <= envelope < ENVELOPE_COUNT_MAX and 0 <= row < ROW_COUNT_MAX)
        for sequence, envelope, row in ruling.readings
    ):
        yield "readings: no place of a journal"


def encode_ruling(ruling: RulingRecord) -> bytes:
    """Return the payload of a ruling; its name and time are the journal's to give."""
    entry = RulingEntry(
        act=int(ruling.act),  # type: ignore[arg-type]  # the generated stub wants its own enum type
        name=ruling.by,
        role=ruling.role,
        text=ruling.text,
        selection=ruling.selection,
    )
    rows: dict[tuple[int, int], list[int]] = {}
    for sequence, envelope, row in sorted(ruling.readings):
        rows.setdefault((sequence, envelope), []).append(row)
    for (sequence, envelope), numbers in rows.items():
        entry.rows.append(RuledRows(sequence=sequence, envelope=envelope, row=numbers))
    return entry.SerializeToString(deterministic=True)


def _readings_of(entry: RulingEntry) -> Iterator[ReadingName]:
    for rows in entry.rows:
        for row in rows.row:
            yield ReadingName(rows.sequence, rows.envelope, row)


def ruling_name(sequence: int, envelope: int) -> str:
    """Return how the ruling is called that stands at a place of the journal."""
    return f"R{sequence}.{envelope}"


def holding(versions: Iterable[Version]) -> dict[ReadingName, RulingRecord]:
    """Return the ruling that holds on each reading that anybody ruled on."""
    found: dict[ReadingName, RulingRecord] = {}
    for version in versions:
        ruling = read_ruling(version)
        if ruling is not None:
            found.update(dict.fromkeys(ruling.readings, ruling))
    return found
