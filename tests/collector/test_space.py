"""A disk that fills up: nothing new is taken in time, nothing acknowledged is lost, and it goes on by itself."""

import asyncio

import grpc
import pytest
from batches import TOPIC, decision, usage_batch, usage_payload
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from mqtt5 import DisconnectReasonCode, PubAckPacket
from mqtt_peer import Peer, publish
from small_disk import MIB, small_disk

from phusong.collector.doors import DoorOptions, Doors, open_intake
from phusong.collector.intake import Overloaded
from phusong.collector.journal.reader import read_frames
from phusong.collector.journal.writer import (
    JournalFailed,
    JournalWriter,
    NewFrame,
    NoSpace,
    NotTaken,
)
from phusong.collector.road import open_road
from phusong.collector.space import RETURN_SHARE, SpaceWatch
from phusong.collector.topics import route_of_names
from phusong.kernels.frame import PayloadKind, Route, Transport, decode_frame
from phusong.v1.ingest_pb2_grpc import IngestStub

RESERVE_BYTES = 8 * MIB
ROUTE = route_of_names("viettel", "pgw-1", Transport.IMPORT)


@pytest.fixture
def disk():
    with small_disk(48 * MIB) as disk:
        yield disk


def payloads(folder):
    found = []
    for stored in read_frames(folder / "journal"):
        frame = decode_frame(stored.body)
        places = zip(frame.offset.tolist(), frame.length.tolist(), strict=True)
        found += [stored.body[offset : offset + length] for offset, length in places]
    return found


async def until(fact):
    async with asyncio.timeout(60):
        while not fact():  # noqa: ASYNC110 - the fact is the product's, which tells nobody
            await asyncio.sleep(0.02)


def test_taking_begins_again_with_more_room_than_it_ended_with(disk):
    watch = SpaceWatch(disk.folder, RESERVE_BYTES)
    assert watch.look(0)
    disk.fill(RESERVE_BYTES - MIB // 2)
    assert not watch.look(0)
    assert "needs 9 MiB" in str(watch.space)
    disk.empty()
    disk.fill(RESERVE_BYTES + RESERVE_BYTES // RETURN_SHARE - MIB // 2)
    assert not watch.look(0)
    disk.empty()
    disk.fill(RESERVE_BYTES + RESERVE_BYTES // RETURN_SHARE + MIB // 2)
    assert watch.look(0)


def test_a_commit_that_would_cross_the_line_and_a_segment_to_be_sealed_count(disk):
    watch = SpaceWatch(disk.folder, RESERVE_BYTES)
    assert watch.look(0, disk.free_bytes - RESERVE_BYTES)
    assert not watch.look(0, disk.free_bytes - RESERVE_BYTES + 1)
    watch = SpaceWatch(disk.folder, RESERVE_BYTES)
    room_bytes = disk.free_bytes - RESERVE_BYTES
    assert watch.look(room_bytes // 2)
    assert not watch.look(room_bytes // 2 + 1)


async def test_telemetry_waits_for_room_while_decisions_are_written_down(disk):
    async with open_intake(disk.folder, reserve_bytes=RESERVE_BYTES) as (_, intake, board, _):
        await intake.submit(ROUTE, usage_payload(1))
        disk.fill(RESERVE_BYTES - MIB)
        waiting = intake.send(ROUTE, usage_payload(2))
        await until(lambda: intake.is_full)

        with pytest.raises(Overloaded, match=r"disk nearly full, \d+ MiB left, needs \d+ MiB"):
            await intake.submit(ROUTE, usage_payload(3))
        assert await board.publish([decision("cut-1")]) == 1
        assert not waiting.done()

        disk.empty()
        assert (await waiting).accepted_count == 1
        assert not intake.is_full
    assert payloads(disk.folder)[0] == usage_payload(1)
    assert payloads(disk.folder)[2] == usage_payload(2)


async def test_what_waits_for_room_when_the_service_ends_is_not_taken_and_counts_when_it_comes_again(
    disk,
):
    async with open_intake(disk.folder, reserve_bytes=RESERVE_BYTES) as (_, intake, _, _):
        await intake.submit(ROUTE, usage_payload(1))
        disk.fill(RESERVE_BYTES - MIB)
        await until(lambda: intake.is_full)
        waiting = intake.send(ROUTE, usage_payload(2))
    with pytest.raises(NotTaken):
        await waiting
    disk.empty()
    async with open_intake(disk.folder, reserve_bytes=RESERVE_BYTES) as (_, intake, _, _):
        receipts = [await intake.submit(ROUTE, usage_payload(n)) for n in (1, 2)]
    assert [receipt.duplicate_count for receipt in receipts] == [1, 0]


@pytest.mark.parametrize("is_room_made", [True, False])
async def test_a_disk_without_any_room_at_all_loses_nothing_acknowledged(disk, is_room_made):
    """Another program takes the reserve as well: SQLite itself finds the disk full."""
    async with open_intake(disk.folder, reserve_bytes=0) as (writer, intake, _, _):
        await intake.submit(ROUTE, usage_payload(1))
        disk.fill(0)
        waiting = intake.send(ROUTE, usage_payload(2, rows=4000))
        await until(lambda: intake.is_full)
        assert not waiting.done()
        assert not writer.is_failed
        if is_room_made:
            disk.empty()
            assert (await waiting).accepted_count == 4000
            assert (await intake.submit(ROUTE, usage_payload(3))).journal_sequence == 3
    if not is_room_made:
        with pytest.raises(NotTaken):
            await waiting
        disk.empty()
    # What was judged and not written is remembered by nobody: sent again, it counts.
    async with open_intake(disk.folder, reserve_bytes=0) as (_, intake, _, _):
        receipts = [await intake.submit(ROUTE, usage_payload(n, rows=4000)) for n in (1, 2)]
    assert [receipt.duplicate_count > 0 for receipt in receipts] == [True, is_room_made]


def test_a_full_disk_never_tears_the_journal_and_other_failures_are_for_good(disk):
    with JournalWriter(disk.folder / "journal", segment_max_bytes=4 * MIB) as writer:
        writer.append([NewFrame(1, b"first")])
        disk.fill(6 * MIB)
        written = [b"first"]
        refused = 0
        for i in range(400):
            body = bytes([i % 256]) * 200_000
            try:
                writer.append([NewFrame(2 + i, body)])
                written.append(body)
                writer.tidy()
            except NoSpace:
                refused += 1
                if refused == 20:
                    disk.empty()
                    disk.fill(6 * MIB)
        assert refused > 20
        assert writer.sequence == len(written)
        writer._database.close()
        with pytest.raises(JournalFailed):
            writer.append([NewFrame(10_000, b"")])
        assert writer.is_failed
    disk.empty()
    assert [frame.body for frame in read_frames(disk.folder / "journal")] == written


async def test_mqtt_is_not_read_grpc_is_told_when_to_come_back_and_both_go_on_by_themselves(disk):
    async with Doors(
        DoorOptions(disk.folder, reserve_bytes=RESERVE_BYTES, open_loopback=True)
    ) as doors:
        early = await Peer.connected(doors.mqtt_port, "early")
        disk.fill(RESERVE_BYTES - MIB)
        await until(lambda: doors.not_ready() is not None)
        assert "disk nearly full" in doors.not_ready()

        early.send(publish(TOPIC, usage_payload(1), packet_id=1))
        late = await Peer.connected(doors.mqtt_port, "late", keep_alive=1)
        late.send(publish(TOPIC, usage_payload(2), packet_id=1))
        told = await late.packet()
        assert told.reason_code == DisconnectReasonCode.SERVER_BUSY
        assert "disk nearly full" in told.reason_str
        async with grpc.aio.insecure_channel(f"127.0.0.1:{doors.grpc_port}") as channel:
            stub = IngestStub(channel)
            batch = usage_batch(3, operator="viettel", source="pgw-1")
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await stub.Export(batch)
            with pytest.raises(grpc.aio.AioRpcError) as refused_stream:
                async for _ in stub.ExportStream(iter([batch])):
                    pass
            for error in (refused.value, refused_stream.value):
                assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
                assert "disk nearly full" in error.details()
                status = Status.FromString(
                    dict(error.trailing_metadata())["grpc-status-details-bin"]
                )
                delay = RetryInfo()
                status.details[0].Unpack(delay)
                assert delay.retry_delay.ToMilliseconds() == 5000
            assert payloads(disk.folder) == []

            disk.empty()
            assert isinstance(await early.packet(), PubAckPacket)
            assert (await stub.Export(batch)).accepted_count == 1
        assert doors.not_ready() is None
        while Peer.open_peers:
            Peer.open_peers.pop().close()
    taken = payloads(disk.folder)
    assert taken == [usage_payload(1), batch.SerializeToString()]


async def test_a_command_hears_why_the_service_waits_and_its_registry_goes_in(disk, caplog):
    registry = Route("", "registry", "", Transport.SERVICE, PayloadKind.UNREADABLE)
    async with Doors(
        DoorOptions(disk.folder, reserve_bytes=RESERVE_BYTES, open_loopback=True)
    ) as doors:
        disk.fill(RESERVE_BYTES - MIB)
        await until(lambda: doors.not_ready() is not None)
        async with open_road(disk.folder, lambda: 0) as road:
            assert (await road.submit(registry, b"of the service itself")).journal_sequence == 1
            imported = asyncio.create_task(road.submit(ROUTE, usage_payload(1)))
            await until(lambda: "the service waits: disk nearly full" in caplog.text)
            assert not imported.done()
            disk.empty()
            assert (await imported).accepted_count == 1
