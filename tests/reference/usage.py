"""Usage readings as a person writes them down, and as columns."""

from typing import NamedTuple

import numpy as np

from phusong.kernels.columns import INT_MISSING, UsageReadings

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
MIDNIGHT_MS = 1_633_021_200_000  # 2021-09-30T17:00:00Z: 1 October 2021 begins in Vietnam
FIRST_OF_OCTOBER = 18_901  # days since 1970-01-01

METERED, ZERO_RATED = 1, 2
START, INTERIM, STOP = 1, 2, 3
CUMULATIVE, DELTA = 1, 2


class Usage(NamedTuple):
    """One reading; the fields of the `.proto`, None where absent."""

    time_ms: int
    up: int = 0
    down: int = 0
    sim: int = 7
    source: int = 0
    session: int = 1
    epoch: int = 0
    sequence: int = 0
    start_ms: int | None = None
    up_high: int | None = None
    down_high: int | None = None
    width: int = 64
    kind: int = CUMULATIVE
    traffic: int = METERED
    record: int = INTERIM
    age_ms: int | None = None
    delay_ms: int | None = None
    group: int = 0


def columns(rows: list[Usage]) -> UsageReadings:
    def column(field: str) -> np.ndarray:
        found = [getattr(row, field) for row in rows]
        return np.array([INT_MISSING if v is None else v for v in found], np.int64)

    count = np.arange(len(rows), dtype=np.int64)
    return UsageReadings(
        payload_row=np.zeros(len(rows), np.int64),
        row=count,
        subscriber_key=column("sim"),
        session=column("session"),
        counter_epoch=column("epoch"),
        sequence=column("sequence"),
        interval_start_time_ms=column("start_ms"),
        observed_time_ms=column("time_ms"),
        uplink_bytes=column("up"),
        downlink_bytes=column("down"),
        uplink_gigawords=column("up_high"),
        downlink_gigawords=column("down_high"),
        counter_width_bits=column("width"),
        counter_kind=column("kind"),
        traffic_class=column("traffic"),
        rating_group=column("group"),
        record_type=column("record"),
        session_time_ms=column("age_ms"),
        reporting_delay_ms=column("delay_ms"),
        received_time_ms=np.full(len(rows), INT_MISSING, np.int64),
    )
