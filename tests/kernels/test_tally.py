from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from phusong.kernels.tally import Tally

keys = st.lists(st.tuples(st.integers(-3, 3), st.integers(-(2**63), 2**63 - 1)), max_size=30)


def add(tally: Tally, rows: list[tuple[int, int]]) -> Tally:
    batch = np.array(rows, np.int64).reshape(-1, 2)
    tally.add(batch[:, 0], batch[:, 1])
    return tally


def exported(tally: Tally) -> list[tuple[tuple[int, int], int]]:
    found, count = tally.export()
    return [(tuple(key), n) for key, n in zip(found.tolist(), count.tolist(), strict=True)]


@settings(deadline=None)
@given(keys)
def test_matches_the_reference(rows: list[tuple[int, int]]) -> None:
    assert exported(add(Tally(2), rows)) == sorted(Counter(rows).items())


@settings(deadline=None)
@given(keys, st.integers(0, 30))
def test_a_batch_may_be_cut_anywhere(rows: list[tuple[int, int]], cut: int) -> None:
    merged = add(Tally(2), rows[cut:])
    merged.merge(add(Tally(2), rows[:cut]))

    assert exported(merged) == exported(add(Tally(2), rows))


def test_what_is_exported_is_restored() -> None:
    tally = add(Tally(2), [(1, 2), (0, 3), (1, 2)])
    restored = Tally(2)

    restored.restore(*tally.export())

    assert exported(add(restored, [(1, 2)])) == [((0, 3), 1), ((1, 2), 3)]
