from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from phusong.kernels import spans
from phusong.kernels.spans import SpanUnion
from reference.spans import union

rows_of_spans = st.lists(
    st.tuples(st.integers(1, 2), st.integers(0, 30), st.integers(0, 5)).map(
        lambda row: (row[0], row[1], row[1] + row[2])
    ),
    max_size=20,
)


def add(state: SpanUnion, rows: list[tuple[int, int, int]]) -> SpanUnion:
    key, first, last = np.array(rows, np.int64).reshape(-1, 3).T.copy()
    state.add((key, key + 7), first, last)
    return state


def exported(state: SpanUnion) -> list[tuple[int, int, int]]:
    keys, first, last = state.export()
    return list(zip(keys[:, 0].tolist(), first.tolist(), last.tolist(), strict=True))


@settings(deadline=None)
@given(rows_of_spans)
def test_matches_the_reference(rows: list[tuple[int, int, int]]) -> None:
    found = exported(add(SpanUnion(2), rows))

    assert union(found) == union(rows)
    # Joined as far as can be: of one key, each begins after a pause.
    assert all(b[1] > a[2] + 1 for a, b in pairwise(found) if a[0] == b[0])


@settings(deadline=None)
@given(rows_of_spans, st.integers(0, 20))
def test_a_batch_may_be_cut_anywhere(rows: list[tuple[int, int, int]], cut: int) -> None:
    merged = add(SpanUnion(2), rows[cut:])
    merged.merge(add(SpanUnion(2), rows[:cut]))

    assert exported(merged) == exported(add(SpanUnion(2), rows))


def test_what_is_exported_is_restored() -> None:
    state = add(SpanUnion(2), [(1, 5, 9), (2, 1, 1), (1, 20, 30)])
    restored = add(SpanUnion(2), [(3, 3, 3)])

    restored.restore(*state.export())

    assert exported(restored) == [(1, 5, 9), (1, 20, 30), (2, 1, 1)]


def test_a_year_without_a_pause_is_one_span() -> None:
    state = SpanUnion(1)
    for day in range(365):
        beat = np.arange(day * 288, (day + 1) * 288) * 300_000
        state.add((np.zeros(288, np.int64),), beat, beat + 900_000)

    # Joined along the way, too: what waits stays bounded.
    assert sum(len(part.row) for part in state._waiting) < spans.WAITING_COUNT_MIN
    assert [column.tolist() for column in state.export()[1:]] == [
        [0],
        [365 * 288 * 300_000 + 600_000],
    ]
