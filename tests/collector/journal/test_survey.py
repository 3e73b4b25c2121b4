"""A damaged, missing or foreign segment is found, moved aside by command only, and replaced by nothing but itself."""

import shutil

import pytest
from tampering import FRAME_COUNT, segment_files, signed_journal

from phusong.collector.journal.isolation import NotDone, isolate, restore
from phusong.collector.journal.patrol import Patrol
from phusong.collector.journal.reader import read_frames
from phusong.collector.journal.segment import JournalDamaged
from phusong.collector.journal.survey import absence_of, all_damage, survey
from phusong.kernels.note import decode_public_key

SEGMENT = 2


@pytest.fixture
def public(tmp_path):
    signed_journal(tmp_path)
    return decode_public_key((tmp_path / "keys" / "journal.pub").read_text())


def flip(path, place):
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def test_a_whole_journal_has_no_damage(tmp_path, public):
    assert all_damage(tmp_path / "journal", public) == []


@pytest.mark.parametrize("place", [0, 100, -1])
def test_a_flipped_bit_is_found_and_named_with_its_frames(tmp_path, public, place):
    flip(segment_files(tmp_path)[SEGMENT], place)

    (damage,) = all_damage(tmp_path / "journal", public)

    assert damage.segment == SEGMENT
    assert 1 < damage.first_sequence <= damage.last_sequence < FRAME_COUNT
    assert "journal restore" in str(damage)


@pytest.mark.parametrize("has_note", [True, False])
def test_a_truncated_and_a_missing_file_are_found(tmp_path, public, has_note):
    folder = tmp_path / "journal"
    path = segment_files(tmp_path)[SEGMENT]
    path.write_bytes(path.read_bytes()[:-20])
    assert [damage.segment for damage in all_damage(folder, public)] == [SEGMENT]
    path.unlink()
    if not has_note:
        (folder / "segment-00000002.note").unlink()
    (damage,) = survey(folder, public)
    assert (damage.segment, damage.last_sequence > 0) == (SEGMENT, has_note)


def test_a_note_that_is_gone_or_signed_by_another_is_damage(tmp_path, public):
    other = tmp_path / "other"
    signed_journal(other)
    note = tmp_path / "journal" / "segment-00000002.note"
    shutil.copy(other / "journal" / note.name, note)
    assert [damage.segment for damage in survey(tmp_path / "journal", public)] == [SEGMENT]
    note.unlink()
    assert [damage.segment for damage in survey(tmp_path / "journal", public)] == [SEGMENT]


def test_a_patrol_comes_by_every_segment_and_says_when_it_is_whole_again(tmp_path, public):
    files = segment_files(tmp_path)
    patrol = Patrol(tmp_path / "journal", public)
    assert all(patrol.look() == [] for _ in files)
    flip(files[SEGMENT], 100)
    seen = [[damage.segment for damage in patrol.look()] for _ in files]
    assert seen[-1] == [SEGMENT]
    flip(files[SEGMENT], 100)
    assert patrol.look() == []


def test_frames_are_never_read_past_a_hole(tmp_path, public):
    segment_files(tmp_path)[SEGMENT].unlink()

    read = []
    with pytest.raises(JournalDamaged, match="are missing before it"):
        read.extend(frame.sequence for frame in read_frames(tmp_path / "journal"))


def test_a_damaged_segment_is_moved_aside_and_only_its_own_copy_is_put_back(tmp_path, public):
    folder = tmp_path / "journal"
    files = segment_files(tmp_path)
    with pytest.raises(NotDone, match="is the file that was sealed"):
        isolate(folder, SEGMENT, public, "2021-10-01T05:00:00.000Z")
    copy = tmp_path / "backup" / files[SEGMENT].name
    copy.parent.mkdir()
    shutil.copy(files[SEGMENT], copy)
    flip(files[SEGMENT], 100)
    damaged = files[SEGMENT].read_bytes()

    target = isolate(folder, SEGMENT, public, "2021-10-01T05:00:00.000Z")

    assert target.read_bytes() == damaged
    absence = absence_of(folder, SEGMENT)
    assert absence is not None
    assert absence.previous_chain
    assert "isolated on 2021-10-01" in str(survey(folder, public)[0])
    with pytest.raises(NotDone, match="not the file that was sealed"):
        restore(folder, target, public)
    wrong = copy.with_name(files[1].name)
    shutil.copy(files[3], wrong)
    with pytest.raises(NotDone, match="not the file that was sealed"):
        restore(folder, wrong, public)
    assert restore(folder, copy, public).segment == SEGMENT
    assert all_damage(folder, public) == []
    assert absence_of(folder, SEGMENT) is None
    assert len(list(read_frames(folder))) == FRAME_COUNT


def test_a_copy_brings_its_note_along_only_when_our_key_signed_it(tmp_path, public):
    folder, backup = tmp_path / "journal", tmp_path / "backup"
    backup.mkdir()
    names = ("segment-00000002.sqlite.zst", "segment-00000002.note")
    for name in names:
        shutil.move(folder / name, backup / name)
    other = tmp_path / "other"
    signed_journal(other)
    with pytest.raises(NotDone, match="not signed by"):
        restore(folder, other / "journal" / names[0], public)
    assert restore(folder, backup / names[0], public).segment == SEGMENT
    assert all_damage(folder, public) == []
    with pytest.raises(NotDone, match="not called like a segment"):
        restore(folder, tmp_path / "keys" / "journal.pub", public)
