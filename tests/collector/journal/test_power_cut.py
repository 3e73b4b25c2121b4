"""The power fails at any moment, and the disk loses or tears what it was not told to keep."""

import itertools
import os
import random
import shutil
import sys

import pytest
from disk.breakages import BREAKAGES
from disk.power import Cut, build, random_cut
from disk.recovery import DATA, Promised, recover_and_check
from disk.trace import Entry, Write, run_traced

from phusong.collector.journal.reader import read_frames

SEED = int(os.environ.get("PHUSONG_SEED") or random.SystemRandom().randrange(2**31))
# Of the short form: three sessions, some five segments.
PAYLOAD_COUNT = 60
DISK_COUNT = 60


def record_work(folder, seed, count, *breakages):
    """Return the record of a collector and verifier at work, and the frames of its journal."""
    data = folder / "disk" / DATA
    command = [sys.executable, "-m", "disk.work", data, folder / "marks", seed, count, *breakages]
    record = run_traced([*map(str, command)], folder / "disk", folder / "marks", folder / "trace")
    # Of a copy: also who only reads makes SQLite's files beside a segment.
    shutil.copytree(data / "journal", folder / "read")
    return record, list(read_frames(folder / "read"))


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
def test_the_record_builds_the_very_disk_it_was_taken_from(worked):
    folder, record, _ = worked
    build(record, Cut(record.length, "everything", 0), folder / "rebuilt")

    originals = [path for path in (folder / "disk").rglob("*") if path.is_file()]
    rebuilt = [path for path in (folder / "rebuilt").rglob("*") if path.is_file()]
    assert {path.relative_to(folder / "rebuilt") for path in rebuilt} == {
        path.relative_to(folder / "disk") for path in originals
    }
    for path in originals:
        if not path.name.endswith("-shm"):
            again = folder / "rebuilt" / path.relative_to(folder / "disk")
            assert again.read_bytes() == path.read_bytes(), path


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
    record, written = record_work(tmp_path, SEED, PAYLOAD_COUNT, breakage)
    for i in itertools.count():
        assert i < 1000, f"PHUSONG_SEED={SEED}: 1000 disks did not show it"
        try:
            check_disk(tmp_path, record, written, random_cut(record, SEED + i))
        except Exception as failure:  # noqa: BLE001 - however it shows
            said = f"PHUSONG_SEED={SEED}: {breakage}: disk {i}: {failure!r}"
            print(said)  # noqa: T201 - as above
            return
