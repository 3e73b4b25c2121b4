import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from phusong.verifier.coverage.senders import DeviceSources

heard = st.lists(st.tuples(st.integers(-4, 4), st.integers(-3, 3)), max_size=30)


def table(rows: list[tuple[int, int]]) -> DeviceSources:
    known = DeviceSources()
    add(known, rows)
    return known


def add(known: DeviceSources, rows: list[tuple[int, int]]) -> bool:
    device, source = np.array(rows, np.int64).reshape(-1, 2).T.copy()
    return known.add(device, source)


def strata(known: DeviceSources) -> list[int]:
    return known.strata(np.arange(-5, 6)).tolist()


@settings(deadline=None)
@given(heard)
def test_a_device_of_one_source_stands_with_it_and_any_other_for_itself(
    rows: list[tuple[int, int]],
) -> None:
    sources = {d: {s for other, s in rows if other == d} for d in range(-5, 6)}

    expected = [min(found) if len(found) == 1 else device for device, found in sources.items()]

    assert strata(table(rows)) == expected


@settings(deadline=None)
@given(heard, st.integers(0, 30))
def test_order_cuts_and_merges_change_nothing(rows: list[tuple[int, int]], cut: int) -> None:
    whole = table(rows).export().tolist()
    merged, restored = table(rows[cut:]), DeviceSources()
    merged.merge(table(rows[:cut]))
    restored.restore(table(rows[:cut]).export())
    add(restored, rows[cut:])

    assert merged.export().tolist() == restored.export().tolist() == whole
    assert table(rows[::-1]).export().tolist() == whole


@settings(deadline=None)
@given(heard, heard)
def test_it_says_whether_a_known_device_sends_by_another_source(
    before: list[tuple[int, int]], after: list[tuple[int, int]]
) -> None:
    known = table(before)
    bounds = {d: {s for other, s in before if other == d} for d, _ in before}

    changed = add(known, after)

    assert changed == any(
        d in bounds and not min(bounds[d]) <= s <= max(bounds[d]) for d, s in after
    )
