"""Which batches were seen before."""

from unittest import mock

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import phusong.kernels.missing_ranges as missing_ranges
import phusong.kernels.windows as windows_module
from phusong.kernels.window_bits import WINDOW_COUNT
from phusong.kernels.windows import SequenceWindows
from reference.windows import SeenBatches

UINT64_MAX = 2**64 - 1
UNTRACKED = "untracked"

near = st.integers(0, 40)
wide = st.integers(0, 3 * WINDOW_COUNT)
edge = st.sampled_from(
    [
        1,
        63,
        64,
        65,
        1023,
        1024,
        1025,
        2047,
        2048,
        2049,
        2**63 - 1,
        2**63,
        UINT64_MAX - 1,
        UINT64_MAX,
    ]
)
jumps = st.integers(0, 20).map(lambda power: 1 << (3 * power))
sequences = st.one_of(near, wide, edge, jumps)
payloads = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from([0, 7, UINT64_MAX]), sequences), max_size=80
)


def as_int64(numbers):
    return np.array(numbers, np.uint64).view(np.int64)


def mark(windows, rows):
    route, boot_epoch, sequence = zip(*rows, strict=True) if rows else ((), (), ())
    reject = np.zeros(len(rows), np.int64)
    is_repeated = windows.mark_repeated(
        as_int64(route), as_int64(boot_epoch), as_int64(sequence), reject
    )
    return [
        UNTRACKED if why else repeated
        for why, repeated in zip(reject.tolist(), is_repeated.tolist(), strict=True)
    ]


@settings(deadline=None)
@given(payloads)
def test_matches_the_reference(rows):
    windows, seen = SequenceWindows(), SeenBatches()

    assert mark(windows, rows) == seen.mark_repeated(rows)
    assert windows.gap_count() == seen.gap_count()


@settings(deadline=None)
@given(payloads, st.integers(0, 80))
def test_a_batch_may_be_cut_anywhere_and_the_state_restored_between(rows, cut):
    whole, first, second = SequenceWindows(), SequenceWindows(), SequenceWindows()

    before = mark(first, rows[:cut])
    second.restore(first.export())
    after = mark(second, rows[cut:])

    assert before + after == mark(whole, rows)
    assert second.gap_count() == whole.gap_count()


@settings(deadline=None, max_examples=20)
@given(st.permutations(range(1, 60)), st.integers(1, 200))
def test_any_disorder_over_many_windows_is_exact(order, stride):
    rows = [(0, 0, number * stride) for number in order]
    windows = SequenceWindows()

    assert not any(mark(windows, rows))
    assert all(mark(windows, rows))


def test_a_number_that_comes_long_after_its_window_is_new_once():
    windows = SequenceWindows()
    mark(windows, [(0, 0, number) for number in range(1, 5000) if number != 17])

    assert windows.gap_count() == 1
    assert mark(windows, [(0, 0, 16), (0, 0, 17), (0, 0, 17), (0, 0, 18)]) == [
        True,
        False,
        True,
        True,
    ]
    assert windows.gap_count() == 0


def test_a_new_boot_epoch_counts_from_one_again():
    windows = SequenceWindows()

    assert mark(windows, [(0, 1, 1), (0, 2, 1), (0, 1, 1)]) == [False, False, True]


def test_without_a_sequence_nothing_is_a_repeat():
    assert mark(SequenceWindows(), [(0, 0, 0), (0, 0, 0)]) == [False, False]


def test_the_largest_number_leaves_a_gap_that_is_still_exact():
    windows = SequenceWindows()

    assert mark(windows, [(0, 0, UINT64_MAX), (0, 0, 5), (0, 0, 5)]) == [False, False, True]
    assert windows.gap_count() == UINT64_MAX - 2


def test_of_what_is_forgotten_at_the_bound_of_gaps_nobody_can_tell_and_it_is_refused(monkeypatch):
    monkeypatch.setattr(missing_ranges, "MISSING_RANGE_COUNT_MAX", 4)
    windows = SequenceWindows()
    mark(windows, [(0, 0, number) for number in range(2, 4000, 2)])

    assert windows.forgotten_count() > 0
    # 1 never came and 2 did.
    assert mark(windows, [(0, 0, 1), (0, 0, 2), (0, 0, 1)]) == [UNTRACKED] * 3
    assert mark(windows, [(0, 0, 3998), (0, 0, 3997)]) == [True, False]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 5), st.integers(0, 3))), st.integers())
def test_one_epoch_too_many_of_a_source_is_refused_and_takes_no_room(rows, cut):
    cut %= len(rows) + 1
    expected, epochs, seen = [], {}, SeenBatches()
    for row in rows:
        known = epochs.setdefault(row[0], [])
        if row[2] and row[1] not in known and len(known) == 3:
            expected.append(UNTRACKED)
            continue
        if row[2] and row[1] not in known:
            known.append(row[1])
        expected += seen.mark_repeated([row])
    windows, restored = SequenceWindows(), SequenceWindows()

    with mock.patch.object(windows_module, "EPOCH_COUNT_MAX", 3):
        found = mark(windows, rows[:cut])
        restored.restore(windows.export())
        found += mark(restored, rows[cut:])

    assert found == expected
    assert len(restored.export()["key"]) == sum(map(len, epochs.values()))
