"""The collector's memory, written while it runs."""

import asyncio
import logging
import shutil

import pytest
from batches import decision, usage_payload

from phusong.collector import memory_cache
from phusong.collector.doors import open_intake
from phusong.collector.journal.segment import segment_paths
from phusong.collector.journal.writer import JournalFailed
from phusong.collector.memory import CACHE_NAME, recover
from phusong.collector.topics import route_of_names
from phusong.kernels.frame import Transport
from phusong.v1.enforcement_pb2 import AcknowledgeRequest

ROUTE = route_of_names("viettel", "pgw-1", Transport.IMPORT)


@pytest.fixture
def often(monkeypatch):
    """Write the memory down after every frame."""
    monkeypatch.setattr(memory_cache, "SAVE_AFTER_BYTES", 0)
    steady(monkeypatch)


def steady(monkeypatch):
    """Write at once when there is a reason, whatever a slow machine took for the last time."""
    monkeypatch.setattr(memory_cache, "COPY_SHARE", 0)
    monkeypatch.setattr(memory_cache, "WRITE_SHARE", 0)


def cache_of(opened):
    return opened.intake._committer._cache


async def until(is_so):
    """Wait for what happens on a thread."""
    async with asyncio.timeout(60):
        while not is_so():  # noqa: ASYNC110 - threads set no event of the loop
            await asyncio.sleep(0.01)


async def written(opened, sequence):
    """Wait until the memory of a sequence, or of a later one, is on disk."""
    await until(lambda: (cache_of(opened)._saved_sequence or 0) >= sequence)


async def killed(opened, after):
    """Leave in `after` what a kill would leave now."""
    cache = opened.writer.folder / CACHE_NAME
    assert cache.exists()
    shutil.copytree(opened.writer.folder.parent, after, ignore=shutil.ignore_patterns("*.draft"))


async def test_after_a_kill_the_frames_before_the_cache_are_not_read_again(tmp_path, monkeypatch):
    steady(monkeypatch)
    data, after = tmp_path / "data", tmp_path / "after"
    async with open_intake(data) as opened:
        opened.writer.segment_max_bytes = 60_000
        while opened.writer.segment == 1:
            sequence = opened.writer.sequence + 1
            await opened.intake.submit(ROUTE, usage_payload(sequence, rows=200))
        await written(opened, 1)  # a new segment is reason enough
        newest = opened.writer.sequence + 1
        await opened.intake.submit(ROUTE, usage_payload(newest))
        await killed(opened, after)
    first, _ = segment_paths(after / "journal")
    first.unlink()

    assert 0 < recover(after / "journal").replayed_bytes < 1000
    async with open_intake(after) as opened:
        known = [await opened.intake.submit(ROUTE, usage_payload(n)) for n in range(1, newest + 2)]
    assert [receipt.duplicate_count > 0 for receipt in known] == [True] * newest + [False]


async def test_a_memory_that_grew_long_ago_is_written_though_nothing_more_comes(
    tmp_path, monkeypatch
):
    steady(monkeypatch)
    monkeypatch.setattr(memory_cache, "SAVE_AFTER_S", 0.5)
    async with open_intake(tmp_path) as opened:
        await opened.intake.submit(ROUTE, usage_payload(1))
        await written(opened, 1)

        assert recover(opened.writer.folder).replayed_bytes == 0


async def test_what_had_to_be_read_at_the_start_counts_as_not_yet_written(tmp_path, monkeypatch):
    async with open_intake(tmp_path) as opened:
        await opened.intake.submit(ROUTE, usage_payload(1, rows=100))
    (tmp_path / "journal" / CACHE_NAME).unlink()
    monkeypatch.setattr(memory_cache, "SAVE_AFTER_BYTES", 500)

    async with open_intake(tmp_path) as opened:
        await written(opened, 1)


@pytest.mark.usefixtures("often")
async def test_decisions_and_acknowledgements_are_those_of_the_journal_at_that_moment(tmp_path):
    data, after = tmp_path / "data", tmp_path / "after"
    async with open_intake(data) as opened:
        await opened.board.publish([decision("a"), decision("b"), decision("a", "mobifone")])
        request = AcknowledgeRequest(operator="viettel", decision_keys=["b"])
        await opened.board.acknowledge(request, Transport.GRPC)
        await opened.board.publish([decision("c")])
        await written(opened, opened.writer.sequence)
        await killed(opened, after)

    memory = recover(after / "journal")
    assert memory.replayed_bytes == 0
    assert memory.board.export() == recover(data / "journal", memory.sequence).board.export()
    assert memory.board.of("viettel").acknowledged_keys() == ["b"]


async def test_a_decision_that_nobody_waited_for_is_remembered_all_the_same(tmp_path):
    async with open_intake(tmp_path) as opened:
        publishing = asyncio.ensure_future(opened.board.publish([decision("a")]))
        await asyncio.sleep(0)
        publishing.cancel()
        await asyncio.gather(publishing, return_exceptions=True)

    async with open_intake(tmp_path) as opened:
        assert opened.board.of("viettel").last_position == 1


@pytest.mark.usefixtures("often")
async def test_a_memory_that_cannot_be_written_stops_nothing_and_is_tried_again(
    tmp_path, monkeypatch, caplog
):
    monkeypatch.setattr(memory_cache, "RETRY_S", 0.1)
    draft = tmp_path / "journal" / f"{CACHE_NAME}.draft"
    draft.mkdir(parents=True)
    async with open_intake(tmp_path) as opened:
        with caplog.at_level(logging.WARNING):
            await opened.intake.submit(ROUTE, usage_payload(1))
            await until(lambda: "memory was not written" in caplog.text)
        receipt = await opened.intake.submit(ROUTE, usage_payload(2))
        draft.rmdir()
        await written(opened, 2)

    assert (receipt.duplicate_count, receipt.journal_sequence) == (0, 2)


@pytest.mark.usefixtures("often")
async def test_a_memory_that_would_use_up_the_reserve_is_not_written(tmp_path, caplog):
    async with open_intake(tmp_path) as opened:
        cache = cache_of(opened)
        keep, cache.keep = cache.keep, lambda room_bytes: keep(min(room_bytes, 10))
        with caplog.at_level(logging.WARNING):
            await opened.intake.submit(ROUTE, usage_payload(1))
            await until(lambda: "left above the reserve" in caplog.text)

        assert not list(opened.writer.folder.glob(f"{CACHE_NAME}*"))


@pytest.mark.parametrize("is_often", [True, False])
@pytest.mark.parametrize("fault", [ValueError("a bug"), JournalFailed("a disk")])
async def test_what_was_judged_and_not_committed_is_never_remembered(
    tmp_path, monkeypatch, fault, is_often
):
    steady(monkeypatch)
    async with open_intake(tmp_path) as opened:
        await opened.intake.submit(ROUTE, usage_payload(1))

        def fail(_frames):
            raise fault

        monkeypatch.setattr(opened.writer, "append", fail)
        with pytest.raises(type(fault)):
            await opened.intake.submit(ROUTE, usage_payload(2))
        if is_often:
            monkeypatch.setattr(memory_cache, "SAVE_AFTER_S", 0)
            await asyncio.sleep(1.2)  # the committer looks again every second

    async with open_intake(tmp_path) as opened:
        receipts = [await opened.intake.submit(ROUTE, usage_payload(n)) for n in (1, 2)]
    assert [receipt.duplicate_count for receipt in receipts] == [1, 0]


async def test_the_pause_grows_with_what_the_copy_and_the_writing_took(tmp_path, monkeypatch):
    monkeypatch.setattr(memory_cache, "SAVE_AFTER_BYTES", 0)
    monkeypatch.setattr(memory_cache, "WRITE_SHARE", 1_000_000)
    async with open_intake(tmp_path) as opened:
        await opened.intake.submit(ROUTE, usage_payload(1))
        await written(opened, 1)
        for n in range(2, 20):
            await opened.intake.submit(ROUTE, usage_payload(n))

        assert cache_of(opened)._saved_sequence == 1


@pytest.mark.usefixtures("often")
async def test_nobody_else_may_read_the_memory(tmp_path):
    async with open_intake(tmp_path) as opened:
        await opened.intake.submit(ROUTE, usage_payload(1))
        await written(opened, 1)

        assert (opened.writer.folder / CACHE_NAME).stat().st_mode & 0o777 == 0o600
