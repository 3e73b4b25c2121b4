"""Senders that always have more: `python flood.py mqtt|grpc PORT SOURCE SECONDS` prints what they sent and were answered.

They say when they are connected and begin when they are told, so that several begin together. Everything is encoded before the clock starts, so that a sender costs far less than the service it floods. A batch is
counted as acknowledged only by its PUBACK or its receipt; after the time is over every batch sent is waited for.
"""

import asyncio
import json
import sys
import time

import grpc
import numpy as np
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from mqtt5 import ConnectPacket, PublishPacket, QoS, read

from phusong.v1.ingest_pb2 import Receipt
from phusong.v1.telemetry_pb2 import Batch, UsageReading

# Calls are few and carry much, messages many and carry little: together they fill the queue of the intake.
ROW_COUNT = {"mqtt": 400, "grpc": 12_000}
SEQUENCE_FIRST = 1 << 28  # five bytes of varint, whatever is added
BLOCK_COUNT = 64
PUBACK_BYTES = 4
CALLS_IN_FLIGHT = 64
QUIET_S = 60  # without any answer for so long, something is wrong


class Block:
    """Batches of one size one after another, each with its number, made anew by writing the numbers into them."""

    def __init__(self, message: bytes, count: int) -> None:
        self.size = len(message)
        self._table = np.tile(np.frombuffer(message, np.uint8), (count, 1))
        self._count = count
        self._at = message.index(b"\x18" + _varint(SEQUENCE_FIRST)) + 1

    def numbered(self, first: int) -> np.ndarray:
        """Return the messages first, first + 1 …"""
        number = SEQUENCE_FIRST + first + np.arange(self._count)
        for i in range(4):
            self._table[:, self._at + i] = (number >> 7 * i) & 0x7F | 0x80
        self._table[:, self._at + 4] = number >> 28
        return self._table


def batch(source: str, row_count: int) -> bytes:
    """Return a batch of many readings of as many SIMs, whose counters stand still: cheap for nobody but us."""
    readings = [
        UsageReading(
            subscriber_key=1 + row,
            session=source,
            observed_time_ms=time.time_ns() // 1_000_000,
            uplink_bytes=1 << 20,
            downlink_bytes=1 << 24,
            counter_width_bits=64,
        )
        for row in range(row_count)
    ]
    message = Batch(source=source, operator="viettel", boot_epoch=1, sequence=SEQUENCE_FIRST)
    message.usage_readings.extend(readings)
    return bytes(message.SerializeToString())


class Publisher(asyncio.Protocol):
    """Keeps as many messages unacknowledged as the service allows, for so long."""

    def __init__(self, source: str, seconds: float) -> None:
        packet = PublishPacket(
            f"phusong/v1/viettel/{source}/batch",
            batch(source, ROW_COUNT["mqtt"]),
            qos=QoS.AT_LEAST_ONCE,
            packet_id=1,
        )
        encoded = packet.write()
        self._id_at = encoded.index(b"/batch") + len("/batch")
        self._block = Block(encoded, BLOCK_COUNT)
        self._source = source
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._is_paused = False
        self.sent = self.acknowledged = self._ack_bytes = 0
        self.paused_count = self.unacknowledged_max = self.receive_max = 0
        self.connected = self._loop.create_future()
        self.done = self._loop.create_future()
        self.heard_s = self._loop.time()

    def connection_made(self, transport) -> None:
        self._transport = transport
        # One block at a time: what the service does not read stays with us and not in a buffer of ours.
        transport.set_write_buffer_limits(high=0)
        transport.write(ConnectPacket(self._source, clean_start=True).write())

    def data_received(self, data: bytes) -> None:
        self.heard_s = self._loop.time()
        if not self.connected.done():
            connack, size = read(memoryview(data))
            self.receive_max = connack.receive_max
            self.connected.set_result(None)
            data = data[size:]
        self._ack_bytes += len(data)
        self.acknowledged = self._ack_bytes // PUBACK_BYTES
        self.push()

    def start(self) -> None:
        self._end_s = self._loop.time() + self._seconds
        self.push()

    def push(self) -> None:
        if not hasattr(self, "_end_s"):
            return
        while not self._is_paused and self._loop.time() < self._end_s:
            if self.sent + BLOCK_COUNT - self.acknowledged > self.receive_max:
                break
            table = self._block.numbered(self.sent)
            packet_id = (self.sent + np.arange(BLOCK_COUNT)) % 65535 + 1
            table[:, self._id_at] = packet_id >> 8
            table[:, self._id_at + 1] = packet_id & 0xFF
            self.sent += BLOCK_COUNT
            self.unacknowledged_max = max(self.unacknowledged_max, self.sent - self.acknowledged)
            self._transport.write(table.tobytes())
        is_over = self._loop.time() >= self._end_s
        if is_over and self.acknowledged == self.sent and not self.done.done():
            assert self._ack_bytes == PUBACK_BYTES * self.sent, "every PUBACK has four bytes"
            self.done.set_result(None)

    def pause_writing(self) -> None:
        self._is_paused = True
        self.paused_count += 1

    def resume_writing(self) -> None:
        self._is_paused = False
        self.push()

    def connection_lost(self, error) -> None:
        for future in (self.connected, self.done):
            if not future.done():
                future.set_exception(error or ConnectionError("closed by the service"))


async def told_to_begin() -> None:
    sys.stdout.write("connected\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.readline)


async def publish(port: int, source: str, seconds: float) -> dict[str, int]:
    loop = asyncio.get_running_loop()
    publisher = Publisher(source, seconds)
    await loop.create_connection(lambda: publisher, "127.0.0.1", port)
    await publisher.connected
    await told_to_begin()
    publisher.heard_s = loop.time()
    publisher.start()
    while not publisher.done.done():
        await asyncio.sleep(0.2)
        publisher.push()
        assert loop.time() - publisher.heard_s < QUIET_S, "the service went silent"
    await publisher.done
    return {
        "sent": publisher.sent,
        "acknowledged": publisher.acknowledged,
        "held_back": publisher.paused_count,
        "unacknowledged_max": publisher.unacknowledged_max,
    }


async def call(port: int, source: str, seconds: float) -> dict[str, int]:
    """Send by unary calls; what is refused is sent again after the stated delay."""
    block = Block(batch(source, ROW_COUNT["grpc"]), 1)
    counts = {"sent": 0, "acknowledged": 0, "held_back": 0, "without_delay": 0}
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        export = channel.unary_unary("/phusong.v1.Ingest/Export")

        async def send(place: int) -> None:
            # Not all in step, so that calls come at every level of the queue.
            await asyncio.sleep(place / CALLS_IN_FLIGHT)
            while time.monotonic() < end_s:
                payload = block.numbered(counts["sent"])[0].tobytes()
                counts["sent"] += 1
                while True:
                    try:
                        receipt = Receipt.FromString(await export(payload, timeout=QUIET_S))
                        break
                    except grpc.aio.AioRpcError as error:
                        if error.code() != grpc.StatusCode.RESOURCE_EXHAUSTED:
                            raise
                        counts["held_back"] += 1
                        await asyncio.sleep(_delay_s(error, counts))
                assert receipt.accepted_count == ROW_COUNT["grpc"], receipt
                counts["acknowledged"] += 1

        await channel.channel_ready()
        await told_to_begin()
        end_s = time.monotonic() + seconds
        await asyncio.gather(*(send(place) for place in range(CALLS_IN_FLIGHT)))
    return counts


def _delay_s(error: grpc.aio.AioRpcError, counts: dict[str, int]) -> float:
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            for detail in Status.FromString(value).details:
                retry = RetryInfo()
                if detail.Unpack(retry):
                    return retry.retry_delay.ToTimedelta().total_seconds()
    counts["without_delay"] += 1
    return 0.25


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


if __name__ == "__main__":
    door, port, source, seconds = sys.argv[1:]
    send = {"mqtt": publish, "grpc": call}[door]
    sys.stdout.write(json.dumps(asyncio.run(send(int(port), source, float(seconds)))))
