"""The power fails at any moment, and the disk loses or tears what it was not told to keep."""

import os
import random
import shutil
import sys

import pytest
from disk.breakages import BREAKAGES, CUT_NEAR_SUFFIX
from disk.power import Cut, build, random_cut
from disk.recovery import DATA, Promised, recover_and_check
from disk.trace import Entry, Write, run_traced

from phusong.collector.journal.reader import read_frames

SEED = int(os.environ.get("PHUSONG_SEED") or random.SystemRandom().randrange(2**31))
# Of the short form: three sessions, some five segments.
PAYLOAD_COUNT = 60
DISK_COUNT = 60
# Of the long form that breaks something.
RECORD_COUNT = 20
DISKS_OF_A_RECORD = 200


def record_work(folder, seed, count, *breakages):
    """Return the record of a collector and verifier at work, and the frames of its journal."""
    data = folder / "disk" / DATA
    command = [sys.executable, "-m", "disk.work", data, folder / "marks", seed, count, *breakages]
    record = run_traced([*map(str, command)], folder / "disk", folder / "marks", folder / "trace")
    # Of a copy: also who only reads makes SQLite's files beside a segment.
    shutil.copytree(data / "journal", folder / "read")
    written = list(read_frames(folder / "read"))
    check_record(folder, record)
    return record, written


def check_record(folder, record):
    """Prove that the record builds the very disk it was taken from."""
    build(record, Cut(record.length, "everything", 0), folder / "rebuilt")
    assert contents(folder / "rebuilt") == contents(folder / "disk")


def contents(folder):
    """Return the bytes of every file below a folder; of SQLite's `-shm`, which is a mapping, only that it is there."""
    return {
        path.relative_to(folder): b"" if path.name.endswith("-shm") else path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def check_disk(folder, record, written, cut):
    """Recover from a power cut; return how many frames there are that nobody had been promised."""
    disk = folder / f"cut-{cut.seed}"
    build(record, cut, disk)
    promised = Promised.at(record, cut.moment)
    try:
        count = recover_and_check(disk, written, promised, cut.seed)
    except BaseException as failure:
        failure.add_note(f"PHUSONG_SEED={SEED}: {cut}, {promised}")
        raise
    finally:
        shutil.rmtree(disk)
    return count - promised.frame


def names_of(record, number=0):
    """Return every name that was ever given to a node of a folder, by node."""
    names = {}
    for entry in record.nodes[number].operations:
        for name, node in entry.names:
            if node is not None:
                names.setdefault(node, set()).add(name)
                if record.nodes[node].is_folder:
                    names |= names_of(record, node)
    return names


def touched(record, suffix, kind):
    """Count operations of a kind on files whose name ever ended so."""
    return sum(
        isinstance(op, kind)
        for node, names in names_of(record).items()
        if any(name.endswith(suffix) for name in names)
        for op in record.nodes[node].operations
    )


@pytest.fixture(scope="module")
def worked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("power")
    return (folder, *record_work(folder, SEED, PAYLOAD_COUNT))


@pytest.mark.slow
def test_the_recorded_work_does_all_that_the_journal_ever_does(worked):
    _, record, written = worked
    entries = [op for node in record.nodes for op in node.operations if isinstance(op, Entry)]
    removed = {name for op in entries for name, node in op.names if node is None}

    assert len(written) > 15
    assert touched(record, ".sqlite", Write) > 20  # the log copied back
    assert touched(record, ".zst", Write) > 0
    assert touched(record, "heads-2021-10-01.notes", Write) > 3
    assert sum(mark.text.startswith("memory ") for mark in record.marks) > 6  # of three sessions
    assert touched(record, "state.snapshot", Write) > 0
    assert "segment-00000001.sqlite" in removed  # sealed


@pytest.mark.slow
def test_what_was_acknowledged_survives_a_power_cut_and_nothing_else_appears(worked):
    for i in range(DISK_COUNT):
        check_disk(*worked, random_cut(worked[1], SEED + i))


@pytest.mark.torture
@pytest.mark.timeout(3600)
def test_thousands_of_power_cuts_lose_nothing_that_was_acknowledged(tmp_path):
    spare, sync_count = 0, 0
    for work in range(8):
        folder = tmp_path / str(work)
        record, written = record_work(folder, SEED + work, 180)
        sync_count += sum(len(node.syncs) for node in record.nodes)
        for i in range(500):
            spare += check_disk(folder, record, written, random_cut(record, SEED + 1000 * work + i))
        shutil.rmtree(folder)
    print(  # noqa: T201 - the figures of a torture run
        f"PHUSONG_SEED={SEED}: 4000 disks, 8 records with {sync_count} syncs, {spare} frames to spare, 0 lost"
    )


@pytest.mark.torture
@pytest.mark.timeout(900)
@pytest.mark.parametrize("breakage", BREAKAGES)
def test_a_journal_that_syncs_too_little_is_found_out(tmp_path, breakage):
    """Some only show where a reader was slow at the right moment, which not every record has."""
    for work in range(RECORD_COUNT):
        record, written = record_work(tmp_path / str(work), SEED + work, PAYLOAD_COUNT, breakage)
        for i in range(DISKS_OF_A_RECORD):
            try:
                check_disk(
                    tmp_path,
                    record,
                    written,
                    random_cut(record, SEED + i, CUT_NEAR_SUFFIX.get(breakage)),
                )
            except Exception as failure:  # noqa: BLE001 - however it shows
                said = f"PHUSONG_SEED={SEED}: {breakage}: record {work}, disk {i}: {failure!r}"
                print(said)  # noqa: T201 - as above
                return
    pytest.fail(f"PHUSONG_SEED={SEED}: {RECORD_COUNT} x {DISKS_OF_A_RECORD} disks did not show it")
