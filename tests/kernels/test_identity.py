"""Row numbers for keys, against a dict."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phusong.kernels import identity
from phusong.kernels.identity import EMPTY, ROW_COUNT_FIRST, SEED, KeyTable, slot_of
from reference.flood import colliding_keys, longest_run

# Few values, so that keys repeat and share columns; and all 64 bits.
values = st.integers(-2, 2) | st.integers(-(2**63), 2**63 - 1)
WIDTHS = (1, 2, 3)

Key = tuple[int, ...]


def keys_of(width: int) -> st.SearchStrategy[list[Key]]:
    return st.lists(st.tuples(*[values] * width), max_size=60)


batches = st.sampled_from(WIDTHS).flatmap(
    lambda width: st.tuples(st.just(width), keys_of(width), keys_of(width))
)


def columns(keys: list[Key], width: int) -> list[np.ndarray]:
    return list(np.array(keys, np.int64).reshape(-1, width).T)


def rows_by_dict(keys: list[Key]) -> list[int]:
    row_of: dict[Key, int] = {}
    return [row_of.setdefault(key, len(row_of)) for key in keys]


@pytest.mark.slow
@settings(deadline=None)  # the first call compiles
@given(batches)
def test_rows_are_numbered_in_the_order_keys_are_first_seen(batch) -> None:
    width, keys, _ = batch
    table = KeyTable(width)

    rows = table.rows_of(*columns(keys, width))

    assert rows.tolist() == rows_by_dict(keys)
    assert [tuple(key) for key in table.keys.tolist()] == list(dict.fromkeys(keys))


@pytest.mark.slow
@settings(deadline=None)
@given(batches, st.integers(0, 60))
def test_a_batch_may_be_cut_anywhere(batch, cut: int) -> None:
    width, keys, _ = batch
    table = KeyTable(width)

    rows = table.rows_of(*columns(keys[:cut], width)).tolist()
    rows += table.rows_of(*columns(keys[cut:], width)).tolist()

    assert rows == rows_by_dict(keys)


@pytest.mark.slow
@settings(deadline=None)
@given(batches)
def test_a_table_goes_on_from_its_keys(batch) -> None:
    width, keys, more = batch
    table = KeyTable(width)
    table.rows_of(*columns(keys, width))

    restored = KeyTable(width, table.keys.copy())

    assert (
        restored.rows_of(*columns(more, width)).tolist() == rows_by_dict(keys + more)[len(keys) :]
    )


@pytest.mark.slow
@settings(deadline=None)
@given(batches)
def test_looking_for_a_key_does_not_add_it(batch) -> None:
    width, keys, more = batch
    table = KeyTable(width)
    table.rows_of(*columns(keys, width))
    count = table.count

    found = table.find(*columns(more, width))

    known = dict(zip(keys, rows_by_dict(keys), strict=True))
    assert found.tolist() == [known.get(key, EMPTY) for key in more]
    assert table.count == count


@pytest.mark.parametrize("step", [1, 2**20, 2**32, 2**48])
def test_a_table_grows_and_keeps_its_rows(step: int) -> None:
    first, more = np.arange(ROW_COUNT_FIRST) * step, np.arange(20 * ROW_COUNT_FIRST) * step
    table = KeyTable(1)
    table.rows_of(first)

    rows = table.rows_of(more)

    assert rows.tolist() == list(range(len(more)))
    assert table.rows_of(first).tolist() == list(range(len(first)))
    assert table.keys[:, 0].tolist() == more.tolist()


def test_a_full_table_finds_what_it_holds() -> None:
    table = KeyTable(1)
    table.rows_of(np.arange(ROW_COUNT_FIRST))

    assert table.find(np.array([0, ROW_COUNT_FIRST - 1, ROW_COUNT_FIRST])).tolist() == [
        0,
        ROW_COUNT_FIRST - 1,
        EMPTY,
    ]


def test_columns_are_compared_whole_and_never_joined() -> None:
    table = KeyTable(2)

    assert table.rows_of(np.array([1, 12]), np.array([23, 3])).tolist() == [0, 1]


def test_no_keys_have_no_rows() -> None:
    table = KeyTable(2)

    assert table.rows_of(np.zeros(0, np.int64), np.zeros(0, np.int64)).tolist() == []
    assert table.keys.shape == (0, 2)


def test_more_rows_than_slots_can_name_are_our_own_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "ROW_COUNT_MAX", 5)

    with pytest.raises(AssertionError, match="int32"):
        KeyTable(1).rows_of(np.arange(6))


@pytest.mark.slow
@settings(deadline=None)
@given(batches, values, values)
def test_rows_do_not_depend_on_the_seed(batch, one: int, other: int) -> None:
    width, keys, more = batch
    tables = [KeyTable(width, seed=seed) for seed in (one, other)]

    first, second = ([t.rows_of(*columns(keys + more, width)).tolist()] for t in tables)

    assert first == second
    assert tables[0].keys.tolist() == tables[1].keys.tolist()


# Full slots side by side bound what a look-up can cost. A quarter full, chance makes runs of some 30.
FLOOD_COUNT, FLOOD_MASK, RUN_MAX = 4096, 2**14 - 1, 200


@pytest.mark.parametrize("width", WIDTHS)
def test_keys_made_to_meet_in_one_slot_meet_for_one_seed_only(width: int) -> None:
    keys = np.zeros((FLOOD_COUNT, width), np.int64)
    keys[:, -1] = colliding_keys(FLOOD_COUNT, column=width - 1)

    foreseen = [int(slot_of(key, FLOOD_MASK, 0)) for key in keys]
    places = [int(slot_of(key, FLOOD_MASK, SEED)) for key in keys]

    assert set(foreseen) == {0}
    assert longest_run(places, FLOOD_MASK) < RUN_MAX
