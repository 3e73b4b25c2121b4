import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phusong.verifier.coverage.intervals import (
    lower_bounds,
    normal_quantile,
    student_quantiles,
    upper_bounds,
)
from reference.intervals import score_confidence


def lower(passes: float, trials: float, confidence: float = 0.95) -> float:
    return float(lower_bounds(np.array([passes]), np.array([trials]), confidence)[0])


def upper(passes: float, trials: float, confidence: float = 0.95) -> float:
    return float(upper_bounds(np.array([passes]), np.array([trials]), confidence)[0])


@pytest.mark.parametrize(("trials", "failures"), [(59, 0), (93, 1), (124, 2)])
def test_95_percent_is_proved_by_59_93_and_124_trials(trials: int, failures: int) -> None:
    assert lower(trials - failures, trials) >= 0.95
    assert lower(trials - 1 - failures, trials - 1) < 0.95


@pytest.mark.parametrize(("trials", "failures"), [(52, 0), (87, 1), (118, 2)])
def test_a_score_test_is_content_with_52_87_and_118_and_the_exact_bound_is_not(
    trials: int, failures: int
) -> None:
    assert score_confidence(trials - failures, trials, 0.95) >= 0.95
    assert score_confidence(trials - 1 - failures, trials - 1, 0.95) < 0.95
    assert lower(trials - failures, trials) < 0.95


@pytest.mark.parametrize(
    ("passes", "trials", "percent"),
    [(9, 10, 50.0), (19, 20, 77.0), (191, 200, 99.5), (831, 900, 99.0)],
)
def test_land_mobile_acceptance_tables_are_score_tests(
    passes: int, trials: int, percent: float
) -> None:
    # The tables give halves of a percent.
    assert score_confidence(passes, trials, 0.9) * 100 == pytest.approx(percent, abs=0.25)
    # The exact bound agrees to within two hundredths.
    assert lower(passes, trials, percent / 100) == pytest.approx(0.9, abs=0.02) or trials < 100


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


@pytest.mark.parametrize(("freedom", "quantile"), [(1, 6.314), (3, 2.353), (30, 1.697)])
def test_few_devices_make_wide_margins(freedom: float, quantile: float) -> None:
    """Student's table, 95 % one-sided."""
    assert float(student_quantiles(np.array([freedom]), 0.95)[0]) == pytest.approx(
        quantile, abs=5e-4
    )
    assert normal_quantile(0.95) == pytest.approx(1.645, abs=5e-4)
