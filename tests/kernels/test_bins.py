from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from phusong.kernels.bins import FLOOR_COUNT, BinKeys, BinReadings, Bins, bin_is_met
from reference.places import binned

INF = float("inf")
FLOORS = {
    3: [-121.0, -127.0, -124.0, -118.0, -115.0, -110.0, -105.0, INF],
    4: [-121.0, -127.0, -124.0, -118.0, -115.0, INF, INF, INF],
}
FLOOR_TABLE = np.full((5, FLOOR_COUNT), INF)
for _rat, _row in FLOORS.items():
    FLOOR_TABLE[_rat] = _row

small = st.integers(-2, 1)
readings = st.lists(
    st.fixed_dictionaries(
        {
            # part, operator, rat, cell east, cell north, device, window
            "key": st.tuples(
                st.integers(0, 1),
                st.sampled_from([-(2**63), 5]),
                st.sampled_from([3, 4]),
                small,
                small,
                st.integers(1, 2),
                st.integers(0, 1),
            ),
            "level": st.none() | st.sampled_from([-140.0, -121.0, -120.9, -121.1, -110.0, -43.0]),
            "time": st.integers(1, 10**13),
        }
    ),
    max_size=30,
)


def add(bins: Bins, rows: list[dict[str, Any]]) -> Bins:
    keys = np.array([row["key"] for row in rows], np.int64).reshape(-1, 7)
    levels = [np.nan if row["level"] is None else row["level"] for row in rows]
    times = np.array([row["time"] for row in rows], np.int64)
    columns = BinKeys(*(column.copy() for column in keys.T))
    bins.add(columns, BinReadings(np.array(levels, np.float64), times), FLOOR_TABLE)
    return bins


def exported(bins: Bins) -> list[list[Any]]:
    keys, counts = bins.export()
    return [column.tolist() for column in (*keys, *counts)]


@settings(deadline=None)
@given(readings)
def test_matches_the_reference(rows: list[dict[str, Any]]) -> None:
    keys, counts = add(Bins(), rows).export()
    found = {
        key: {"heard": heard, "silent": silent, "met": met, "times": [first, last]}
        for key, heard, silent, met, first, last in zip(
            zip(*(column.tolist() for column in keys), strict=True),
            *(column.tolist() for column in counts),
            strict=True,
        )
    }
    expected = binned(rows, FLOORS)
    for held in expected.values():
        held["times"] = [min(held["times"]), max(held["times"])]

    assert found == expected
    assert list(found) == sorted(expected)


@settings(deadline=None)
@given(readings, st.integers(0, 30))
def test_a_batch_may_be_cut_anywhere(rows: list[dict[str, Any]], cut: int) -> None:
    whole = exported(add(Bins(), rows))

    assert exported(add(add(Bins(), rows[cut:]), rows[:cut])) == whole
    merged = add(Bins(), rows[:cut])
    merged.merge(add(Bins(), rows[cut:]))
    assert exported(merged) == whole


def test_what_is_exported_is_restored() -> None:
    bins = add(Bins(), [{"key": (0, 5, 3, -1, 0, 9, 7), "level": -90.0, "time": 5}] * 3)
    restored = Bins()

    restored.restore(*bins.export())

    assert exported(restored) == exported(bins)
    assert restored.count == 1


def test_half_of_its_readings_are_enough_for_a_bin() -> None:
    key = (0, 5, 3, 0, 0, 0, 1)
    good, bad, silent = -90.0, -130.0, None
    _, half = add(Bins(), [{"key": key, "level": v, "time": 1} for v in (good, bad)]).export()
    _, less = add(
        Bins(), [{"key": key, "level": v, "time": 1} for v in (good, bad, silent)]
    ).export()

    assert bin_is_met(half).tolist() == [True]
    assert bin_is_met(less).tolist() == [False]
    assert less.silent_count.tolist() == [1]
