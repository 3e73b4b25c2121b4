"""Exact bounds of a proportion (Clopper and Pearson 1934) on any number of independent trials.

Passes and trials need not be whole: an effective sample size is not (Korn and Graubard 1998).
"""

import numpy as np

from phusong.kernels.columns import Float64Column


def lower_bounds(passes: Float64Column, trials: Float64Column, confidence: float) -> Float64Column:
    """Return the one-sided lower bound of each proportion: 0 where nothing passed or nothing was tried."""
    from scipy.special import betaincinv  # noqa: PLC0415  # 30 ms that most commands need not pay

    failures = np.maximum(trials - passes, 0.0)
    has_passed = passes > 0
    a = np.where(has_passed, passes, 1.0)
    bound: Float64Column = np.where(
        has_passed, betaincinv(a, failures + 1.0, 1.0 - confidence), 0.0
    )
    return bound


def upper_bounds(passes: Float64Column, trials: Float64Column, confidence: float) -> Float64Column:
    """Return the one-sided upper bound of each proportion: 1 where nothing failed or nothing was tried."""
    return 1.0 - lower_bounds(trials - passes, trials, confidence)


def wrong_count_max(count: int, error: float, confidence: float) -> int:
    """Return how many of `count` independent verdicts are wrong at most, at a confidence, each being so with chance `error`."""
    from scipy.special import bdtr  # noqa: PLC0415  # as above

    wrong = np.arange(count + 1)
    return int(np.argmax(bdtr(wrong, count, error) >= confidence)) if count else 0


def student_quantiles(freedom: Float64Column, confidence: float) -> Float64Column:
    """Return Student's t of each number of degrees of freedom, which need not be whole."""
    from scipy.special import stdtrit  # noqa: PLC0415  # as above

    quantile: Float64Column = stdtrit(freedom, confidence)
    return quantile


def normal_quantile(confidence: float) -> float:
    """Return how many standard deviations a normal variable stays below, with a confidence."""
    from scipy.special import ndtri  # noqa: PLC0415  # as above

    return float(ndtri(confidence))
