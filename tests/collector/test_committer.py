"""What ends all committing, and what is told of it."""

import asyncio
import math
import sqlite3
import threading

import pytest
from batches import usage_payload

import phusong.collector.journal.writer as writer_module
from phusong.collector.doors import open_intake
from phusong.collector.journal.writer import JournalFailed, NoSpace
from phusong.collector.memory import CACHE_NAME
from phusong.collector.topics import route_of_names
from phusong.kernels.frame import PayloadKind, Route, Transport

ROUTE = route_of_names("viettel", "pgw-1", Transport.GRPC)
REGISTRY_ROUTE = Route("", "registry", "", Transport.SERVICE, PayloadKind.REGISTRY)


async def test_what_was_judged_and_not_written_is_remembered_by_nobody(tmp_path):
    """Something goes wrong between judging and writing; sent again, the batch of that frame counts."""
    begun, go_on = threading.Event(), threading.Event()
    async with open_intake(tmp_path) as (writer, intake, _, _):
        append = writer.append

        def append_later(frames):
            begun.set()
            go_on.wait()
            return append(frames)

        writer.append = append_later
        first = intake.send(ROUTE, usage_payload(1))
        await asyncio.to_thread(begun.wait)  # so that the others share the next frame
        lost = [intake.send(ROUTE, usage_payload(2)), intake.send(REGISTRY_ROUTE, b"\xff")]
        go_on.set()

        assert (await first).accepted_count == 1
        for outcome in lost:
            with pytest.raises(Exception, match="RegistryEntry"):
                await outcome
        with pytest.raises(Exception, match="RegistryEntry"):
            await intake.failure
    assert not (tmp_path / "journal" / CACHE_NAME).exists()

    async with open_intake(tmp_path) as (_, intake, _, _):
        receipts = [await intake.submit(ROUTE, usage_payload(number)) for number in (1, 2)]
    assert [receipt.duplicate_count for receipt in receipts] == [1, 0]


async def test_a_failure_after_a_commit_leaves_its_receipt_and_ends_the_intake(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(writer_module, "CHECKPOINT_BYTES", 0)
    async with open_intake(tmp_path) as (writer, intake, _, _):
        # The log cannot be copied into the segment; commits could go on.
        writer._database.set_authorizer(
            lambda action, *_: (
                sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_PRAGMA else sqlite3.SQLITE_OK
            )
        )
        assert (await intake.submit(ROUTE, usage_payload(1))).accepted_count == 1

        with pytest.raises(JournalFailed, match="checkpoint"):
            await intake.failure
        assert (intake.counts.queue_bytes, intake.counts.queue_payload_count) == (0, 0)
        with pytest.raises(JournalFailed):
            await intake.submit(ROUTE, usage_payload(2))


async def test_a_commit_that_takes_long_is_seen_and_so_is_a_thread_that_is_gone(tmp_path):
    begun, go_on = threading.Event(), threading.Event()
    async with open_intake(tmp_path) as (writer, intake, _, _):
        append = writer.append

        def append_later(frames):
            begun.set()
            go_on.wait()
            return append(frames)

        assert intake.stuck_s == 0
        writer.append = append_later
        receipt = intake.send(ROUTE, usage_payload(1))
        await asyncio.to_thread(begun.wait)
        first_s = intake.stuck_s
        second_s = intake.stuck_s
        go_on.set()
        await receipt
        while intake.stuck_s:  # noqa: ASYNC110 - the receipt is told before the step ends
            await asyncio.sleep(0.001)

    assert 0 < first_s < second_s
    assert intake.stuck_s == math.inf


async def test_a_disk_that_is_full_is_waited_for_and_is_no_standing_still(tmp_path, monkeypatch):
    monkeypatch.setattr("phusong.collector.committer.LOOK_EVERY_S", 0.01)
    async with open_intake(tmp_path) as (writer, intake, _, _):
        tries = []
        append = writer.append

        def append_at_last(frames):
            tries.append(intake._committer._step_since_s)
            if len(tries) < 20:
                raise NoSpace("no room")
            return append(frames)

        writer.append = append_at_last
        await intake.send(ROUTE, usage_payload(1))

    assert len(set(tries)) == 20  # each attempt is a step of its own
