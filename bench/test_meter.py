"""Metering: what each of a million SIMs used on each day, from ten million cumulative readings in the order of arrival.

The peers get all readings at once, in columns, and answer the same question with a window over each counter (difference to the
reading before, summed by SIM and day), on both threads. The kernels run on one, take batches of 64 Ki rows as a
journal would give them, and keep, besides the totals, what late and repeated readings need. "Highest of day first" shortens
the peers' work by a trick that only sane counters allow; Polars gets only that, as its window takes three times as long.
Every counter is read at the very midnight, because the peers do not split intervals. Equal totals are asserted once.
"""

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from phusong.kernels.columns import INT_MISSING, UsageReadings
from phusong.kernels.days import DAY_MS, ICT_OFFSET_MS
from phusong.kernels.meter_figures import SimDays
from phusong.kernels.meter_state import Meter

SIM_COUNT = 1_000_000
READINGS_PER_SIM = 10
READING_COUNT = SIM_COUNT * READINGS_PER_SIM
MIDNIGHT_MS = 1_633_021_200_000  # 1 October 2021 begins in Vietnam
GAP_MS = 600_000
BATCH = 65_536
THRESHOLDS = np.array([2**31, 3_435_973_837, 2**32])
LOAD = f"{READING_COUNT:,} readings, {SIM_COUNT:,} SIMs"


def make_readings() -> UsageReadings:
    """Every SIM reports every ten minutes from before to after a midnight, each time in another order."""
    rng = np.random.default_rng(2021)
    sim = np.concatenate([rng.permutation(SIM_COUNT) for _ in range(READINGS_PER_SIM)])
    turn = np.repeat(np.arange(READINGS_PER_SIM), SIM_COUNT) - READINGS_PER_SIM // 2
    jitter = rng.integers(0, GAP_MS, READING_COUNT)
    grown = rng.integers(1, 2**27, (SIM_COUNT, READINGS_PER_SIM)).cumsum(axis=1)
    down = grown[sim, turn + READINGS_PER_SIM // 2]
    zeros = np.zeros(READING_COUNT, np.int64)
    absent = np.full(READING_COUNT, INT_MISSING)
    return UsageReadings(
        payload_row=zeros,
        row=zeros,
        subscriber_key=(sim + 1) * np.int64(0x9E3779B97F4A7C1),
        session=sim * np.int64(0x2545F4914F6CDD1D),
        counter_epoch=zeros,
        sequence=zeros,
        interval_start_time_ms=absent,
        observed_time_ms=MIDNIGHT_MS + turn * GAP_MS + np.where(turn == 0, 0, jitter),
        uplink_bytes=down // 16,
        downlink_bytes=down,
        uplink_gigawords=absent,
        downlink_gigawords=absent,
        counter_width_bits=zeros + 64,
        counter_kind=zeros + 1,
        traffic_class=zeros + 1,
        rating_group=zeros,
        record_type=zeros + 2,
        session_time_ms=absent,
        reporting_delay_ms=absent,
        received_time_ms=absent,
    )


@pytest.fixture(scope="module")
def readings() -> UsageReadings:
    return make_readings()


@pytest.fixture(scope="module")
def table(readings: UsageReadings) -> pa.Table:
    # An interval up to the very midnight is of the day before it.
    day = (readings.observed_time_ms - 1 + ICT_OFFSET_MS) // DAY_MS
    columns = {
        "sim": readings.subscriber_key,
        "session": readings.session,
        "time_ms": readings.observed_time_ms,
        "day": day,
        "total": readings.uplink_bytes + readings.downlink_bytes,
    }
    return pa.table(columns)


@pytest.fixture
def metering(benchmark):
    benchmark.group = f"meter: {LOAD}"
    benchmark.extra_info["rows"] = READING_COUNT
    return benchmark


def add_all(meter: Meter, readings: UsageReadings, first: int, last: int) -> Meter:
    zeros, false = np.zeros(BATCH, np.int64), np.zeros(BATCH, np.bool_)
    for start in range(first, last, BATCH):
        stop = min(start + BATCH, last)
        batch = UsageReadings(*(column[start:stop] for column in readings))
        same, size = batch.observed_time_ms, stop - start
        meter.add(
            batch, same, zeros[:size], same, zeros[:size], zeros[:size], false[:size],
            np.zeros(size, np.int64),
        )  # fmt: skip
    return meter


def kernel_totals(readings: UsageReadings) -> Meter:
    return add_all(Meter(THRESHOLDS), readings, 0, READING_COUNT)


WINDOW = """
    SELECT sim, day, sum(used) AS used FROM (
        SELECT sim, day, total - lag(total, 1, 0) OVER (
            PARTITION BY sim, session ORDER BY time_ms) AS used
        FROM readings)
    GROUP BY sim, day"""

HIGHEST = """
    SELECT sim, day, sum(used) AS used FROM (
        SELECT sim, day, highest - lag(highest, 1, 0) OVER (
            PARTITION BY sim, session ORDER BY day) AS used
        FROM (SELECT sim, session, day, max(total) AS highest FROM readings
              GROUP BY sim, session, day))
    GROUP BY sim, day"""


def duckdb_totals(table: pa.Table, query: str) -> pa.Table:
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.register("readings", table)
        return connection.sql(query).to_arrow_table()


def polars_totals(table: pa.Table) -> pl.DataFrame:
    counters = ["sim", "session"]
    return (
        pl.LazyFrame(table)
        .group_by(*counters, "day")
        .agg(pl.col("total").max())
        .sort(*counters, "day")
        .with_columns(used=pl.col("total") - pl.col("total").shift(1, fill_value=0).over(counters))
        .group_by("sim", "day")
        .agg(pl.col("used").sum())
        .collect(engine="streaming")
    )


def totals_of(meter: Meter) -> pl.DataFrame:
    days = [meter.sims_of_day(day) for day in meter.days().tolist()]
    rows = SimDays(*map(np.concatenate, zip(*days, strict=True)))
    columns = {"sim": rows.subscriber_key, "day": rows.ict_day, "used": rows.metered_bytes}
    return sorted_totals(pl.DataFrame(columns))


def sorted_totals(totals: pl.DataFrame) -> pl.DataFrame:
    return totals.cast(pl.Int64).filter(pl.col("used") > 0).sort("sim", "day")


def test_kernels(metering, readings: UsageReadings, table: pa.Table) -> None:
    add_all(Meter(THRESHOLDS), readings, 0, 1000)  # compiles

    meter = metering.pedantic(kernel_totals, (readings,), rounds=2)

    own = totals_of(meter)
    assert own.equals(sorted_totals(pl.DataFrame(duckdb_totals(table, WINDOW))))
    assert own.equals(sorted_totals(pl.DataFrame(duckdb_totals(table, HIGHEST))))
    assert own.equals(sorted_totals(polars_totals(table)))


def test_duckdb(metering, table: pa.Table) -> None:
    metering.pedantic(duckdb_totals, (table, WINDOW), rounds=2)


def test_duckdb_highest_of_day_first(metering, table: pa.Table) -> None:
    metering.pedantic(duckdb_totals, (table, HIGHEST), rounds=2)


def test_polars_highest_of_day_first(metering, table: pa.Table) -> None:
    metering.pedantic(polars_totals, (table,), rounds=2)


def test_kernels_one_more_report_of_every_sim(benchmark, readings: UsageReadings) -> None:
    """Streaming: a million SIMs are known, and each reports once more."""
    last = READING_COUNT - SIM_COUNT
    benchmark.group = f"meter, streaming: {SIM_COUNT:,} readings onto {last:,}"
    benchmark.extra_info["rows"] = SIM_COUNT
    meter = add_all(Meter(THRESHOLDS), readings, 0, last)

    benchmark.pedantic(add_all, (meter, readings, last, READING_COUNT), rounds=1)

    state_bytes = sum(array.nbytes for array in meter.export().values())
    benchmark.extra_info["state_bytes_per_sim"] = state_bytes // SIM_COUNT
