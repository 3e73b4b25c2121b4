"""A sender of pre-encoded batches: `python grpc_load.py PORT CALLS`, prints when it began and how long it took.

Every batch has its own sequence and 1000 usage readings of a fleet of SIMs whose counters rise from round to round, as
an operator's gateways report them. Unary calls, many in flight, receipts read after the clock has stopped.
"""

import asyncio
import json
import sys
import time

import grpc
import numpy as np
import uvloop

from phusong.kernels.wire_encode import RowFields, RowValues, encode_payload_rows
from phusong.v1.ingest_pb2 import Receipt
from phusong.v1.telemetry_pb2 import Batch, UsageReading

ROWS = 1000
SIM_COUNT = 100_000
SOURCE_COUNT = 4
IN_FLIGHT = 64
SESSION = np.frombuffer(b"0123456789abcdef", np.uint8).copy()
VARINT, FIXED64, BYTES = 0, 1, 2
FORMS = {
    "subscriber_key": FIXED64,
    "session": BYTES,
    "observed_time_ms": VARINT,
    "uplink_bytes": VARINT,
    "downlink_bytes": VARINT,
    "counter_width_bits": VARINT,
}


def batches(count: int) -> list[bytes]:
    """Return `count` batches; batch i holds the next ROWS SIMs, round and round the fleet."""
    numbers = {name: field.number for name, field in UsageReading.DESCRIPTOR.fields_by_name.items()}
    fields = RowFields(np.array([numbers[name] << 3 | form for name, form in FORMS.items()]))
    row_tag = Batch.DESCRIPTOR.fields_by_name["usage_readings"].number << 3 | BYTES
    now_ms = time.time_ns() // 1_000_000
    payloads = []
    for i in range(count):
        row = i * ROWS + np.arange(ROWS)
        turn = row // SIM_COUNT
        value = np.empty((ROWS, len(FORMS)), np.int64)
        value[:, 0] = row % SIM_COUNT + 1
        value[:, 1] = len(SESSION)
        value[:, 2] = now_ms + turn
        value[:, 3] = (turn + 1) * 100_000 + row % 1000
        value[:, 4] = (turn + 1) * 1_000_000 + row % 1000
        value[:, 5] = 64
        values = RowValues(value, np.ones(value.shape, np.bool_), SESSION)
        rows, _ = encode_payload_rows(fields, values, np.arange(ROWS), row_tag)
        head = Batch(
            source=f"oss-{i % SOURCE_COUNT}",
            operator="viettel",
            boot_epoch=1,
            sequence=i // SOURCE_COUNT + 1,
        )
        payloads.append(head.SerializeToString() + rows.tobytes())
    return payloads


async def main() -> None:
    port, count = int(sys.argv[1]), int(sys.argv[2])
    waiting = iter(batches(count))
    receipts: list[bytes] = []
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary("/phusong.v1.Ingest/Export")

        async def send() -> None:
            for payload in waiting:
                receipt = await call(payload)
                receipts.append(receipt)

        await channel.channel_ready()
        start = time.monotonic()
        await asyncio.gather(*(send() for _ in range(IN_FLIGHT)))
        seconds = time.monotonic() - start
    accepted = sum(Receipt.FromString(receipt).accepted_count for receipt in receipts)
    assert accepted == count * ROWS, f"{accepted} of {count * ROWS} rows were accepted"
    print(json.dumps([start, seconds]))


if __name__ == "__main__":
    uvloop.run(main())
