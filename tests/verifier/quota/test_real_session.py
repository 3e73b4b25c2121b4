"""The real accounting session that crosses 4 GiB (DOMAIN §4), record by record."""

import csv
from pathlib import Path

import numpy as np
import pytest

from phusong.kernels.clock import place_times
from phusong.kernels.days import ict_day
from phusong.verifier.quota.state import QuotaState
from reference.usage import INTERIM, START, STOP, Usage, columns

FILE = Path(__file__).parents[4] / "shared" / "data" / "radius" / "wba-download-5gb.csv"
RECORD_TYPES = {"1": START, "2": STOP, "3": INTERIM}
UP_BYTES, DOWN_BYTES = 147_699_750, 5_682_218_308

pytestmark = pytest.mark.skipif(not FILE.exists(), reason="../shared/data is not at hand")


@pytest.fixture(scope="module")
def records() -> list[dict[str, str]]:
    with FILE.open(newline="") as file:
        return list(csv.DictReader(file))


def number(text: str) -> int | None:
    return int(text) if text else None


def usage(record: dict[str, str], *, is_high_dropped: bool) -> Usage:
    """`is_high_dropped`: leave Gigawords out, as sources do that send them only when they matter, or never."""
    age_s = number(record["session_time_s"])
    return Usage(
        time_ms=int(record["event_ts"]) * 1000,
        up=number(record["in_octets32"]) or 0,
        down=number(record["out_octets32"]) or 0,
        up_high=None if is_high_dropped else number(record["in_giga"]),
        down_high=None if is_high_dropped else number(record["out_giga"]),
        width=32,
        age_ms=None if age_s is None else age_s * 1000,
        delay_ms=int(record["acct_delay_s"]) * 1000,
        record=RECORD_TYPES[record["status_type"]],
    )


def state_of(records: list[dict[str, str]], rows: list[Usage]) -> QuotaState:
    """Count each record in a batch of its own, as it came in."""
    state = QuotaState(None)
    for record, row in zip(records, rows, strict=True):
        readings = columns([row])
        received = np.array([int(float(record["capture_ts"]) * 1000)])
        time_ms, flag, zeros = (np.zeros(1, np.int64) for _ in range(3))
        false = np.zeros(1, np.bool_)
        delay = readings.reporting_delay_ms
        place_times(readings.observed_time_ms, received, delay, false, time_ms, flag)
        state.add(readings, time_ms, flag, received, zeros, zeros, false, zeros.copy())
    return state


def day_of(records: list[dict[str, str]]) -> int:
    return int(ict_day(int(float(records[0]["capture_ts"]) * 1000)))


@pytest.mark.parametrize("drop", ["never", "always", "while zero"])
def test_the_final_totals_are_exact(records: list[dict[str, str]], drop: str) -> None:
    rows = [
        usage(
            r, is_high_dropped=drop == "always" or (drop == "while zero" and r["out_giga"] != "1")
        )
        for r in records
    ]

    report = state_of(records, rows).day(day_of(records))

    assert (report.totals["uplink_bytes"], report.totals["downlink_bytes"]) == (
        UP_BYTES,
        DOWN_BYTES,
    )
    assert report.sims[0].used_bytes == UP_BYTES + DOWN_BYTES
    assert report.totals["counted"] == report.totals["received"] == 179
    inferred = {"never": 0, "always": 178, "while zero": 134}
    assert report.totals["gigawords_inferred"] == inferred[drop]


def test_disorder_and_repeats_change_nothing_even_without_gigawords(
    records: list[dict[str, str]],
) -> None:
    pairs = [(r, usage(r, is_high_dropped=True)) for r in [*records[::2], *records[::-1]]]

    report = state_of([r for r, _ in pairs], [row for _, row in pairs]).day(day_of(records))

    assert report.sims[0].used_bytes == UP_BYTES + DOWN_BYTES
    assert report.totals["counted"] + report.totals["duplicate"] == 179 + 90


def test_the_clock_257_725_seconds_ahead_gives_way_to_the_arrival(
    records: list[dict[str, str]],
) -> None:
    rows = [usage(record, is_high_dropped=False) for record in records]

    report = state_of(records, rows).day(day_of(records))

    assert rows[0].time_ms // 1000 - int(float(records[0]["capture_ts"])) == 257_725
    assert report.totals["clock_far"] == 179


def test_the_quota_is_crossed_at_the_record_that_reaches_4_gib(
    records: list[dict[str, str]],
) -> None:
    rows = [usage(record, is_high_dropped=False) for record in records]
    totals = [r.up + r.down + ((r.up_high or 0) + (r.down_high or 0)) * 2**32 for r in rows]

    report = state_of(records, rows).day(day_of(records))

    assert next(k for k, total in enumerate(totals) if total >= 4 * 10**9) == 123
    assert totals[123] == 4_031_906_856
    assert next(k for k, total in enumerate(totals) if total >= 2**32) == 131
    assert totals[131] == 4_299_654_852
    assert report.sims[0].crossed_time == "2024-05-11T18:30:03.507Z"
