"""A publisher of pre-encoded messages: `python mqtt_load.py PORT COUNT`, prints the seconds from first byte to last PUBACK.

The same for every server measured: four connections, QoS 1, as many in flight as the server announces up to a limit, one
write per turn. It counts acknowledgements by their bytes, so it costs less than what it measures.
"""

import asyncio
import sys
import time

import numpy as np
import uvloop
from mqtt5 import ConnectPacket, PublishPacket, QoS, read

from phusong.v1.telemetry_pb2 import Batch, UsageReading

CONNECTION_COUNT = 4
IN_FLIGHT_MAX = 8000
PAYLOAD_BYTES = 64
PUBACK_BYTES = 4


def topic(connection: int) -> str:
    return f"phusong/v1/viettel/pgw-{connection}/batch"


def messages(connection: int, count: int) -> tuple[bytes, int]:
    """Return `count` PUBLISH packets of one size, each a batch of one row in 64 bytes, and that size."""
    row = UsageReading(
        subscriber_key=1 << 63,
        session="s" * 16,
        observed_time_ms=1_633_046_400_000,
        uplink_bytes=1 << 27,
        downlink_bytes=1 << 31,
        counter_width_bits=64,
        record_type=2,
    )
    batch = Batch(boot_epoch=1, sequence=1 << 28, usage_readings=[row])
    row.session += "s" * (PAYLOAD_BYTES - len(batch.SerializeToString()))
    batch = Batch(boot_epoch=1, sequence=1 << 28, usage_readings=[row])
    payload = batch.SerializeToString()
    assert len(payload) == PAYLOAD_BYTES, len(payload)
    packet = PublishPacket(topic(connection), payload, qos=QoS.AT_LEAST_ONCE, packet_id=1).write()
    table = np.tile(np.frombuffer(packet, np.uint8), (count, 1))
    # Every message has its own packet id and its own sequence (five bytes of varint from 1 << 28 on).
    packet_id = (np.arange(count) % 65535 + 1).astype(">u2").view(np.uint8).reshape(count, 2)
    at = 4 + len(topic(connection))
    table[:, at : at + 2] = packet_id
    sequence_at = packet.index(b"\x18" + _varint(1 << 28)) + 1
    sequence = (1 << 28) + np.arange(count)
    for i in range(4):
        table[:, sequence_at + i] = (sequence >> 7 * i) & 0x7F | 0x80
    table[:, sequence_at + 4] = sequence >> 28
    return table.tobytes(), len(packet)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


class Publisher(asyncio.Protocol):
    def __init__(self, connection: int, count: int) -> None:
        self.connection = connection
        self.count = count
        self.stream, self.size = messages(connection, count)
        self.sent = self.acknowledged = self.ack_bytes = 0
        self.connected = asyncio.get_running_loop().create_future()
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport) -> None:
        self.transport = transport
        transport.write(ConnectPacket(f"load-{self.connection}", clean_start=True).write())

    def data_received(self, data: bytes) -> None:
        if not self.connected.done():
            connack, size = read(memoryview(data))
            self.window = min(connack.receive_max, IN_FLIGHT_MAX, self.count)
            self.connected.set_result(None)
            data = data[size:]
        self.ack_bytes += len(data)
        self.acknowledged = self.ack_bytes // PUBACK_BYTES
        if self.acknowledged >= self.count:
            assert self.ack_bytes == PUBACK_BYTES * self.count, "every PUBACK has four bytes"
            self.done.set_result(None)
        elif self.sent:
            self.push()

    def push(self) -> None:
        end = min(self.count, self.acknowledged + self.window)
        if end > self.sent:
            self.transport.write(self.stream[self.sent * self.size : end * self.size])
            self.sent = end

    def connection_lost(self, exc) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionError("closed by the server"))


async def main() -> None:
    port, count = int(sys.argv[1]), int(sys.argv[2])
    loop = asyncio.get_running_loop()
    publishers = []
    for connection in range(CONNECTION_COUNT):
        publisher = Publisher(connection, count // CONNECTION_COUNT)
        await loop.create_connection(lambda p=publisher: p, "127.0.0.1", port)
        await publisher.connected
        publishers.append(publisher)
    start = time.perf_counter()
    for publisher in publishers:
        publisher.push()
    await asyncio.gather(*(publisher.done for publisher in publishers))
    print(time.perf_counter() - start)


if __name__ == "__main__":
    uvloop.run(main())
