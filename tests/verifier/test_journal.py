"""Reading the journal that the collector writes."""

import sqlite3
from pathlib import Path

import pytest

from phusong.collector.journal.writer import JournalWriter, NewFrame
from phusong.verifier.journal import RUN_FRAME_COUNT, JournalDamaged, JournalReader, Position


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
