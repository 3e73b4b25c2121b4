from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from phusong.kernels.claims import Claims

rows_of_reports = st.lists(
    st.tuples(
        st.tuples(st.integers(1, 2), st.integers(1, 2), st.just(0), st.integers(3, 4)),
        st.integers(1, 5),
        st.sampled_from([-1, 0, 1]),
        st.integers(0, 5),
    ),
    max_size=20,
)


def add(claims: Claims, rows: list[Any]) -> Claims:
    keys = np.array([row[0] for row in rows], np.int64).reshape(-1, 4)
    time_ms, on_air, since = (np.array([r[i] for r in rows], np.int64) for i in (1, 2, 3))
    claims.add((keys[:, 0], keys[:, 1], keys[:, 2], keys[:, 3]), time_ms, on_air, since)
    return claims


def exported(claims: Claims) -> dict[tuple[int, ...], tuple[int, ...]]:
    keys, counts = claims.export()
    columns = zip(*(column.tolist() for column in counts), strict=True)
    return dict(zip(map(tuple, keys.tolist()), columns, strict=True))


@settings(deadline=None)
@given(rows_of_reports)
def test_matches_the_reference(rows: list[Any]) -> None:
    expected = {}
    for key in {row[0] for row in rows}:
        mine = [row for row in rows if row[0] == key]
        last = max(row[1] for row in mine)
        expected[key] = (
            len(mine),
            min(row[1] for row in mine),
            last,
            max(row[2] for row in mine if row[1] == last),
            min((row[3] for row in mine if row[2] == 1), default=-1),
        )

    assert exported(add(Claims(), rows)) == expected


@settings(deadline=None)
@given(rows_of_reports, st.integers(0, 20))
def test_a_batch_may_be_cut_anywhere(rows: list[Any], cut: int) -> None:
    merged = add(Claims(), rows[cut:])
    merged.merge(add(Claims(), rows[:cut]))

    assert exported(merged) == exported(add(Claims(), rows))


def test_what_is_exported_is_restored() -> None:
    claims = add(Claims(), [((45204, 1, 9, 3), 5, 1, 3)])
    restored = Claims()

    restored.restore(*claims.export())

    assert exported(restored) == {(45204, 1, 9, 3): (1, 5, 5, 1, 3)}
