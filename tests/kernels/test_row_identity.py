"""Rows that nobody numbered, known again."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phusong.kernels.days import DAY_MS
from phusong.kernels.identity import slot_of
from phusong.kernels.row_identity import BEYOND, NEW, REPEATED, RowIdentities
from reference.flood import colliding_keys, longest_run
from reference.row_identity import WEEK_MS, SeenRows

NAMES = {NEW: "NEW", REPEATED: "REPEATED", BEYOND: "BEYOND"}
START_MS = 1_638_288_000_000  # 2021-12-01 00:00 in Vietnam, less an hour: days turn in the examples
HOUR_MS = 3_600_000

# Few values, so that rows repeat; times around the week and around midnights.
hours = st.integers(-200, 40)
rows = st.lists(st.tuples(st.integers(0, 2), hours, st.integers(0, 2)), max_size=30)
frames = st.lists(st.tuples(st.integers(0, 120), rows), max_size=6)
limits = st.sampled_from([(1000, 1000), (4, 1000), (1000, 3), (5, 2), (1, 1)])


def recall(identities, rows, received_time_ms):
    source, time_ms, says = zip(*rows, strict=True) if rows else ((), (), ())
    outcome = identities.recall(
        np.array(source, np.int64),
        np.array(time_ms, np.int64),
        np.array(says, np.int64),
        received_time_ms,
    )
    return [NAMES[value] for value in outcome.tolist()]


def dated(frames):
    """Return (received time, rows) with arrivals that grow by hours and rows observed around them."""
    received_ms, made = START_MS, []
    for step, found in frames:
        received_ms += step * HOUR_MS
        made.append((received_ms, [(s, received_ms + h * HOUR_MS, x) for s, h, x in found]))
    return made


@settings(deadline=None)
@given(frames, limits)
def test_matches_the_reference(frames, limit):
    identities, seen = RowIdentities(*limit), SeenRows(*limit)

    for received_ms, rows in dated(frames):
        assert recall(identities, rows, received_ms) == seen.recall(rows, received_ms)


@settings(deadline=None)
@given(frames, limits, st.lists(st.integers(0, 30), min_size=6, max_size=6))
def test_a_frame_may_be_cut_anywhere_and_the_state_restored_between(frames, limit, cuts):
    whole, parts = RowIdentities(*limit), RowIdentities(*limit)

    for (received_ms, rows), cut in zip(dated(frames), cuts, strict=False):
        expected = recall(whole, rows, received_ms)
        found = recall(parts, rows[:cut], received_ms)
        restored = RowIdentities(*limit)
        restored.restore(parts.export())
        parts = restored
        found += recall(parts, rows[cut:], received_ms)

        assert found == expected
        assert parts.export()["key"].tolist() == whole.export()["key"].tolist()


def test_a_day_that_nobody_may_send_again_is_forgotten():
    identities = RowIdentities()
    row = (0, START_MS, 1)
    recall(identities, [row], START_MS)

    assert recall(identities, [row], START_MS + WEEK_MS) == ["REPEATED"]
    assert recall(identities, [row], START_MS + WEEK_MS + 1) == ["BEYOND"]
    recall(identities, [(0, START_MS + 9 * DAY_MS, 1)], START_MS + 9 * DAY_MS)
    assert identities.count == 1


def test_arrival_that_runs_backwards_opens_no_day_again():
    identities = RowIdentities()
    row = (0, START_MS, 1)
    recall(identities, [row], START_MS)
    recall(identities, [(0, START_MS + 9 * DAY_MS, 1)], START_MS + 9 * DAY_MS)

    assert recall(identities, [row], START_MS) == ["BEYOND"]


@pytest.mark.parametrize("limit", [(3000, 10_000), (10_000, 3000)])
def test_a_full_table_knows_what_it_holds_and_takes_nothing_else(limit):
    identities = RowIdentities(*limit)
    flood = [(0, START_MS, n) for n in range(5000)]

    outcomes = recall(identities, flood, START_MS)

    assert outcomes == ["NEW"] * 3000 + ["BEYOND"] * 2000
    assert recall(identities, flood, START_MS) == ["REPEATED"] * 3000 + ["BEYOND"] * 2000
    assert identities.count == 3000


def test_a_source_that_floods_leaves_room_for_others():
    identities = RowIdentities(source_count_max=100)
    recall(identities, [(0, START_MS, n) for n in range(5000)], START_MS)

    assert recall(identities, [(1, START_MS, 7), (0, START_MS, 7)], START_MS) == [
        "NEW",
        "REPEATED",
    ]


def test_what_is_remembered_takes_32_bytes_a_row_when_full():
    identities = RowIdentities(count_max=1 << 14)
    recall(identities, [(0, START_MS, n) for n in range(1 << 14)], START_MS)

    slots, keys, _ = identities._remembered
    assert slots.nbytes + keys.nbytes == 32 << 14


def test_rows_cannot_be_made_to_meet_in_one_slot():
    # Those that all hash to 0 under a seed that is known, under the secret one of this process.
    chosen = colliding_keys(4096, column=2)
    keys = np.stack((np.zeros_like(chosen), np.zeros_like(chosen), chosen), axis=1)
    mask = (1 << 13) - 1

    under = {
        seed: longest_run([int(slot_of(key, mask, seed)) for key in keys], mask)
        for seed in (0, RowIdentities()._seed)
    }

    assert under[0] >= 4096
    assert under[RowIdentities()._seed] < 200
