"""Reading the journal that the collector writes."""

import sqlite3
from pathlib import Path

import pytest

from phusong.collector.journal.notary import Notary
from phusong.collector.journal.writer import JournalWriter, NewFrame
from phusong.verifier.journal import RUN_FRAME_COUNT, JournalDamaged, JournalReader, Position
from phusong.verifier.sealed import open_segment, segments


def write(folder: Path, bodies: list[bytes], segment_max_bytes: int = 1 << 30) -> None:
    with JournalWriter(folder, segment_max_bytes=segment_max_bytes) as writer:
        for body in bodies:
            writer.append([NewFrame(1000, body)])


def bodies(reader: JournalReader) -> list[bytes]:
    return [frame.body for frame in reader.frames()]


def test_a_folder_that_is_not_there_is_a_journal_without_frames(tmp_path: Path) -> None:
    reader = JournalReader(tmp_path / "none")

    assert bodies(reader) == []
    assert reader.last() == Position()


def test_frames_come_in_order_over_all_segments(tmp_path: Path) -> None:
    written = [b"%d" % i * 5000 for i in range(20)]
    write(tmp_path, written, segment_max_bytes=40_000)
    assert len(list(tmp_path.glob("segment-*.sqlite"))) > 2
    reader = JournalReader(tmp_path)

    assert bodies(reader) == written
    assert reader.position == JournalReader(tmp_path).last()


def test_a_reader_goes_on_where_it_stopped_while_the_writer_writes(tmp_path: Path) -> None:
    with JournalWriter(tmp_path) as writer:
        reader = JournalReader(tmp_path)
        writer.append([NewFrame(1, b"a")])
        assert bodies(reader) == [b"a"]
        assert bodies(reader) == []
        writer.append([NewFrame(2, b"b"), NewFrame(3, b"c")])

        assert bodies(reader) == [b"b", b"c"]


def test_a_follower_moves_to_the_next_segment(tmp_path: Path) -> None:
    with JournalWriter(tmp_path, segment_max_bytes=1) as writer:
        reader = JournalReader(tmp_path)
        for i in range(3):
            writer.append([NewFrame(i, b"%d" % i)])
            assert bodies(reader) == [b"%d" % i]


def test_more_frames_than_one_run_holds_are_all_read(tmp_path: Path) -> None:
    written = [b"%d" % i for i in range(2 * RUN_FRAME_COUNT + 1)]
    write(tmp_path, written)

    assert bodies(JournalReader(tmp_path)) == written


def test_reading_may_end_at_a_sequence(tmp_path: Path) -> None:
    write(tmp_path, [b"a", b"b", b"c"])

    assert [frame.body for frame in JournalReader(tmp_path).frames(2)] == [b"a", b"b"]


def test_reading_may_begin_after_a_position(tmp_path: Path) -> None:
    write(tmp_path, [b"a", b"b", b"c"])
    first = next(JournalReader(tmp_path).frames())

    assert bodies(JournalReader(tmp_path, first.position)) == [b"b", b"c"]
    assert JournalReader(tmp_path).chain_at(1) == first.chain
    assert JournalReader(tmp_path).chain_at(4) is None


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE frame SET body = CAST('B' AS BLOB) WHERE sequence = 2",
        "UPDATE frame SET received_time_ms = 999 WHERE sequence = 2",
        "UPDATE frame SET chain = zeroblob(32) WHERE sequence = 2",
        "DELETE FROM frame WHERE sequence = 2",
        "UPDATE frame SET body = (SELECT body FROM frame WHERE sequence = 3) WHERE sequence = 2",
    ],
)
def test_damage_is_named_by_segment_and_sequence(tmp_path: Path, damage: str) -> None:
    write(tmp_path, [b"a", b"b", b"c"])
    database = sqlite3.connect(tmp_path / "segment-00000001.sqlite")
    database.execute(damage)
    database.commit()
    database.close()
    reader = JournalReader(tmp_path)

    with pytest.raises(JournalDamaged, match=r"segment-00000001\.sqlite, sequence [23]"):
        list(reader.frames())
    assert reader.position.sequence == 1


def seal(folder: Path) -> None:
    writer = JournalWriter(folder)
    writer.close()
    notary = Notary(folder.parent, folder, writer.journal, lambda: 0)
    while notary.seal_next():
        pass


def test_sealed_segments_read_as_before(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    written = [b"%d" % i * 5000 for i in range(20)]
    write(folder, written, segment_max_bytes=40_000)
    frames = list(JournalReader(folder).frames())
    seal(folder)
    assert len(list(folder.glob("segment-*.sqlite.zst"))) > 2

    assert list(JournalReader(folder).frames()) == frames
    assert JournalReader(folder).last() == frames[-1].position
    for frame in frames:
        assert JournalReader(folder).chain_at(frame.sequence) == frame.chain
        assert next(JournalReader(folder, frame.position).frames(), None) == (
            frames[frame.sequence] if frame.sequence < len(frames) else None
        )


def test_a_follower_goes_on_while_its_segment_is_sealed(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    with JournalWriter(folder, segment_max_bytes=1) as writer:
        reader = JournalReader(folder)
        notary = Notary(tmp_path, folder, writer.journal, lambda: 0)
        for i in range(4):
            writer.append([NewFrame(i, b"%d" % i)])
            assert bodies(reader) == [b"%d" % i]
            notary.seal_next()


def test_a_segment_sealed_between_listing_and_opening_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    write(folder, [b"a" * 50_000, b"b"], segment_max_bytes=1)
    listed = segments(folder)
    seal(folder)

    database = open_segment(listed[0])

    assert database.execute("SELECT sequence FROM frame").fetchall() == [(1,)]
    database.close()


@pytest.mark.parametrize("is_noted", [True, False], ids=["with-notes", "without-notes"])
@pytest.mark.parametrize("segment", [1, 2, 3])
def test_a_missing_segment_is_never_skipped_silently(
    tmp_path: Path, segment: int, is_noted: bool
) -> None:
    folder = tmp_path / "journal"
    write(folder, [b"%d" % i for i in range(5)], segment_max_bytes=1)
    if is_noted:
        seal(folder)
    for path in folder.glob(f"segment-{segment:08d}.sqlite*"):
        path.unlink()

    with pytest.raises(JournalDamaged, match=f"expected sequence {segment}"):
        list(JournalReader(folder).frames())


def test_frames_missing_at_the_end_of_a_segment_are_never_skipped_silently(tmp_path: Path) -> None:
    write(tmp_path, [b"%d" % i * 9000 for i in range(9)], segment_max_bytes=40_000)
    database = sqlite3.connect(tmp_path / "segment-00000001.sqlite")
    (last,) = database.execute("SELECT max(sequence) FROM frame").fetchone()
    database.execute("DELETE FROM frame WHERE sequence = ?", (last,))
    database.commit()
    database.close()

    with pytest.raises(JournalDamaged, match=f"expected sequence {last}"):
        list(JournalReader(tmp_path).frames())


def test_a_note_that_lies_about_its_first_frame_hides_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    written = [b"%d" % i for i in range(5)]
    write(folder, written, segment_max_bytes=1)
    seal(folder)
    notes = {i: (folder / f"segment-{i:08d}.note").read_bytes() for i in (1, 4)}

    (folder / "segment-00000001.note").write_bytes(notes[4])
    assert bodies(JournalReader(folder)) == written
    (folder / "segment-00000004.note").write_bytes(notes[1])
    with pytest.raises(JournalDamaged, match="expected sequence 1"):
        list(JournalReader(folder).frames())


@pytest.mark.parametrize(
    "values",
    ["body = NULL", "body = 7", "received_time_ms = -1", "received_time_ms = 'x'", "chain = 1"],
)
def test_values_no_frame_has_are_damage(tmp_path: Path, values: str) -> None:
    write(tmp_path, [b"a", b"b"])
    database = sqlite3.connect(tmp_path / "segment-00000001.sqlite")
    database.execute("PRAGMA ignore_check_constraints = ON")
    try:
        database.execute(f"UPDATE frame SET {values} WHERE sequence = 2")
    except sqlite3.IntegrityError:
        return  # SQLite itself refuses NULL
    finally:
        database.commit()
        database.close()

    with pytest.raises(JournalDamaged, match="sequence 2"):
        list(JournalReader(tmp_path).frames())


def test_a_file_that_is_no_database_is_damage_and_named(tmp_path: Path) -> None:
    write(tmp_path, [b"a"])
    (tmp_path / "segment-00000001.sqlite").write_bytes(b"not a database" * 1000)

    with pytest.raises(JournalDamaged, match=r"segment-00000001\.sqlite"):
        list(JournalReader(tmp_path).frames())
