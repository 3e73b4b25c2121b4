"""Rows by outcome, against a loop."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from phusong.kernels.reject import TAKEN, Reject
from phusong.verifier.tallies import RouteKey, Tallies

KEYS = [RouteKey("viettel", 1), RouteKey("viettel", 3), RouteKey("vnpt", 1)]
Rows = list[tuple[int, int, bool]]
rows = st.lists(
    st.tuples(
        st.integers(0, len(KEYS) - 1),
        st.sampled_from([TAKEN, Reject.KEY_MISSING, max(Reject)]),
        st.booleans(),
    ),
    max_size=20,
)


def added(tallies: Tallies, some: Rows) -> Tallies:
    key, reason, is_repeated = zip(*some, strict=True) if some else ((), (), ())
    tallies.add(
        KEYS, np.array(key, np.int64), np.array(reason, np.int64), np.array(is_repeated, np.bool_)
    )
    return tallies


@given(rows)
def test_every_row_is_taken_duplicate_or_refused_under_its_own_key(some: Rows) -> None:
    found = added(Tallies(), some)

    fresh = [(KEYS[key], int(reason)) for key, reason, is_repeated in some if not is_repeated]
    assert found.received == Counter(KEYS[key] for key, _, _ in some)
    assert found.duplicate == Counter(KEYS[key] for key, _, is_repeated in some if is_repeated)
    assert found.taken == Counter(key for key, reason in fresh if reason == TAKEN)
    assert found.refused == Counter(row for row in fresh if row[1] != TAKEN)


@given(rows, st.integers(0, 20))
def test_a_batch_may_be_cut_anywhere_and_shards_merged(some: Rows, cut: int) -> None:
    merged = added(Tallies(), some[:cut])
    merged.merge(added(Tallies(), some[cut:]))

    assert added(added(Tallies(), some[:cut]), some[cut:]) == added(Tallies(), some)
    assert merged == added(Tallies(), some)


def test_a_payload_that_was_never_rows_is_received_and_refused() -> None:
    tallies = Tallies()

    tallies.add_refused(KEYS[0], Reject.NOT_UTF8, 3)

    assert tallies.received == {KEYS[0]: 3}
    assert tallies.refused_by_reason() == {Reject.NOT_UTF8: 3}
