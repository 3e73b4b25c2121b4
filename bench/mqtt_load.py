"""A publisher of pre-encoded messages: `python mqtt_load.py PORT COUNT`, prints when it began and how long it took.

The same for every server measured: four connections, QoS 1, as many in flight as the server announces up to a limit, one
write per turn. It counts acknowledgements by their bytes, so it costs less than what it measures. The times are from the
first byte to the last PUBACK, by the machine's monotonic clock, which all processes share.

Every message is another batch of one reading, of the next SIM of a fleet whose counters rise from round to round.
"""

import asyncio
import json
import sys
import time

import numpy as np
import uvloop
from mqtt5 import ConnectPacket, PublishPacket, QoS, read

from phusong.v1.telemetry_pb2 import Batch, RecordType, UsageReading

CONNECTION_COUNT = 4
IN_FLIGHT_MAX = 8000
PAYLOAD_BYTES = 64
PUBACK_BYTES = 4
SIM_COUNT = 100_000
SEQUENCE_FIRST = 1 << 28  # from here on five bytes of varint, and the same for the counter
DOWNLINK_FIRST_BYTES = 1 << 28


def topic(connection: int) -> str:
    return f"phusong/v1/viettel/pgw-{connection}/batch"


def messages(connection: int, count: int) -> tuple[bytes, int]:
    """Return `count` PUBLISH packets of one size, each a batch of one row in 64 bytes, and that size."""
    sim_first = 1 + connection * SIM_COUNT // CONNECTION_COUNT
    row = UsageReading(
        subscriber_key=sim_first,
        session="s" * 16,
        observed_time_ms=time.time_ns() // 1_000_000,
        uplink_bytes=1 << 27,
        downlink_bytes=DOWNLINK_FIRST_BYTES,
        counter_width_bits=64,
        record_type=RecordType.RECORD_TYPE_INTERIM,
    )
    batch = Batch(boot_epoch=1, sequence=SEQUENCE_FIRST, usage_readings=[row])
    row.session += "s" * (PAYLOAD_BYTES - len(batch.SerializeToString()))
    batch = Batch(boot_epoch=1, sequence=SEQUENCE_FIRST, usage_readings=[row])
    payload = batch.SerializeToString()
    assert len(payload) == PAYLOAD_BYTES, len(payload)
    packet = PublishPacket(topic(connection), payload, qos=QoS.AT_LEAST_ONCE, packet_id=1).write()
    table = np.tile(np.frombuffer(packet, np.uint8), (count, 1))
    number = np.arange(count)
    at = 4 + len(topic(connection))
    table[:, at : at + 2] = _digits(number % 65535 + 1, ">u2")
    _write_varint(table, packet, b"\x18", SEQUENCE_FIRST, number)
    sim, turn = number % (SIM_COUNT // CONNECTION_COUNT), number // (SIM_COUNT // CONNECTION_COUNT)
    at = packet.index(b"\x09" + sim_first.to_bytes(8, "little")) + 1
    table[:, at : at + 8] = _digits(sim_first + sim, "<u8")
    _write_varint(table, packet, b"\x40", DOWNLINK_FIRST_BYTES, turn * 100_000 + sim)
    return table.tobytes(), len(packet)


def _digits(number: np.ndarray, form: str) -> np.ndarray:
    return number.astype(form).view(np.uint8).reshape(len(number), -1)


def _write_varint(
    table: np.ndarray, packet: bytes, tag: bytes, first: int, added: np.ndarray
) -> None:
    """Write first + added into every packet, where the pattern has `first` in five bytes behind a tag."""
    at = packet.index(tag + _varint(first)) + 1
    value = first + added
    assert first >> 28, "shorter than five bytes"
    assert not value[-1] >> 35, "longer than five bytes"
    for i in range(4):
        table[:, at + i] = (value >> 7 * i) & 0x7F | 0x80
    table[:, at + 4] = value >> 28


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
    start = time.monotonic()
    for publisher in publishers:
        publisher.push()
    await asyncio.gather(*(publisher.done for publisher in publishers))
    print(json.dumps([start, time.monotonic() - start]))


if __name__ == "__main__":
    uvloop.run(main())
