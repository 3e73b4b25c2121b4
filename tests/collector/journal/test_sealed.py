"""Segments nobody writes any more: sealed, read again, and whole whenever the machine stops."""

import hashlib
import os
import random
import sqlite3

import pytest

from phusong.collector.journal.checkpoint import Signer
from phusong.collector.journal.notary import Notary
from phusong.collector.journal.reader import chain_at, read_frames
from phusong.collector.journal.sealed import note_path, open_sealed, seal_segment, sealed_path
from phusong.collector.journal.segment import JournalDamaged, segment_path, segment_paths
from phusong.collector.journal.writer import JournalWriter, NewFrame
from phusong.kernels.merkle import leaf_hash, tree_of
from phusong.kernels.note import decode_head, decode_note

# Opening, writing, syncing, naming and removing files; sealing needs fewer of them than this.
OPERATIONS = ("open", "fsync", "rename", "unlink")
OPERATION_COUNT_MAX = 40


def write(data, count=6, first=0):
    with JournalWriter(data / "journal", segment_max_bytes=30_000) as writer:
        for i in range(first, first + count):
            writer.append([NewFrame(1000 + i, b"frame %d " % i * 1500)])
        return writer.journal


def notary(data, journal):
    return Notary(data, data / "journal", journal, lambda: 1_633_064_400_000)


def seal_all(notary):
    count = 0
    while notary.seal_next():
        count += 1
    return count


def numbers(data):
    return [int(frame.body.split()[1]) for frame in read_frames(data / "journal")]


def test_all_segments_but_the_last_are_sealed_and_read_as_before(tmp_path):
    journal = write(tmp_path)
    before = list(read_frames(tmp_path / "journal"))
    plain_bytes = segment_path(tmp_path / "journal", 1).stat().st_size
    segment_count = len(segment_paths(tmp_path / "journal"))

    assert seal_all(notary(tmp_path, journal)) == segment_count - 1 > 1
    assert seal_all(notary(tmp_path, journal)) == 0

    paths = segment_paths(tmp_path / "journal")
    assert [path.suffix for path in paths] == [".zst"] * (segment_count - 1) + [".sqlite"]
    assert list(read_frames(tmp_path / "journal")) == before
    assert list(read_frames(tmp_path / "journal", 3)) == before[3:]
    assert [chain_at(tmp_path / "journal", frame.sequence) for frame in before] == [
        frame.chain for frame in before
    ]
    assert paths[0].stat().st_size < plain_bytes / 2
    assert not list((tmp_path / "journal").glob("sealing*"))


def test_the_note_beside_a_sealed_segment_says_what_is_in_it(tmp_path):
    journal = write(tmp_path)
    folder = tmp_path / "journal"
    seal_all(notary(tmp_path, journal))
    frames = {frame.sequence: frame for frame in read_frames(folder)}

    note = decode_note(note_path(folder, 2).read_bytes())
    head = decode_head(note.text)

    chains = [frames[i].chain for i in range(head.first, head.last + 1)]
    assert (head.journal, head.segment) == (journal, 2)
    assert head.tree == tree_of(map(leaf_hash, chains))
    assert head.chain == chains[-1]
    assert head.file == hashlib.sha256(sealed_path(folder, 2).read_bytes()).digest()
    assert Signer.of(tmp_path, journal).is_ours(note)


def test_a_writer_goes_on_after_sealed_segments(tmp_path):
    journal = write(tmp_path)
    seal_all(notary(tmp_path, journal))

    write(tmp_path, count=4, first=6)

    assert numbers(tmp_path) == list(range(10))


def test_a_segment_is_sealed_with_its_write_ahead_log_while_somebody_reads_it(tmp_path):
    folder = tmp_path / "journal"
    with JournalWriter(folder, segment_max_bytes=1) as writer:
        writer.append([NewFrame(1, b"a")])
        with sqlite3.connect(segment_path(folder, 1)) as reader:
            reader.execute("BEGIN")
            assert reader.execute("SELECT count(*) FROM frame").fetchone() == (1,)
            writer.append([NewFrame(2, b"b")])
            seal_all(notary(tmp_path, writer.journal))
            assert reader.execute("SELECT count(*) FROM frame").fetchone() == (1,)
        reader.close()

    assert [frame.body for frame in read_frames(folder)] == [b"a", b"b"]
    assert not list(folder.glob("segment-00000001.sqlite-*"))


def test_an_empty_last_segment_finds_the_time_of_the_sealed_one_before(tmp_path):
    journal = write(tmp_path)
    folder = tmp_path / "journal"
    with sqlite3.connect(segment_paths(folder)[-1]) as database:
        database.execute("DELETE FROM frame")
    database.close()
    seal_all(notary(tmp_path, journal))

    with JournalWriter(folder) as writer:
        assert writer.received_time_ms == 1000 + writer.sequence - 1 > 1000


def test_a_journal_whose_last_segment_is_gone_is_not_written(tmp_path):
    journal = write(tmp_path)
    folder = tmp_path / "journal"
    seal_all(notary(tmp_path, journal))
    segment_paths(folder)[-1].unlink()

    with pytest.raises(JournalDamaged, match="gone"):
        JournalWriter(folder)


def test_a_damaged_segment_is_not_sealed_and_stays(tmp_path):
    journal = write(tmp_path)
    path = segment_path(tmp_path / "journal", 1)
    with sqlite3.connect(path) as database:
        database.execute("UPDATE frame SET body = x'00' WHERE sequence = 1")
    database.close()

    with pytest.raises(JournalDamaged, match=r"segment-00000001\.sqlite, sequence 1"):
        seal_all(notary(tmp_path, journal))
    assert path.exists()
    assert not sealed_path(tmp_path / "journal", 1).exists()


def test_a_segment_that_lost_its_last_frame_is_not_sealed(tmp_path):
    journal = write(tmp_path)
    path = segment_path(tmp_path / "journal", 1)
    with sqlite3.connect(path) as database:
        database.execute("DELETE FROM frame WHERE sequence = (SELECT max(sequence) FROM frame)")
    database.close()

    with pytest.raises(JournalDamaged, match="does not follow"):
        seal_all(notary(tmp_path, journal))
    assert path.exists()


@pytest.mark.parametrize("seed", range(8))
def test_a_damaged_or_torn_sealed_segment_is_an_error_and_never_other_frames(tmp_path, seed):
    journal = write(tmp_path)
    seal_all(notary(tmp_path, journal))
    path = sealed_path(tmp_path / "journal", 1)
    content = bytearray(path.read_bytes())
    dice = random.Random(seed)
    if seed % 2:
        del content[dice.randrange(len(content)) :]
    else:
        content[dice.randrange(10, len(content))] ^= 1 << dice.randrange(8)
    path.write_bytes(content)

    with pytest.raises((JournalDamaged, OSError), match="segment-00000001"):
        open_sealed(path)


def die_at(operation_number):
    """End this process as kill -9 would, before the given file operation."""
    left = operation_number

    def dying(original):
        def operation(*args, **kwargs):
            nonlocal left
            left -= 1
            if left < 0:
                os._exit(9)
            return original(*args, **kwargs)

        return operation

    for name in OPERATIONS:
        setattr(os, name, dying(getattr(os, name)))


def seal_and_die(data, journal, operation_number):
    """Return whether sealing was over before the operation came."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            signer = Signer.of(data, journal)
            die_at(operation_number)
            seal_segment(data / "journal", 1, signer, "2021-10-01T05:00:00.000Z")
            status = 0
        finally:
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, 9)
    return status == 0


@pytest.mark.slow
def test_a_crash_at_any_step_of_sealing_leaves_the_old_or_the_new(tmp_path):
    crashes = 0
    for number in range(OPERATION_COUNT_MAX):
        data = tmp_path / f"{number}"
        journal = write(data)
        Signer.of(data, journal)

        is_over = seal_and_die(data, journal, number)

        assert numbers(data) == list(range(6)), f"after a crash before operation {number}"
        seal_all(notary(data, journal))
        assert numbers(data) == list(range(6))
        assert not list((data / "journal").glob("sealing*"))
        assert not list((data / "journal").glob("segment-00000001.sqlite-*"))
        assert not segment_path(data / "journal", 1).exists()
        if is_over:
            break
        crashes += 1
    assert 10 < crashes < OPERATION_COUNT_MAX - 1, crashes
