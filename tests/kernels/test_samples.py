from itertools import combinations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from phusong.kernels.samples import FirstSamples, mark_spaced
from reference.spans import first_samples

rows_of_samples = st.lists(
    st.tuples(st.integers(1, 3), st.integers(0, 5), st.integers(-3, 3)), max_size=20
)


def add(state: FirstSamples, rows: list[tuple[int, int, int]]) -> FirstSamples:
    key, time_ms, value = np.array(rows, np.int64).reshape(-1, 3).T.copy()
    state.add((key, key + 7), time_ms, value)
    return state


def exported(state: FirstSamples) -> dict[int, tuple[int, int]]:
    keys, time_ms, value = state.export()
    samples = zip(time_ms.tolist(), value.tolist(), strict=True)
    return dict(zip(keys[:, 0].tolist(), samples, strict=True))


@settings(deadline=None)
@given(rows_of_samples)
def test_matches_the_reference(rows: list[tuple[int, int, int]]) -> None:
    assert exported(add(FirstSamples(2), rows)) == first_samples(rows)


@settings(deadline=None)
@given(rows_of_samples, st.integers(0, 20))
def test_a_batch_may_be_cut_anywhere(rows: list[tuple[int, int, int]], cut: int) -> None:
    merged = add(FirstSamples(2), rows[cut:])
    merged.merge(add(FirstSamples(2), rows[:cut]))

    assert exported(merged) == exported(add(FirstSamples(2), rows))


def test_what_is_exported_is_restored_and_goes_on() -> None:
    state, restored = add(FirstSamples(2), [(1, 5, 9), (2, 1, 1)]), FirstSamples(2)

    restored.restore(*state.export())
    add(restored, [(1, 4, 3), (3, 0, 0)])

    assert exported(restored) == {1: (4, 3), 2: (1, 1), 3: (0, 0)}


def most_apart(times: list[int], gap: int) -> int:
    """Return the most moments of which any two lie a gap apart, by trying all choices."""
    choices = (c for n in range(len(times) + 1) for c in combinations(times, n))
    return max(len(c) for c in choices if all(abs(a - b) >= gap for a, b in combinations(c, 2)))


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 20)), max_size=9), st.integers(1, 6))
def test_as_many_samples_of_a_device_are_kept_as_lie_apart(
    rows: list[tuple[int, int]], gap: int
) -> None:
    device, time_ms = np.array(sorted(rows), np.int64).reshape(-1, 2).T.copy()
    is_kept = np.zeros(len(rows), np.int64)

    mark_spaced(device, time_ms, gap, is_kept)

    for one in range(3):
        mine = [time for whose, time in rows if whose == one]
        kept = time_ms[(device == one) & (is_kept == 1)]
        assert len(kept) == most_apart(mine, gap)
        assert (np.diff(kept) >= gap).all()
