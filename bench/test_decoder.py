"""The decoder against the official parser and against ptars (Rust, protobuf to Arrow), on the same bytes.

The official parser alone gives objects; what is timed is parsing and filling preallocated arrays, a list comprehension
for each field and a thousand rows at a time, with `HasField` where absence means something: the quickest of five plain
ways we tried. It does not hash texts. ptars gives nested Arrow columns and does not hash texts either.
"""

import random
from collections.abc import Callable, Iterator

import numpy as np
import ptars
import pytest

from phusong.kernels.wire.decode import decode_payloads
from phusong.v1 import telemetry_pb2
from phusong.v1.telemetry_pb2 import Batch, SignalReading, UsageReading

TIME_FIRST_MS = 1_633_046_400_000
Benchmark = Callable[..., object]


def usage_rows(rng: random.Random, count: int) -> Iterator[UsageReading]:
    for i in range(count):
        yield UsageReading(
            subscriber_key=rng.getrandbits(64),
            session=f"{rng.getrandbits(64):016x}",
            sequence=i + 1,
            observed_time_ms=TIME_FIRST_MS + 1000 * i,
            uplink_bytes=rng.getrandbits(28),
            downlink_bytes=rng.getrandbits(32),
            counter_width_bits=64,
            counter_kind=1,
            traffic_class=1,
            rating_group=10,
            record_type=2,
        )


def signal_rows(rng: random.Random, count: int) -> Iterator[SignalReading]:
    for i in range(count):
        yield SignalReading(
            device_key=rng.getrandbits(64),
            observed_time_ms=TIME_FIRST_MS + 1000 * i,
            latitude_deg=rng.uniform(8, 23),
            longitude_deg=rng.uniform(102, 110),
            position_accuracy_m=5.5,
            rat=3,
            sim_plmn="45204",
            serving_plmn="452-04",
            cell_identity=rng.getrandbits(28),
            rsrp_dbm=rng.uniform(-130, -70),
            rsrq_db=-10.5,
            sinr_db=4.25,
            service_state=1,
            cell_role=1,
            speed_m_per_s=1.5,
            pci=rng.randrange(504),
            tac=rng.getrandbits(16),
        )


def usage_batch(rng: random.Random, count: int) -> bytes:
    return Batch(
        source="pgw-1", boot_epoch=3, sequence=9, usage_readings=usage_rows(rng, count)
    ).SerializeToString()


def signal_batch(rng: random.Random, count: int) -> bytes:
    return Batch(
        source="probe-1", boot_epoch=3, sequence=9, signal_readings=signal_rows(rng, count)
    ).SerializeToString()


def small_batch(rng: random.Random) -> bytes:
    """A payload of 64 bytes with one row, as a SIM would send it."""
    (row,) = usage_rows(rng, 1)
    row.session = "s" * 12
    row.uplink_bytes, row.downlink_bytes = 1 << 27, 1 << 31
    payload = Batch(source="pgw-1", sequence=9, usage_readings=[row]).SerializeToString()
    assert len(payload) == 64, len(payload)
    return payload


RNG = random.Random(2021)
LOADS: dict[str, tuple[str, list[bytes], int]] = {
    "usage, 1000 rows a payload": ("usage", [usage_batch(RNG, 1000) for _ in range(20)], 1000),
    "signal, 1000 rows a payload": ("signal", [signal_batch(RNG, 1000) for _ in range(20)], 1000),
    "usage, one row in 64 bytes": ("usage", [small_batch(RNG) for _ in range(10_000)], 1),
}


@pytest.fixture(params=LOADS)
def load(request, benchmark) -> tuple[str, list[bytes], int]:
    kind, payloads, rows_per_payload = LOADS[request.param]
    benchmark.group = f"decode: {request.param}"
    benchmark.extra_info["rows"] = len(payloads) * rows_per_payload
    benchmark.extra_info["bytes"] = sum(map(len, payloads))
    return kind, payloads, rows_per_payload


def test_kernels(benchmark, load) -> None:
    kind, payloads, rows_per_payload = load
    buffer = np.frombuffer(bytearray(b"".join(payloads)), np.uint8)
    length = np.array([len(payload) for payload in payloads])
    offset = np.cumsum(length) - length
    decode_payloads(buffer, offset, length)  # compiles

    decoded = benchmark(decode_payloads, buffer, offset, length)

    assert not decoded.payloads.reject.any()
    assert len(getattr(decoded, kind).row) == len(payloads) * rows_per_payload


def official_columns(kind: str, row_count: int) -> dict[str, tuple[np.ndarray, object]]:
    """Return an array for every field, and what absence means where it means something."""
    message = {"usage": UsageReading, "signal": SignalReading}[kind]
    columns: dict[str, tuple[np.ndarray, object]] = {}
    for field in message.DESCRIPTOR.fields:
        if field.type in (field.TYPE_FLOAT, field.TYPE_DOUBLE):
            dtype, missing = np.dtype(np.float64), np.nan
        elif field.type == field.TYPE_STRING:
            dtype, missing = np.dtype(object), ""
        elif field.type in (field.TYPE_FIXED64, field.TYPE_UINT64):
            dtype, missing = np.dtype(np.uint64), 2**64 - 1
        else:
            dtype, missing = np.dtype(np.int64), -1
        columns[field.name] = (np.empty(row_count, dtype), missing if field.has_presence else None)
    return columns


def test_official(benchmark, load) -> None:
    kind, payloads, rows_per_payload = load
    columns = official_columns(kind, len(payloads) * rows_per_payload)

    payloads_per_fill = max(1, 1000 // rows_per_payload)

    def parse_and_fill() -> None:
        behind = 0
        for i in range(0, len(payloads), payloads_per_fill):
            batches = [Batch.FromString(payload) for payload in payloads[i : i + payloads_per_fill]]
            if kind == "usage":
                rows = [row for batch in batches for row in batch.usage_readings]
            else:
                rows = [row for batch in batches for row in batch.signal_readings]
            first, behind = behind, behind + len(rows)
            for name, (column, missing) in columns.items():
                if missing is None:
                    column[first:behind] = [getattr(row, name) for row in rows]
                else:
                    column[first:behind] = [
                        getattr(row, name) if row.HasField(name) else missing for row in rows
                    ]

    benchmark(parse_and_fill)


def test_ptars(benchmark, load) -> None:
    _, payloads, _ = load
    handler = ptars.HandlerPool([telemetry_pb2.DESCRIPTOR]).get_for_message(Batch.DESCRIPTOR)

    table = benchmark(handler.list_to_record_batch, payloads)

    assert table.num_rows == len(payloads)
