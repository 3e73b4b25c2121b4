"""The one writer of the journal."""

import os
import signal
import sqlite3
import stat
import subprocess
import sys

import pytest
from small_disk import MIB, small_disk

from phusong.collector.journal.reader import read_frames
from phusong.collector.journal.segment import JournalDamaged, segment_paths
from phusong.collector.journal.writer import (
    JournalFailed,
    JournalLocked,
    JournalWriter,
    NewFrame,
    NoSpace,
)
from phusong.kernels.frame import CHAIN_START, chain_hash


def append_some(writer, count, time_ms=1000):
    for i in range(count):
        writer.append([NewFrame(time_ms + i, b"frame %d" % i)])


def test_sequences_are_gapless_and_every_chain_follows_from_the_one_before(tmp_path):
    with JournalWriter(tmp_path) as writer:
        writer.append([NewFrame(5, b"a"), NewFrame(5, b"b")])
        writer.append([NewFrame(6, b"c")])

    frames = list(read_frames(tmp_path))

    chain = CHAIN_START
    for sequence, frame in enumerate(frames, start=1):
        chain = chain_hash(chain, sequence, frame.received_time_ms, frame.body)
        assert (frame.sequence, frame.chain) == (sequence, chain)
    assert [frame.body for frame in frames] == [b"a", b"b", b"c"]


def test_a_writer_continues_where_the_last_one_stopped(tmp_path):
    with JournalWriter(tmp_path) as writer:
        append_some(writer, 3)
        position = (writer.journal, writer.sequence, writer.chain, writer.received_time_ms)

    with JournalWriter(tmp_path) as writer:
        assert (writer.journal, writer.sequence, writer.chain, writer.received_time_ms) == position
        append_some(writer, 1, time_ms=2000)

    assert [frame.sequence for frame in read_frames(tmp_path)] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    "limits", [{"segment_max_bytes": 1}, {"segment_max_ms": 1}], ids=["size", "time"]
)
def test_a_segment_ends_by_size_and_by_time_and_the_chain_goes_on(tmp_path, limits):
    with JournalWriter(tmp_path, **limits) as writer:
        append_some(writer, 3)

    with JournalWriter(tmp_path, **limits) as writer:
        assert writer.sequence == 3
        append_some(writer, 1, time_ms=2000)

    assert len(segment_paths(tmp_path)) == 4
    assert [frame.sequence for frame in read_frames(tmp_path, after_sequence=1)] == [2, 3, 4]


def test_a_crash_between_two_segments_leaves_an_empty_one_that_is_used(tmp_path):
    with JournalWriter(tmp_path, segment_max_bytes=1) as writer:
        append_some(writer, 2)
    with sqlite3.connect(segment_paths(tmp_path)[-1]) as database:
        database.execute("DELETE FROM frame")

    with JournalWriter(tmp_path, segment_max_bytes=1) as writer:
        assert (writer.sequence, writer.received_time_ms) == (1, 1000)
        append_some(writer, 1)

    assert len(segment_paths(tmp_path)) == 2


def test_a_second_writer_is_refused_until_the_first_one_is_gone(tmp_path):
    with JournalWriter(tmp_path), pytest.raises(JournalLocked):
        JournalWriter(tmp_path)
    JournalWriter(tmp_path).close()


@pytest.mark.parametrize("column", ["body", "chain", "received_time_ms"])
def test_a_changed_frame_stops_the_start(tmp_path, column):
    with JournalWriter(tmp_path) as writer:
        append_some(writer, 3)
    with sqlite3.connect(segment_paths(tmp_path)[0]) as database:
        database.execute(f"UPDATE frame SET {column} = 7 WHERE sequence = 2")

    with pytest.raises(JournalDamaged):
        JournalWriter(tmp_path)
    with pytest.raises(JournalDamaged):  # and the lock was given back
        JournalWriter(tmp_path)


def test_a_disk_without_room_is_tried_again_and_holds_nothing_of_what_failed(tmp_path):
    with JournalWriter(tmp_path) as writer:
        append_some(writer, 1)
        pages = writer._database.execute("PRAGMA page_count").fetchone()[0]
        writer._database.execute(f"PRAGMA max_page_count = {pages}")

        with pytest.raises(NoSpace, match="full"):
            writer.append([NewFrame(2000, bytes(1 << 20))])
        writer._database.execute("PRAGMA max_page_count = 1000000")
        assert writer.append([NewFrame(2000, b"small")]) == 2

    assert [frame.body for frame in read_frames(tmp_path)][1:] == [b"small"]


@pytest.mark.slow
def test_a_disk_without_room_for_a_new_file_is_tried_again():
    with small_disk(64 * MIB, "nr_inodes=64") as disk:
        with JournalWriter(disk.folder / "journal", segment_max_bytes=1) as writer:
            append_some(writer, 1)
            others = [disk.folder / f"other-{i}" for i in range(os.statvfs(disk.folder).f_favail)]
            for path in others:
                path.touch()

            with pytest.raises(NoSpace):
                append_some(writer, 1)
            for path in others:
                path.unlink()
            append_some(writer, 1)

        assert writer.segment == 2
        assert [frame.sequence for frame in read_frames(disk.folder / "journal")] == [1, 2]


def test_a_failed_commit_stops_the_writer_for_good(tmp_path):
    with JournalWriter(tmp_path) as writer:
        append_some(writer, 1)
        writer._database.execute("PRAGMA query_only = ON")

        with pytest.raises(JournalFailed, match="readonly"):
            writer.append([NewFrame(2000, bytes(1 << 20))])
        writer._database.execute("PRAGMA query_only = OFF")
        with pytest.raises(JournalFailed):
            writer.append([NewFrame(2000, b"small")])
        assert writer.sequence == 1

    assert [frame.sequence for frame in read_frames(tmp_path)] == [1]


def test_only_the_owner_may_read(tmp_path):
    folder = tmp_path / "new" / "journal"
    with JournalWriter(folder) as writer:
        append_some(writer, 1)
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert set(modes.values()) == {0o600}, modes


def test_a_reader_in_another_connection_follows_while_it_is_written(tmp_path):
    with JournalWriter(tmp_path) as writer:
        append_some(writer, 1)
        assert len(list(read_frames(tmp_path))) == 1
        append_some(writer, 2, time_ms=2000)
        assert [frame.sequence for frame in read_frames(tmp_path, 1)] == [2, 3]


WRITE_FOR_EVER = """
import sys
from pathlib import Path
from phusong.collector.journal.writer import JournalWriter, NewFrame
writer = JournalWriter(Path(sys.argv[1]), segment_max_bytes=200_000)
while True:
    print(writer.append([NewFrame(writer.received_time_ms + 1, bytes(20_000))]), flush=True)
"""


@pytest.mark.slow
def test_what_was_committed_before_kill_9_is_there_after_it(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", WRITE_FOR_EVER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    with process:
        for _ in range(37):
            last = int(process.stdout.readline())
        os.kill(process.pid, signal.SIGKILL)
        for line in process.stdout:
            last = int(line)

    with JournalWriter(tmp_path) as writer:
        assert writer.sequence >= last
    sequences = [frame.sequence for frame in read_frames(tmp_path)]
    assert sequences == list(range(1, len(sequences) + 1))
    assert len(sequences) >= last
