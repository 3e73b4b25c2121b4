from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phusong.kernels.bins import BinCounts, BinKeys
from phusong.kernels.survey_counting import (
    Groups,
    Places,
    Stays,
    add_levels,
    count_devices,
    count_windows,
    write_groups,
    write_places,
    write_stays,
)
from reference import surveys

WINDOW_MS, GAP_MS = 14_400_000, 12
WINDOWS_MAX = 2

bins = st.lists(
    st.fixed_dictionaries(
        {
            "group": st.integers(0, 2),
            "east": st.integers(-1, 1),
            "north": st.integers(0, 1),
            "device": st.sampled_from([-7, 1, 2]),
            "window": st.integers(0, 8),
            "first": st.integers(0, 9),
            "last": st.integers(100, 120),
            "heard": st.integers(1, 4),
            "silent": st.integers(0, 2),
            "met": st.integers(0, 3),
            "is_chosen": st.sampled_from([True, True, True, False]),
        }
    ),
    max_size=9,
    unique_by=lambda b: tuple(b[n] for n in ("group", "east", "north", "device", "window")),
)
KEY = ("group", "east", "north", "device", "window")


def columns(rows: list[dict[str, Any]]) -> tuple[BinKeys, BinCounts]:
    def column(name: str) -> Any:
        return np.array([row.get(name, 0) for row in rows], np.int64)

    group = column("group")
    keys = BinKeys(
        group // 2,
        group % 2,
        group,
        *(column(name) for name in ("east", "north", "device", "window")),
    )
    met = np.repeat(column("met")[:, None], 8, axis=1)
    counts = BinCounts(
        column("heard"), column("silent"), met, column("first"), column("last"), column("level")
    )
    return keys, counts


@settings(deadline=None)
@given(bins)
def test_matches_the_reference(drawn: list[dict[str, Any]]) -> None:
    # Whatever was read in a later window was read later.
    later = [row | {"first": row["first"] + 10 * row["window"]} for row in drawn]
    rows = sorted(later, key=lambda row: tuple(row[name] for name in KEY))
    keys, counts = columns(rows)
    chosen = np.array([i for i, row in enumerate(rows) if row["is_chosen"]], np.int64)
    kept = [rows[i] for i in chosen]
    size = len(chosen)

    groups = Groups(*(np.empty(size, np.int64) for _ in Groups._fields))
    start = np.empty(size + 1, np.int64)
    count = write_groups(chosen, keys, counts, start, groups)
    start = start[: count + 1]
    count_devices(chosen, start, keys.device_key, 5, groups.device_count)
    count_windows(chosen, start, keys.window, counts.first_time_ms, WINDOW_MS, GAP_MS, groups)
    stays = Stays(*(np.empty(size, np.int64) for _ in range(5)), np.empty(size))
    stay_count = write_stays(chosen, start, keys, counts, 0, WINDOWS_MAX, stays)
    stays = Stays(*(column[:stay_count] for column in stays))
    places = Places(*(np.empty(stay_count, np.int64) for _ in range(3)), np.empty(stay_count))
    place_count = write_places(stays, places)

    present = sorted({row["group"] for row in kept})
    assert count == len(present)
    assert groups.rat[:count].tolist() == present
    for number, group in enumerate(present):
        of_group = [row for row in kept if row["group"] == group]
        expected = surveys.group_of(of_group, WINDOW_MS, GAP_MS)
        assert {name: int(getattr(groups, name)[number]) for name in expected} == expected
    named = [row | {"group": present.index(row["group"])} for row in kept]
    expected_stays = surveys.stays_of(named, WINDOWS_MAX)
    found = {
        tuple(key): (weight, share)
        for *key, weight, share in zip(*(column.tolist() for column in stays), strict=True)
    }
    assert found == expected_stays
    found_places = {
        tuple(key): share
        for *key, share in zip(*(column[:place_count].tolist() for column in places), strict=True)
    }
    assert found_places == pytest.approx(surveys.places_of(expected_stays))


def test_bins_are_counted_by_row_and_mean_level() -> None:
    _, counts = columns(
        [
            {"heard": 3, "silent": 1, "level": -181_000},  # -90.5, which rounds up
            {"heard": 2, "silent": 2, "level": 0},
            {"heard": 1, "silent": 0, "level": -160_000},
        ]
    )
    found = np.zeros((2, 4), np.int64)

    add_levels(np.arange(3), np.array([1, 1, 0]), counts, -92, found)

    assert found.tolist() == [[1, 0, 0, 0], [0, 0, 1, 0]]
