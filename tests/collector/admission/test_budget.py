"""Token buckets against a slow twin: time in small steps."""

from hypothesis import given
from hypothesis import strategies as st

from phusong.collector.admission.budget import Bucket, Budget


def test_a_second_is_spent_at_once_and_then_one_waits():
    bucket = Bucket(10, 0.0)

    assert bucket.spend(10, 0.0) == 0.0
    assert bucket.spend(5, 0.0) == 0.5
    assert bucket.wait_s(0.25) == 0.25
    assert bucket.wait_s(0.5) == 0.0


def test_what_is_not_used_is_kept_for_a_second_only():
    bucket = Bucket(10, 0.0)

    assert bucket.spend(20, 100.0) == 1.0


def test_nothing_a_second_is_no_limit():
    assert Bucket(0, 0.0).spend(10**12, 0.0) == 0.0


def test_of_bytes_and_payloads_the_longer_wait_counts():
    assert Budget(100, 10, 0.0).spend(50, 30, 0.0) == 2.0
    assert Budget(100, 10, 0.0).spend(400, 5, 0.0) == 3.0


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 300)), max_size=60))
def test_who_waits_as_told_never_gets_more_than_the_rate_and_a_burst(steps):
    bucket = Bucket(50, 0.0)
    now_s, spent = 0.0, 0
    for pause, amount in steps:
        now_s += pause / 10
        spent_before = spent
        wait_s = bucket.spend(amount, now_s)
        spent += amount
        assert spent_before <= 50 * now_s + 50 + 1e-6  # only the last may end in debt
        now_s += wait_s
