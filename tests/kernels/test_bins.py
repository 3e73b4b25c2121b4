import itertools
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from phusong.kernels.bin_records import COUNT_MAX, FLOOR_COUNT
from phusong.kernels.bins import BinKeys, BinReadings, Bins, ExportedBins, bin_is_met
from reference.places import WINDOW_MS, binned

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
            "time": st.integers(0, 2 * WINDOW_MS) | st.integers(1, 10**13),
            "cell": st.integers(-1, 2),
            "position": st.sampled_from([-(2**63), -5, 2**62]),
            "released": st.sampled_from([False, False, True]),
        }
    ),
    max_size=30,
)


def add(bins: Bins, rows: list[dict[str, Any]]) -> Bins:
    keys = np.array([row["key"] for row in rows], np.int64).reshape(-1, 7)
    levels = [np.nan if row["level"] is None else row["level"] for row in rows]
    columns = BinKeys(*(column.copy() for column in keys.T))
    readings = BinReadings(
        np.array(levels, np.float64),
        *(
            np.array([row.get(name, 0) for row in rows], np.int64)
            for name in ("time", "cell", "position")
        ),
        np.array([row.get("released", False) for row in rows], np.bool_),
    )
    bins.add(columns, readings, FLOOR_TABLE)
    return bins


def new_bins() -> Bins:
    return Bins(WINDOW_MS, 0)


def exported(bins: Bins) -> list[list[Any]]:
    return [column.tolist() for columns in bins.export() for column in columns]


@settings(deadline=None)
@given(readings)
def test_matches_the_reference(rows: list[dict[str, Any]]) -> None:
    keys, counts, traces = add(new_bins(), rows).export()
    names = [*counts._fields, *traces._fields]
    found = {
        key: dict(zip(names, held, strict=True))
        for key, *held in zip(
            zip(*(column.tolist() for column in keys), strict=True),
            *(column.tolist() for column in (*counts, *traces)),
            strict=True,
        )
    }
    expected = binned(rows, FLOORS)

    assert found == expected
    assert list(found) == sorted(expected)


@settings(deadline=None)
@given(readings, st.integers(0, 30))
def test_a_batch_may_be_cut_anywhere(rows: list[dict[str, Any]], cut: int) -> None:
    whole = exported(add(new_bins(), rows))

    assert exported(add(add(new_bins(), rows[cut:]), rows[:cut])) == whole
    merged = add(new_bins(), rows[:cut])
    merged.merge(add(new_bins(), rows[cut:]))
    assert exported(merged) == whole


def test_what_is_exported_is_restored() -> None:
    bins = add(new_bins(), [{"key": (0, 5, 3, -1, 0, 9, 7), "level": -90.0, "time": 5}] * 3)
    restored = new_bins()

    restored.restore(bins.export())

    assert exported(restored) == exported(bins)
    assert restored.count == 1


def test_half_of_its_readings_are_enough_for_a_bin() -> None:
    key = (0, 5, 3, 0, 0, 0, 1)
    good, bad, silent = -90.0, -130.0, None
    half = (
        add(new_bins(), [{"key": key, "level": v, "time": 1} for v in (good, bad)]).export().counts
    )
    less = (
        add(new_bins(), [{"key": key, "level": v, "time": 1} for v in (good, bad, silent)])
        .export()
        .counts
    )

    assert bin_is_met(half).tolist() == [True]
    assert bin_is_met(less).tolist() == [False]
    assert less.silent_count.tolist() == [1]


@settings(deadline=None, max_examples=20)
@given(readings, st.integers(1, 4))
def test_bins_of_some_parts_and_trails_are_those_of_all(
    rows: list[dict[str, Any]], rounds: int
) -> None:
    bins = new_bins()
    for _ in range(rounds):
        add(bins, rows)
    every = bins.export()

    for part in range(int(every.keys.part.max(initial=-1)) + 1):
        some = bins.of_parts(np.array([part]))
        is_here = every.keys.part == part
        for whole, chosen in zip(every, some, strict=True):
            for column, of_part in zip(whole, chosen, strict=True):
                assert of_part.tolist() == column[is_here].tolist()
    row, start = bins.rows_of_trails(np.unique(bins.columns.trail))
    trails = bins.columns.trail[row]
    assert sorted(row.tolist()) == list(range(bins.count))
    assert np.flatnonzero(np.diff(trails, prepend=-1)).tolist() == start[:-1].tolist()
    for first, end in itertools.pairwise(start.tolist()):
        times = bins.columns.first_time_ms[row[first:end]]
        assert times.tolist() == sorted(times.tolist())


def test_what_was_touched_is_told_once() -> None:
    one, other = {"key": (1, 5, 3, 0, 0, 9, 7)}, {"key": (3, 5, 3, 0, 0, 4, 7)}
    bins = add(new_bins(), [row | {"level": -90.0, "time": 1} for row in (one, other)])

    first, again = bins.take_touched(), bins.take_touched()
    assert len(first.is_part_touched) == 4
    add(bins, [other | {"level": None, "time": 2}])
    last = bins.take_touched()

    assert [np.flatnonzero(marks).tolist() for marks in first] == [[0, 1], [1, 3]]
    assert [np.flatnonzero(marks).tolist() for marks in again] == [[], []]
    assert [np.flatnonzero(marks).tolist() for marks in last] == [[1], [3]]


def test_a_bin_that_is_full_counts_no_more() -> None:
    row = {"key": (0, 5, 3, 0, 0, 9, 7), "level": -90.0, "time": 1}
    bins = add(new_bins(), [row])
    keys, counts, traces = bins.export()
    full = new_bins()
    full.restore(ExportedBins(keys, counts._replace(heard_count=np.array([COUNT_MAX - 1])), traces))

    add(full, [row] * 3)
    full.merge(bins)

    assert full.export().counts.heard_count.tolist() == [COUNT_MAX]


def test_a_thousand_bins_that_come_at_once_and_one_by_one_are_the_same() -> None:
    rng = np.random.default_rng(7)
    rows = [
        {"key": tuple(key), "level": float(level), "time": int(time)}
        for key, level, time in zip(
            rng.integers(0, 6, (5000, 7)) * [1, 1, 0, 1, 1, 1, 1] + [0, 0, 3, -3, -3, 1, 0],
            rng.integers(-140, -43, 5000),
            rng.integers(0, 10**9, 5000),
            strict=True,
        )
    ]
    at_once, cut = add(new_bins(), rows), new_bins()
    for start in range(0, 5000, 37):
        add(cut, rows[start : start + 37])

    assert at_once.count > 1024
    assert exported(cut) == exported(at_once)
