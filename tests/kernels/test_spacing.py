from itertools import combinations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from phusong.kernels.spacing import count_spaced

moments = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 20)), max_size=9)


def run(rows: list[tuple[int, int]], gap: int) -> list[int]:
    columns = np.array(sorted(rows), np.int64).reshape(-1, 2)
    count = np.zeros(3, np.int64)
    count_spaced(columns[:, 0].copy(), columns[:, 1].copy(), gap, count)
    return count.tolist()


def most_apart(times: list[int], gap: int) -> int:
    """Return the most moments of which any two lie a gap apart, by trying all choices."""
    choices = (c for n in range(len(times) + 1) for c in combinations(times, n))
    return max(len(c) for c in choices if all(abs(a - b) >= gap for a, b in combinations(c, 2)))


@settings(deadline=None)
@given(moments, st.integers(1, 6))
def test_matches_the_reference(rows: list[tuple[int, int]], gap: int) -> None:
    expected = [most_apart([t for g, t in rows if g == group], gap) for group in range(3)]

    assert run(rows, gap) == expected


@settings(deadline=None)
@given(moments, st.integers(0, 2))
def test_groups_do_not_touch(rows: list[tuple[int, int]], group: int) -> None:
    alone = [row for row in rows if row[0] == group]

    assert run(alone, 4)[group] == run(rows, 4)[group]
