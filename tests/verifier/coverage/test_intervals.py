import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phusong.verifier.coverage.intervals import lower_bounds, upper_bounds


def lower(passes: float, trials: float, confidence: float = 0.95) -> float:
    return float(lower_bounds(np.array([passes]), np.array([trials]), confidence)[0])


def upper(passes: float, trials: float, confidence: float = 0.95) -> float:
    return float(upper_bounds(np.array([passes]), np.array([trials]), confidence)[0])


@pytest.mark.parametrize(("trials", "failures"), [(59, 0), (93, 1), (124, 2)])
def test_95_percent_is_proved_by_59_93_and_124_trials(trials: int, failures: int) -> None:
    assert lower(trials - failures, trials) >= 0.95
    assert lower(trials - 1 - failures, trials - 1) < 0.95


def test_95_of_100_is_not_enough() -> None:
    assert round(lower(95, 100), 3) == 0.898


def test_nothing_tried_says_nothing() -> None:
    assert (lower(0, 0), upper(0, 0)) == (0.0, 1.0)


def tail(passes: int, trials: int, share: float) -> float:
    """Return the probability of at least so many passes, summed term by term."""
    return sum(
        math.comb(trials, k) * share**k * (1 - share) ** (trials - k)
        for k in range(passes, trials + 1)
    )


@settings(deadline=None)
@given(st.integers(1, 60), st.data())
def test_matches_the_reference(trials: int, data: st.DataObject) -> None:
    passes = data.draw(st.integers(0, trials))

    if passes:
        assert tail(passes, trials, lower(passes, trials)) == pytest.approx(0.05)
    if passes < trials:
        assert 1 - tail(passes + 1, trials, upper(passes, trials)) == pytest.approx(0.05)
    assert lower(passes, trials) <= passes / trials <= upper(passes, trials)
