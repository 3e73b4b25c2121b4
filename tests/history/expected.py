"""What every total must be, worked out from a set of batches with dicts and loops."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from history.devices import LEVEL_IMPOSSIBLE_DBM

from phusong.v1.enforcement_pb2 import ACTION_CUT, ACTION_NOTIFY
from phusong.v1.telemetry_pb2 import Batch, CounterKind, TrafficClass, UsageReading
from reference.quota import ledger
from reference.usage import CUMULATIVE, DELTA, METERED, ZERO_RATED, Usage

QUOTA_BYTES = 4 * 2**30
THRESHOLDS = {50: QUOTA_BYTES // 2, 80: QUOTA_BYTES * 8 // 10, 100: QUOTA_BYTES}

Ledger = dict[tuple[int, int], dict[str, int]]  # (sim, day) → bytes by kind
Step = tuple[int, int, int]  # sim, action, threshold


class Outcome(NamedTuple):
    """What becomes of the rows of one copy of a batch; a receipt says the same."""

    taken: int = 0
    duplicate: int = 0
    refused: int = 0

    @property
    def received(self) -> int:
        return sum(self)


def outcome_of(batch: Batch, *, is_repeat: bool) -> Outcome:
    """Return what must become of a copy.

    A repeat with a number is known as a whole. Without one, readings are known row by row; counters are taken again,
    which changes no sum, and what is refused is refused again.
    """
    refused = sum(row.rsrp_dbm == LEVEL_IMPOSSIBLE_DBM for row in batch.signal_readings)
    readings = len(batch.signal_readings) - refused + len(batch.cell_reports)
    counters = len(batch.usage_readings)
    if not is_repeat:
        return Outcome(readings + counters, 0, refused)
    if batch.sequence:
        return Outcome(0, readings + counters + refused, 0)
    return Outcome(counters, readings, refused)


def used(batches: Iterable[tuple[str, Batch]]) -> Ledger:
    """Return the ledger of batches with the operators they came from."""
    names: dict[str, int] = {}

    def number(name: str) -> int:
        return names.setdefault(name, len(names) + 1)

    history = [
        _usage(row, number(operator), number(row.session))
        for operator, batch in batches
        for row in batch.usage_readings
    ]
    return ledger(history)


def _usage(row: UsageReading, source: int, session: int) -> Usage:
    is_delta = row.counter_kind == CounterKind.COUNTER_KIND_DELTA
    is_free = row.traffic_class == TrafficClass.TRAFFIC_CLASS_ZERO_RATED
    start_ms = row.interval_start_time_ms if row.HasField("interval_start_time_ms") else None
    return Usage(
        row.observed_time_ms,
        row.uplink_bytes,
        row.downlink_bytes,
        sim=row.subscriber_key,
        source=source,
        session=session,
        start_ms=start_ms,
        kind=DELTA if is_delta else CUMULATIVE,
        traffic=ZERO_RATED if is_free else METERED,
    )


def raw_counts(batches: Iterable[Batch]) -> Counter[tuple[float, float]]:
    """Return how many possible signal readings lie about each tenth of a degree: the sites are that far apart."""
    counts: Counter[tuple[float, float]] = Counter()
    for batch in batches:
        for row in batch.signal_readings:
            if row.rsrp_dbm != LEVEL_IMPOSSIBLE_DBM:
                counts[round(row.latitude_deg, 1), round(row.longitude_deg, 1)] += 1
    return counts


def gap_count(batches: Iterable[tuple[str, Batch]]) -> int:
    """Return how many numbers are missing below the highest of each source and boot."""
    came: dict[tuple[str, int], set[int]] = defaultdict(set)
    for operator, batch in batches:
        if batch.sequence:
            came[operator, batch.boot_epoch].add(batch.sequence)
    return sum(max(numbers) - len(numbers) for numbers in came.values())


def steps(entries: Ledger, day: int) -> set[Step]:
    """Return what the enforcement point must be told of a day: by the bytes that surely belong to it."""
    found: set[Step] = set()
    for (sim, of_day), entry in entries.items():
        if of_day != day:
            continue
        certain = entry["metered"] - entry["indeterminate"]
        found |= {(sim, ACTION_NOTIFY, k) for k, least in THRESHOLDS.items() if certain >= least}
        if certain >= QUOTA_BYTES:
            found.add((sim, ACTION_CUT, 100))
    return found


def count_copies(copies: Iterable[tuple[str, Batch, bool]]) -> dict[str, Outcome]:
    """Return what became of every operator's rows. copies: operator, batch, whether it came before."""
    counts: dict[str, Outcome] = defaultdict(Outcome)
    for operator, batch, is_repeat in copies:
        counts[operator] = sum_of((counts[operator], outcome_of(batch, is_repeat=is_repeat)))
    return dict(counts)


def sum_of(outcomes: Iterable[Outcome]) -> Outcome:
    return Outcome(*map(sum, zip(*outcomes, strict=True)))
