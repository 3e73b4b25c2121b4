import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from phusong.kernels.rating import mark_lines

rows = st.lists(
    st.tuples(
        st.integers(-(2**63), 2**63 - 1),
        st.integers(0, 3),
        st.integers(1, 2**32 - 1),
        st.booleans(),
    ),
    max_size=30,
)


def fmix64(key: int) -> int:
    """MurmurHash3's finaliser, on Python's numbers."""
    h = key % 2**64
    h = (h ^ h >> 33) * 0xFF51AFD7ED558CCD % 2**64
    h = (h ^ h >> 33) * 0xC4CEB9FE1A85EC53 % 2**64
    return h ^ h >> 33


def lines(found: list[tuple[int, int, int, bool]]) -> list[int]:
    line = np.empty(len(found), np.int64)
    subscriber, operator, group = (np.array([row[k] for row in found], np.int64) for k in range(3))
    mark_lines(subscriber, operator, group, np.array([row[3] for row in found], np.bool_), line)
    return line.tolist()


@settings(deadline=None)
@given(rows)
def test_a_line_is_a_hash_of_sim_label_and_operator(found: list) -> None:
    expected = [
        fmix64(fmix64(fmix64(sim) ^ (group * 2 + free)) ^ op) for sim, op, group, free in found
    ]

    assert [line % 2**64 for line in lines(found)] == expected


@settings(deadline=None)
@given(rows, st.integers(0, 30))
def test_a_batch_may_be_cut_anywhere(found: list, cut: int) -> None:
    assert lines(found[:cut]) + lines(found[cut:]) == lines(found)


def test_everything_that_names_a_line_parts_it_from_others() -> None:
    found = [
        (1, 0, 1, False),
        (2, 0, 1, False),
        (1, 1, 1, False),
        (1, 0, 2, False),
        (1, 0, 1, True),
    ]

    assert len(set(lines(found))) == len(found)
