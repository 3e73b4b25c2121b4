"""Every way of falsifying a journal is found, and named by segment and sequence."""

import random
import re
import shutil
from pathlib import Path

import pytest
from tampering import FRAME_COUNT, copy_of, falsify, segment_files, signed_journal, unpack

from phusong.collector.journal.checkpoint import Signer
from phusong.collector.journal.notary import Notary
from phusong.collector.journal.writer import JournalWriter, NewFrame
from phusong.kernels.note import split_notes
from phusong.verifier.audit import audit_journal
from phusong.verifier.journal import JournalDamaged, JournalReader
from phusong.verifier.signatures import read_public_key

NAMED = re.compile(r"sequence (\d+)(?: to (\d+))?|frames (\d+) to (\d+) are gone")


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    data = tmp_path_factory.mktemp("original") / "data"
    signed_journal(data)
    assert len(segment_files(data)) > 3
    return data


@pytest.fixture
def data(original, tmp_path):
    return copy_of(original, tmp_path / "data")


def audit(data, *, copies=(), key=None):
    public = read_public_key(key or data / "keys" / "journal.pub")
    seen = []
    found = audit_journal(
        data / "journal", [data / "checkpoints", *copies], public, lambda *step: seen.append(step)
    )
    assert found.damage or seen[-1] == (FRAME_COUNT, FRAME_COUNT)
    return found


def named(damage):
    """Return the sequences that findings name."""
    found = set()
    for line in damage:
        for first, last, gone_first, gone_last in NAMED.findall(line):
            start = int(first or gone_first)
            found |= set(range(start, int(last or gone_last or start) + 1))
    return found


def test_a_journal_as_it_was_signed_is_fine(data):
    found = audit(data)

    assert found.damage == []
    assert found.position.sequence == found.signed_sequence == FRAME_COUNT
    assert found.sealed_count == len(segment_files(data)) - 1
    assert found.unsealed_count == 1
    assert found.head_count == 6


def flip(dice, rows):
    place = dice.randrange(len(rows))
    body = bytearray(rows[place][3])
    body[dice.randrange(len(body))] ^= 1 << dice.randrange(8)
    rows[place][3] = bytes(body)
    return place + 1


def flip_time(dice, rows):
    place = dice.randrange(len(rows))
    rows[place][2] ^= 1 << dice.randrange(40)
    return place + 1


def flip_chain(dice, rows):
    place = dice.randrange(len(rows))
    chain = bytearray(rows[place][4])
    chain[dice.randrange(32)] ^= 1 << dice.randrange(8)
    rows[place][4] = bytes(chain)
    return place + 1


def remove(dice, rows):
    place = dice.randrange(len(rows))
    del rows[place]
    return place + 1


def swap(dice, rows):
    first, second = sorted(dice.sample(range(len(rows)), 2))
    for column in (2, 3):
        rows[first][column], rows[second][column] = rows[second][column], rows[first][column]
    return first + 1


def insert(dice, rows):
    place = dice.randrange(len(rows))
    segment, _, time_ms, _, chain = rows[place]
    rows.insert(place, [segment, 0, time_ms, b"never received", chain])
    for i, row in enumerate(rows):
        row[1] = i + 1
    return place + 1


def truncate(dice, rows):
    count = dice.randrange(1, len(rows))
    del rows[count:]
    return count + 1


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("is_rechained", [False, True], ids=["as-is", "rechained"])
@pytest.mark.parametrize("change", [flip, flip_time, flip_chain, remove, swap, insert, truncate])
def test_falsified_frames_are_found_and_named(data, change, is_rechained, seed):
    print("seed", seed)  # noqa: T201
    dice = random.Random(f"{change.__name__} {seed}")
    touched = []
    if change is flip_chain and is_rechained:
        return  # the chain is what is made anew
    falsify(data, lambda rows: touched.append(change(dice, rows)), is_rechained=is_rechained)

    found = audit(data)

    assert found.damage
    assert touched[0] in named(found.damage), (touched, found.damage)
    assert found.damage[0].startswith(("segment-", "after sequence")), found.damage


@pytest.mark.parametrize("seed", range(12))
def test_a_flipped_bit_of_any_file_is_found_or_changes_no_frame(data, seed):
    print("seed", seed)  # noqa: T201
    dice = random.Random(seed)
    frames = list(JournalReader(data / "journal").frames())
    files = sorted(p for p in (data / "journal").glob("segment-*") if p.stat().st_size)
    path = dice.choice(files)
    content = bytearray(path.read_bytes())
    content[dice.randrange(len(content))] ^= 1 << dice.randrange(8)
    path.write_bytes(content)

    try:
        found = audit(data)
    except OSError:
        return
    if not found.damage:
        assert path.suffix == ".sqlite", "a sealed file and a note are covered bit by bit"
        assert list(JournalReader(data / "journal").frames()) == frames
    else:
        assert "segment-" in found.damage[0]


@pytest.mark.parametrize("suffix", [".sqlite.zst", ".note"])
@pytest.mark.parametrize("seed", range(10))
def test_every_bit_of_a_sealed_segment_and_its_note_counts(data, suffix, seed):
    print("seed", seed)  # noqa: T201
    dice = random.Random(f"{suffix} {seed}")
    path = dice.choice(sorted((data / "journal").glob(f"segment-*{suffix}")))
    content = bytearray(path.read_bytes())
    content[dice.randrange(len(content))] ^= 1 << dice.randrange(8)
    path.write_bytes(content)

    found = audit(data)

    assert path.name[:16] in " ".join(found.damage)


@pytest.mark.parametrize("seed", range(10))
def test_every_bit_of_a_signed_head_counts(data, seed):
    print("seed", seed)  # noqa: T201
    (path,) = (data / "checkpoints").iterdir()
    content = bytearray(path.read_bytes())
    # Not the empty lines at the very end: without them the last head is one torn by a crash.
    content[random.Random(seed).randrange(len(content) - 2)] ^= 1
    path.write_bytes(content)

    assert audit(data).damage


@pytest.mark.parametrize("number", [1, 2])
def test_segments_that_change_places_are_found(data, number):
    files = segment_files(data)
    first, second = files[number], files[number + 1]
    for suffix in ("sqlite.zst", "note"):
        a, b = (path.parent / f"{path.name[:16]}.{suffix}" for path in (first, second))
        content = a.read_bytes()
        a.write_bytes(b.read_bytes())
        b.write_bytes(content)

    assert audit(data).damage[0].startswith((first.name, second.name))


@pytest.mark.parametrize("number", [1, 2, "last"])
def test_a_missing_segment_is_found(data, number):
    files = segment_files(data)
    path = files[len(files) if number == "last" else number]
    path.unlink()

    found = audit(data)

    assert "expected sequence" in found.damage[0] or "are gone" in found.damage[0]


def test_a_missing_note_is_found(data):
    (data / "journal" / "segment-00000002.note").unlink()

    assert "signed note is gone" in audit(data).damage[0]


def test_a_sealed_segment_that_was_unpacked_again_is_still_held_to_the_heads(data):
    unpack(segment_files(data)[1])
    assert audit(data).damage == []

    falsify(data, lambda rows: flip(random.Random(1), rows), is_rechained=True)
    assert audit(data).damage


def audit_is_fine_without_copies(data):
    public = read_public_key(data / "keys" / "journal.pub")
    return not audit_journal(
        data / "journal", [data / "checkpoints"], public, lambda *_: None
    ).damage


def test_frames_are_held_to_copies_of_heads_when_the_folder_has_lost_its_own(data, tmp_path):
    copies = tmp_path / "copies"
    shutil.copytree(data / "checkpoints", copies)
    (path,) = (data / "checkpoints").iterdir()
    notes = split_notes(path.read_bytes())
    path.write_bytes(b"".join(note + b"\n" for note in notes[:1]))
    for left in (data / "journal").glob("segment-*"):
        if left.name[:16] > "segment-00000003":
            left.unlink()
    last = JournalReader(data / "journal").last().sequence
    assert last >= 3, "the head that is left is inside"
    assert audit_is_fine_without_copies(data)

    found = audit(data, copies=[copies])

    assert f"frames {last + 1} to {FRAME_COUNT} are gone" in found.damage[-1]


def test_a_journal_without_any_head_is_not_called_fine(data):
    shutil.rmtree(data / "checkpoints")

    assert "no signed head" in audit(data).damage[0]


def test_a_journal_made_anew_under_another_key_is_not_the_one_that_was_signed(data, tmp_path):
    shutil.copy(data / "keys" / "journal.pub", tmp_path / "given.pub")
    other = tmp_path / "other"
    signed_journal(other)

    assert audit(other).damage == []
    found = audit(other, key=tmp_path / "given.pub")
    assert "signed by another key" in found.damage[0]


def test_frames_after_the_last_head_are_counted_as_not_yet_signed(data):
    with JournalWriter(data / "journal") as writer:
        writer.append([NewFrame(writer.received_time_ms, b"new")])
    public = read_public_key(data / "keys" / "journal.pub")

    found = audit_journal(data / "journal", [data / "checkpoints"], public, lambda *_: None)

    assert found.damage == []
    assert (found.position.sequence, found.signed_sequence) == (FRAME_COUNT + 1, FRAME_COUNT)


def test_an_empty_last_segment_is_fine(tmp_path: Path):
    data = tmp_path / "data"
    with JournalWriter(data / "journal", segment_max_bytes=1) as writer:
        writer.append([NewFrame(1, b"a")])
        writer.append([NewFrame(2, b"b")])
        Notary(data, writer.folder, writer.journal, lambda: 5).sign_head()
    falsify(data, lambda rows: rows.pop(), is_rechained=False)
    public = Signer.of(data, writer.journal).public

    found = audit_journal(data / "journal", [], public, lambda *_: None)

    assert found.damage == [
        "sequence 1 to 1: no signed head; the checkpoints are gone, or were never made"
    ]
    assert found.unsealed_count == 2


def test_reading_a_falsified_journal_ends_with_an_exception(data):
    falsify(data, lambda rows: flip(random.Random(0), rows), is_rechained=False)

    with pytest.raises(JournalDamaged):
        list(JournalReader(data / "journal").frames())
