"""What a source may send without end: sums stay within int64, and one row costs no more than its bounds."""

import pytest

from phusong.kernels.meter_tables import SUM_MAX_BYTES
from phusong.kernels.screen_usage import COUNTER_MAX_BYTES
from reference.metering import Entries, accounts, add, meter_of, used
from reference.usage import DAY_MS, DELTA, HOUR_MS, MIDNIGHT_MS, ZERO_RATED, Usage

NOON_MS = MIDNIGHT_MS + 12 * HOUR_MS
READINGS_TO_THE_END = SUM_MAX_BYTES // (2 * COUNTER_MAX_BYTES)
HUGE = Usage(NOON_MS, up=COUNTER_MAX_BYTES, down=COUNTER_MAX_BYTES)


def figures(entries: Entries) -> list[int]:
    return [figure for entry in entries.values() for figure in entry.values()]


@pytest.mark.parametrize("kind", [{}, {"kind": DELTA}, {"traffic": ZERO_RATED}])
def test_the_sum_of_a_day_stops_where_int64_would_wrap(kind: dict[str, int]) -> None:
    rows = [HUGE._replace(session=k, **kind) for k in range(5 * READINGS_TO_THE_END)]

    meter = meter_of(rows)

    assert max(figures(used(meter))) == SUM_MAX_BYTES
    assert next(iter(accounts(meter).values()))[-2:] == [SUM_MAX_BYTES, SUM_MAX_BYTES]


def test_a_sum_that_stopped_is_not_taken_back() -> None:
    rows = [HUGE._replace(session=k) for k in range(2 * READINGS_TO_THE_END)]
    meter = meter_of(rows)

    for row in rows[:10]:  # the interval is now known to reach back over a midnight
        add(meter, [row._replace(up=0, down=0, time_ms=NOON_MS - DAY_MS)])

    assert min(figures(used(meter))) >= 0
    assert min(figure for account in accounts(meter).values() for figure in account) >= 0


def test_bytes_a_split_attributed_never_pass_the_bytes_of_their_day() -> None:
    whole_day = HUGE._replace(time_ms=MIDNIGHT_MS + DAY_MS, start_ms=MIDNIGHT_MS - 1)
    meter = meter_of([whole_day._replace(session=k) for k in range(3 * READINGS_TO_THE_END)])

    for entry in used(meter).values():
        assert 0 <= entry["indeterminate"] <= entry["metered"] <= SUM_MAX_BYTES


def test_the_quickest_way_to_count_stops_there_too() -> None:
    meter = meter_of([HUGE._replace(session=k, down=0) for k in range(4 * READINGS_TO_THE_END)])

    add(meter, [HUGE])
    add(meter, [HUGE._replace(session=2)])

    assert max(figures(used(meter))) == SUM_MAX_BYTES


def test_merged_sums_stop_there_too() -> None:
    rows = [HUGE._replace(session=k) for k in range(5 * READINGS_TO_THE_END)]
    meter = meter_of(rows)

    for sim in range(8, 13):
        meter.merge(meter_of([row._replace(sim=sim) for row in rows]))

    assert next(iter(accounts(meter).values()))[-2:] == [SUM_MAX_BYTES, SUM_MAX_BYTES]
