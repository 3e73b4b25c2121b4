"""What core networks report of the SIMs' usage: counters of sessions, read a few times each.

The readings are cut from the truth in `subscribers`. Only where no reading lies at midnight does the truth of a
day depend on the readings: then nobody can know more than they say.
"""

from typing import NamedTuple

import numpy as np

from phusong.dashboards.demo import season
from phusong.dashboards.demo.subscribers import Subscribers
from phusong.kernels.columns import INT_MISSING, Float64Column, Int64Column
from phusong.v1.telemetry_pb2 import CounterKind, RecordType, TrafficClass

METERED = int(TrafficClass.TRAFFIC_CLASS_METERED)
ZERO_RATED = int(TrafficClass.TRAFFIC_CLASS_ZERO_RATED)
CUMULATIVE = int(CounterKind.COUNTER_KIND_CUMULATIVE)
DELTA = int(CounterKind.COUNTER_KIND_DELTA)
START = int(RecordType.RECORD_TYPE_START)
INTERIM = int(RecordType.RECORD_TYPE_INTERIM)
STOP = int(RecordType.RECORD_TYPE_STOP)

CORE, RADIUS, HOTSPOT = (
    0,
    1,
    2,
)  # kinds of source: 64-bit counters; 32-bit with Gigawords; volumes since the last reading
WORD = 32
NEW_EPOCH_SHARE = 0.05  # of day sessions, whose counters start again half way
LATE_SHARE = 0.03  # of readings, sent after everything else


class UsageRows(NamedTuple):
    """Readings as columns, in the order of sending within each source kind."""

    sim: Int64Column
    session: Int64Column
    counter_epoch: Int64Column
    sequence: Int64Column
    interval_start_time_ms: Int64Column  # INT_MISSING where the counter is cumulative
    observed_time_ms: Int64Column
    session_time_ms: Int64Column
    uplink_bytes: Int64Column
    downlink_bytes: Int64Column
    uplink_gigawords: Int64Column
    downlink_gigawords: Int64Column
    counter_width_bits: Int64Column
    counter_kind: Int64Column
    traffic_class: Int64Column
    record_type: Int64Column

    def taken(self, index: Int64Column) -> "UsageRows":
        """Return some of the rows."""
        return UsageRows(*(column[index] for column in self))


class Counted(NamedTuple):
    """Sessions with the same number of readings: int64[session, reading] each, counters from 0."""

    sim: Int64Column  # int64[session]
    session: Int64Column
    traffic_class: int
    time_ms: Int64Column
    uplink_bytes: Int64Column
    downlink_bytes: Int64Column
    counter_epoch: Int64Column


class Usage(NamedTuple):
    """All readings, and what can be known from them: int64[sim, day]."""

    rows: UsageRows
    used_bytes: Int64Column
    indeterminate_bytes: Int64Column  # of `used_bytes`: attributed to a day by time alone


def make_usage(rng: np.random.Generator, subscribers: Subscribers) -> Usage:
    """Return all usage readings, most in the order of their times and some late, with what they prove."""
    split = _long_sessions(rng, subscribers, has_midnight=False)
    blocks = [
        *(_day_sessions(rng, subscribers, day) for day in range(season.USAGE_DAY_COUNT)),
        *(_free_sessions(rng, subscribers, day) for day in range(season.USAGE_DAY_COUNT)),
        _long_sessions(rng, subscribers, has_midnight=True),
        split,
    ]
    readings = [_readings(subscribers, block) for block in blocks if len(block.sim)]
    joined = UsageRows(*(np.concatenate(columns) for columns in zip(*readings, strict=True)))
    is_late = rng.random(len(joined.sim)) < LATE_SHARE
    rows = joined.taken(np.lexsort((joined.observed_time_ms, is_late)))
    return _split_at_midnight(
        Usage(rows, subscribers.used_bytes(), np.zeros_like(subscribers.uplink_bytes)), split
    )


def _split_at_midnight(usage: Usage, block: Counted) -> Usage:
    """Attribute the interval over midnight of each session pro rata in integers, as DOMAIN §3 says."""
    counter_bytes = block.uplink_bytes + block.downlink_bytes
    evening_ms, night_ms = block.time_ms[:, 1], block.time_ms[:, 2]
    volume_bytes = counter_bytes[:, 2] - counter_bytes[:, 1]
    before_bytes = volume_bytes * (season.MIDNIGHT_MS - evening_ms) // (night_ms - evening_ms)
    parts = np.stack([before_bytes, volume_bytes - before_bytes], axis=1)
    usage.indeterminate_bytes[block.sim] = parts
    known = np.stack([counter_bytes[:, 1], counter_bytes[:, 3] - counter_bytes[:, 2]], axis=1)
    usage.used_bytes[block.sim] = known + parts
    return usage


def _day_sessions(rng: np.random.Generator, subscribers: Subscribers, day: int) -> Counted:
    """One metered session within a day, for every SIM whose sessions end with the day."""
    sim = np.flatnonzero(~subscribers.is_long)
    time_ms = _times_within(rng, len(sim), day, reading_count=4)
    share = np.sort(rng.random((len(sim), 2)), axis=1)
    uplink_bytes = _climb(subscribers.uplink_bytes[sim, day], share)
    downlink_bytes = _climb(subscribers.downlink_bytes[sim, day], share)
    counter_epoch = np.zeros(time_ms.shape, np.int64)
    renewed = np.flatnonzero(rng.random(len(sim)) < NEW_EPOCH_SHARE)
    counter_epoch[renewed, 2:] = 1
    for counter in (uplink_bytes, downlink_bytes):
        counter[renewed, 2:] -= counter[renewed, 1:2]
    return Counted(
        sim, 10 * sim + day, METERED, time_ms, uplink_bytes, downlink_bytes, counter_epoch
    )


def _free_sessions(rng: np.random.Generator, subscribers: Subscribers, day: int) -> Counted:
    """Learning platforms: the second class of traffic of the same sessions, or of the long one."""
    sim = np.flatnonzero(subscribers.zero_rated_bytes()[:, day] > 0)
    time_ms = _times_within(rng, len(sim), day, reading_count=2)
    none = np.empty((len(sim), 0))
    return Counted(
        sim,
        10 * sim + day,
        ZERO_RATED,
        time_ms,
        _climb(subscribers.zero_uplink_bytes[sim, day], none),
        _climb(subscribers.zero_downlink_bytes[sim, day], none),
        np.zeros(time_ms.shape, np.int64),
    )


def _long_sessions(
    rng: np.random.Generator, subscribers: Subscribers, *, has_midnight: bool
) -> Counted:
    """One session over both days, read exactly at midnight or not."""
    is_chosen = subscribers.is_long & (subscribers.is_split != has_midnight)
    sim = np.flatnonzero(is_chosen)
    evening_ms = season.MIDNIGHT_MS - rng.integers(
        season.HOUR_MS, 3 * season.HOUR_MS, (len(sim), 2)
    )
    night_ms = season.MIDNIGHT_MS + rng.integers(season.HOUR_MS, 3 * season.HOUR_MS, (len(sim), 2))
    midnight_ms = np.full((len(sim), 1), season.MIDNIGHT_MS)
    time_ms = np.hstack([np.sort(evening_ms), midnight_ms, np.sort(night_ms)])
    share = rng.random((len(sim), 2))
    counters = []
    for by_day in (subscribers.uplink_bytes, subscribers.downlink_bytes):
        first, second = by_day[sim, 0], by_day[sim, 1]
        evening, night = (
            (first * share[:, 0]).astype(np.int64),
            (second * share[:, 1]).astype(np.int64),
        )
        zero = np.zeros(len(sim), np.int64)
        counters.append(np.stack([zero, evening, first, first + night, first + second], axis=1))
    kept = np.array([0, 1, 2, 3, 4] if has_midnight else [0, 1, 3, 4])
    return Counted(
        sim,
        10 * sim + 9,
        METERED,
        time_ms[:, kept],
        counters[0][:, kept],
        counters[1][:, kept],
        np.zeros((len(sim), len(kept)), np.int64),
    )


def _times_within(
    rng: np.random.Generator, count: int, day: int, *, reading_count: int
) -> Int64Column:
    """Return increasing times of one session per row, between 06:00 and 23:00 of a day."""
    day_ms = season.USAGE_START_MS + day * season.DAY_MS
    start_ms = day_ms + rng.integers(6 * season.HOUR_MS, 20 * season.HOUR_MS, (count, 1))
    gap_ms = rng.integers(25 * season.MINUTE_MS, season.HOUR_MS, (count, reading_count))
    gap_ms[:, 0] = 0
    return start_ms + np.cumsum(gap_ms, axis=1)


def _climb(total_bytes: Int64Column, share: Float64Column) -> Int64Column:
    """Return counters that start at 0, pass the shares and end at the total, exactly."""
    between = (total_bytes[:, None] * share).astype(np.int64)
    return np.hstack([np.zeros((len(total_bytes), 1), np.int64), between, total_bytes[:, None]])


def _readings(subscribers: Subscribers, block: Counted) -> UsageRows:
    shape = block.time_ms.shape
    kind = np.repeat(subscribers.source_kind[block.sim], shape[1])
    is_delta = kind == HOTSPOT
    previous_ms = np.hstack([block.time_ms[:, :1], block.time_ms[:, :-1]]).reshape(-1)
    record_type = np.full(shape, INTERIM)
    record_type[:, 0], record_type[:, -1] = START, STOP
    uplink_bytes, uplink_gigawords = _as_counted(block.uplink_bytes, block.counter_epoch, kind)
    downlink_bytes, downlink_gigawords = _as_counted(
        block.downlink_bytes, block.counter_epoch, kind
    )
    return UsageRows(
        sim=np.repeat(block.sim, shape[1]),
        session=np.repeat(block.session, shape[1]),
        counter_epoch=np.where(is_delta, 0, block.counter_epoch.reshape(-1)),
        sequence=np.tile(np.arange(1, shape[1] + 1), shape[0]),
        interval_start_time_ms=np.where(is_delta, previous_ms, INT_MISSING),
        observed_time_ms=block.time_ms.reshape(-1),
        session_time_ms=(block.time_ms - block.time_ms[:, :1]).reshape(-1),
        uplink_bytes=uplink_bytes,
        downlink_bytes=downlink_bytes,
        uplink_gigawords=uplink_gigawords,
        downlink_gigawords=downlink_gigawords,
        counter_width_bits=np.where(kind == RADIUS, WORD, 64),
        counter_kind=np.where(is_delta, DELTA, CUMULATIVE),
        traffic_class=np.full(shape[0] * shape[1], block.traffic_class),
        record_type=record_type.reshape(-1),
    )


def _as_counted(
    counter_bytes: Int64Column, counter_epoch: Int64Column, kind: Int64Column
) -> tuple[Int64Column, Int64Column]:
    """Return the octets and Gigawords a source of each kind would send for a counter that never wraps."""
    before = np.hstack([np.zeros((len(counter_bytes), 1), np.int64), counter_bytes[:, :-1]])
    is_renewed = np.diff(counter_epoch, axis=1, prepend=0) > 0
    delta = (counter_bytes - np.where(is_renewed, 0, before)).reshape(-1)
    flat = counter_bytes.reshape(-1)
    octets = np.where(kind == RADIUS, flat & (2**WORD - 1), np.where(kind == HOTSPOT, delta, flat))
    return octets, np.where(kind == RADIUS, flat >> WORD, INT_MISSING)
