"""Real gRPC clients that do as a correct device: again until there is a receipt."""

import asyncio
from collections import deque

import grpc
from history.record import Entry, Feed, Record

from phusong.v1.enforcement_pb2 import WatchRequest
from phusong.v1.enforcement_pb2_grpc import EnforcementStub
from phusong.v1.ingest_pb2 import Receipt
from phusong.v1.ingest_pb2_grpc import IngestStub
from phusong.v1.telemetry_pb2 import Batch

RETRY_S = 0.1
PATIENCE_S = 8
CALLS_IN_FLIGHT = 8
STREAM_IN_FLIGHT_MAX = 16
OPTIONS = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
    ("grpc.use_local_subchannel_pool", 1),  # a connection of its own
)


def channel_to(port: int) -> grpc.aio.Channel:
    return grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=OPTIONS)


def sent(entry: Entry) -> Batch:
    """Return a batch as it goes over gRPC, where it names its operator itself."""
    batch = Batch()
    batch.CopyFrom(entry.batch)
    batch.operator = entry.operator
    return batch


async def run_unary(feed: Feed, port: int) -> None:
    """Call with several in flight."""

    async def export(stub: IngestStub) -> None:
        while entry := await feed.take():
            entry.sent_count_max += 1
            try:
                receipt = await stub.Export(sent(entry), timeout=PATIENCE_S)
            except grpc.aio.AioRpcError:
                feed.give_back(entry)
                await asyncio.sleep(RETRY_S)
            else:
                note_receipt(feed.record, entry, receipt)

    async with channel_to(port) as channel:
        while not feed.has_ended:
            async with asyncio.TaskGroup() as calls:
                for _ in range(CALLS_IN_FLIGHT):
                    calls.create_task(export(IngestStub(channel)))


async def run_stream(feed: Feed, port: int) -> None:
    """Send over one stream after another; each lasts until something ends it."""
    async with channel_to(port) as channel:
        while not feed.has_ended:
            try:
                await _stream_once(IngestStub(channel), feed)
            except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
                await asyncio.sleep(RETRY_S)


async def _stream_once(stub: IngestStub, feed: Feed) -> None:
    waiting: deque[Entry] = deque()
    call = stub.ExportStream(timeout=PATIENCE_S)
    room = asyncio.Semaphore(STREAM_IN_FLIGHT_MAX)
    frames: list[int] = []
    feed.record.ascending.append((f"{feed.device.operator}: frames of a stream's receipts", frames))

    async def write() -> None:
        while True:
            await room.acquire()
            entry = await feed.take()
            if entry is None:
                break
            entry.sent_count_max += 1
            waiting.append(entry)
            await call.write(sent(entry))
        await call.done_writing()

    writer = asyncio.create_task(write())
    try:
        async for receipt in call:
            frames.append(receipt.journal_sequence)
            note_receipt(feed.record, waiting.popleft(), receipt)
            room.release()
    finally:
        writer.cancel()
        await asyncio.wait([writer])
        if not writer.cancelled():
            writer.exception()  # the call has said why already
        for entry in waiting:
            feed.give_back(entry)
        call.cancel()


def note_receipt(record: Record, entry: Entry, receipt: Receipt) -> None:
    """Note what was acknowledged; a receipt of another batch is a fault in itself."""
    named = (receipt.source, receipt.boot_epoch, receipt.sequence)
    batch = entry.batch
    if named != (batch.source, batch.boot_epoch, batch.sequence):
        record.complaints.append(f"{entry.operator}: a receipt for {named} answers {batch}")
    entry.acknowledge(receipt)


async def watch_grpc(operator: str, record: Record, port: int) -> None:
    """Watch decisions until cancelled, each time from the last one seen."""
    seen = record.decisions.setdefault(f"{operator} over gRPC", [])
    async with channel_to(port) as channel:
        while True:
            after = max((decision.position for decision in seen), default=0)
            request = WatchRequest(operator=operator, after_position=after)
            try:
                async for decision in EnforcementStub(channel).Watch(request):
                    seen.append(decision)
            except grpc.aio.AioRpcError:
                await asyncio.sleep(RETRY_S)
