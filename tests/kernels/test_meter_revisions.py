"""What comes late to watched days, and amounts that come by another road than a reading."""

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from phusong.kernels.meter_state import Meter
from reference.metering import QUOTA, add, meter_of, used
from reference.usage import (
    DAY_MS,
    DELTA,
    FIRST_OF_OCTOBER,
    HOUR_MS,
    MIDNIGHT_MS,
    MINUTE_MS,
    ZERO_RATED,
    Usage,
)

TODAY = FIRST_OF_OCTOBER
NOON_MS = MIDNIGHT_MS + 12 * HOUR_MS
Sums = dict[tuple[int, int], tuple[int, ...]]

rows = st.fixed_dictionaries(
    {
        "time_ms": st.integers(MIDNIGHT_MS - 3 * DAY_MS, MIDNIGHT_MS + 3 * DAY_MS),
        "down": st.integers(0, 2**33),
        "up": st.integers(0, 2**20),
        "sim": st.integers(1, 3),
        "session": st.integers(0, 1),
        "kind": st.sampled_from([1, DELTA]),
        "traffic": st.sampled_from([1, ZERO_RATED]),
    }
).map(lambda fields: Usage(**fields))


def sums(meter: Meter) -> Sums:
    return {key: tuple(entry.values()) for key, entry in used(meter).items()}


def revised(meter: Meter) -> Sums:
    """Return (sim, day) → how its sums changed."""
    return {
        (sim, day): tuple(now - before for before, now in zip(found[:3], found[3:], strict=True))
        for sim, day, *found in meter.take_revisions().tolist()
    }


@settings(deadline=None, max_examples=150)
@given(
    st.lists(rows, max_size=20),
    st.lists(rows, max_size=20),
    st.integers(-3, 3),
    st.lists(st.integers(0, 20), max_size=2),
)
def test_what_stood_before_and_all_revisions_are_what_stands_now(
    before: list[Usage], late: list[Usage], watched: int, cuts: list[int]
) -> None:
    meter = meter_of(before)
    meter.watch_days(TODAY + watched)
    ledger = {key: entry for key, entry in sums(meter).items() if key[1] <= TODAY + watched}

    for first, last in pairwise([0, *sorted(cuts), len(late)]):
        add(meter, late[first:last])
        for key, change in revised(meter).items():
            known = ledger.get(key, (0, 0, 0))
            ledger[key] = tuple(one + more for one, more in zip(known, change, strict=True))

    plain = meter_of(before, late)
    expected = {key: entry for key, entry in sums(plain).items() if key[1] <= TODAY + watched}
    assert {key: entry for key, entry in ledger.items() if any(entry)} == expected
    assert sums(meter) == sums(plain)


def test_days_that_are_not_watched_are_not_noted() -> None:
    meter = meter_of()
    meter.watch_days(TODAY - 1)

    add(meter, [Usage(NOON_MS, down=5), Usage(NOON_MS + MINUTE_MS, down=9)])

    assert not len(meter.take_revisions())


def test_a_reading_of_today_that_splits_back_over_midnight_revises_yesterday() -> None:
    meter = meter_of([Usage(MIDNIGHT_MS - HOUR_MS, down=100)])
    meter.watch_days(TODAY - 1)

    add(meter, [Usage(MIDNIGHT_MS + HOUR_MS, down=300)])

    assert revised(meter) == {(7, TODAY - 1): (100, 100, 0)}


def test_a_reading_that_mends_a_split_takes_back_from_a_watched_day() -> None:
    meter = meter_of(
        [Usage(MIDNIGHT_MS - HOUR_MS, down=100), Usage(MIDNIGHT_MS + HOUR_MS, down=900)]
    )
    meter.watch_days(TODAY - 1)

    add(meter, [Usage(MIDNIGHT_MS - 1, down=150)])

    assert revised(meter) == {(7, TODAY - 1): (-350, -400, 0)}


def test_revisions_not_taken_survive_an_export_and_a_merge() -> None:
    meter = meter_of([Usage(NOON_MS, down=5)])
    meter.watch_days(TODAY)
    add(meter, [Usage(NOON_MS + 1, down=9)])
    restored = meter_of([Usage(NOON_MS, down=1, sim=1)])

    other = meter_of()
    other.restore(meter.export())
    restored.merge(other)

    assert revised(restored) == revised(meter) == {(7, TODAY): (4, 0, 0)}


def test_entries_are_all_sims_heard_of_on_the_day() -> None:
    meter = meter_of([Usage(NOON_MS, down=5, sim=-1), Usage(NOON_MS, down=0, sim=2)])

    assert sorted(meter.entries(TODAY).tolist()) == [[-1, 5, 0, 0], [2, 0, 0, 0]]
    assert meter.entries(TODAY + 1).tolist() == []


def test_amounts_of_another_road_count_like_readings() -> None:
    meter = meter_of([Usage(NOON_MS, down=QUOTA - 1)])
    meter.take_changes()

    def shift(*amounts: int) -> None:
        meter.add_amounts(np.array([7]), np.array([0]), np.array([amounts], np.int64))

    shift(TODAY, 1, 1, 0, NOON_MS)
    assert not meter.take_changes().level.tolist(), "a guess alone crosses nothing"
    shift(TODAY, 1, 0, 0, NOON_MS + 1)

    assert meter.take_changes().level.tolist() == [3]
    shift(TODAY, -3, -1, 3, NOON_MS + 2)
    assert used(meter)[7, TODAY] == {"metered": QUOTA - 2, "indeterminate": 0, "zero_rated": 3}
    assert meter.take_changes().level.tolist() == [2]


def test_more_amounts_than_a_table_has_room_for_are_all_added() -> None:
    meter = meter_of()
    count = 200_000
    keys = np.arange(count)
    zeros = np.zeros(count, np.int64)
    amounts = np.stack((zeros + TODAY, zeros + 1, zeros, zeros, zeros + NOON_MS), axis=1)

    meter.add_amounts(keys, zeros, amounts)

    assert int(meter.entries(TODAY)[:, 1].sum()) == count
