"""Batches for tests of the doors."""

from phusong.v1.enforcement_pb2 import ACTION_CUT, Decision
from phusong.v1.telemetry_pb2 import Batch, UsageReading

TIME_MS = 1_633_046_400_000  # 2021-10-01 00:00 UTC

TOPIC = "phusong/v1/viettel/pgw-1/batch"


def usage_batch(sequence=0, *, rows=1, boot_epoch=0, **fields):
    """Return a readable batch of cumulative usage readings."""
    readings = [
        UsageReading(
            subscriber_key=1000 + row,
            observed_time_ms=TIME_MS + sequence,
            uplink_bytes=sequence,
            downlink_bytes=10 * sequence,
        )
        for row in range(rows)
    ]
    return Batch(sequence=sequence, boot_epoch=boot_epoch, usage_readings=readings, **fields)


def usage_payload(sequence=0, **fields):
    """Return `usage_batch` as bytes."""
    return usage_batch(sequence, **fields).SerializeToString()


def decision(key, operator="viettel", *, sim=7, **fields):
    """Return a decision to cut a SIM."""
    return Decision(
        operator=operator,
        decision_key=key,
        subscriber_key=sim,
        action=ACTION_CUT,
        threshold_percent=100,
        day="2021-10-01",
        **fields,
    )
