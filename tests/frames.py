"""Frames of usage readings as the journal holds them, for states that are fed by hand."""

from phusong.kernels.frame import (
    PayloadKind,
    Route,
    Transport,
    encode_envelope_head,
    encode_route,
)
from phusong.v1.journal_pb2 import RegistryEntry
from phusong.v1.telemetry_pb2 import Batch, UsageReading
from phusong.verifier.journal import StoredFrame
from reference.usage import Usage

# Imported without a time of arrival: the clock of a reading stands, however late it comes.
IMPORTED = Route("viettel", "pgw", "", Transport.IMPORT, PayloadKind.BATCH)
REGISTRY = Route("", "registry", "", Transport.SERVICE, PayloadKind.REGISTRY)
OPTIONAL = {
    "interval_start_time_ms": "start_ms",
    "uplink_gigawords": "up_high",
    "downlink_gigawords": "down_high",
    "session_time_ms": "age_ms",
    "reporting_delay_ms": "delay_ms",
}


def message(row: Usage) -> UsageReading:
    """Return a reading as it is sent."""
    found = UsageReading(
        subscriber_key=row.sim % 2**64,
        session=f"s{row.session}",
        counter_epoch=row.epoch,
        sequence=row.sequence,
        observed_time_ms=row.time_ms,
        uplink_bytes=row.up,
        downlink_bytes=row.down,
        counter_width_bits=row.width,
        counter_kind=row.kind,
        traffic_class=row.traffic,
        rating_group=row.group,
        record_type=row.record,
    )
    for field, name in OPTIONAL.items():
        if getattr(row, name) is not None:
            setattr(found, field, getattr(row, name))
    return found


def usage_frame(
    sequence: int, time_ms: int, rows: list[Usage], registry: bytes = b""
) -> StoredFrame:
    """Return a frame of one batch for every source, and before it, where given, a list of platforms."""
    payloads = []
    if registry:
        entry = RegistryEntry(registry="platforms", file="f", content=registry)
        payloads.append((REGISTRY, entry.SerializeToString()))
    for source in sorted({row.source for row in rows}):
        batch = Batch(boot_epoch=1, sequence=sequence)
        batch.usage_readings.extend(message(row) for row in rows if row.source == source)
        route = IMPORTED._replace(source=f"pgw-{source}")
        payloads.append((route, batch.SerializeToString()))
    routes = list(dict.fromkeys(route for route, _ in payloads))
    parts = [encode_route(number, route) for number, route in enumerate(routes, 1)]
    for route, payload in payloads:
        parts += [encode_envelope_head(routes.index(route) + 1, len(payload)), payload]
    return StoredFrame(sequence, time_ms, b"".join(parts), bytes(32))
