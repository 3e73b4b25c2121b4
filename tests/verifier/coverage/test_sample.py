import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from phusong.kernels.columns import Float64Column
from phusong.verifier.coverage.policy import default_policy
from phusong.verifier.coverage.repeats import Repeats
from phusong.verifier.coverage.sample import (
    PLACE_CORRELATION_MIN,
    Sample,
    Surveyed,
    bounds_of,
    places_to_decide,
)

POLICY = default_policy()

repeats = st.builds(
    lambda device, freedom, moment, gain: Repeats(
        *(np.array([v]) for v in (device, freedom, moment, gain))
    ),
    st.sampled_from([0.0, 1e-5, 1e-3]),
    st.sampled_from([1.0, 3.0]),
    st.sampled_from([0.0, 1e-5]),
    st.sampled_from([0.0, 0.02]),
)


def surveyed(met: int, seen: int, population: int, effect: float) -> Surveyed:
    return Surveyed(
        np.array([met / seen]), np.array([effect]), np.array([seen]), np.array([population])
    )


@st.composite
def surveys(draw: st.DrawFn) -> Surveyed:
    population = draw(st.integers(2, 120))
    seen = draw(st.integers(1, population - 1))
    return surveyed(draw(st.integers(0, seen)), seen, population, draw(st.floats(1, 3)))


def is_decided(found: Surveyed, repeated: Repeats) -> bool:
    lower, upper = bounds_of(found, repeated, POLICY)
    return bool(lower[0] >= 0.95 or upper[0] < 0.95)


def grown(found: Surveyed, growth: float) -> Float64Column:
    """Return the design effect of so many times the places in the same squares: 1 + (growth · size - 1) · correlation."""
    size = 1.0 + (found.design_effect - 1.0) / PLACE_CORRELATION_MIN
    return 1.0 + (growth * size - 1.0) * PLACE_CORRELATION_MIN


@settings(deadline=None)
@given(surveys(), repeats)
def test_so_many_more_places_decide_and_one_less_does_not(
    found: Surveyed, repeated: Repeats
) -> None:
    seen, population = int(found.place_count[0]), int(found.population_count[0])
    nothing = np.zeros(1, np.int64)
    lower, upper = bounds_of(found, repeated, POLICY)
    sample = Sample(
        found.place_count,
        found.population_count,
        nothing,
        nothing,
        found.design_effect,
        found.place_count / found.design_effect,
        found.share,
        lower,
        upper,
        repeated,
    )

    more = places_to_decide(sample, 0, POLICY)

    by_count = [
        is_decided(
            found._replace(place_count=np.array([n]), design_effect=grown(found, n / seen)),
            repeated._replace(moment_variance=repeated.moment_variance * seen / n),
        )
        for n in range(seen + 1, population + 1)
    ]
    assert more == (by_count.index(True) + 1 if any(by_count) else 0)


@settings(deadline=None)
@given(surveys(), repeats)
def test_phones_that_differ_only_widen_the_bounds(found: Surveyed, repeated: Repeats) -> None:
    exact = Repeats(*(np.array([v]) for v in (0.0, 1.0, 0.0, 0.0)))

    lower, upper = bounds_of(found, repeated, POLICY)
    exact_lower, exact_upper = bounds_of(found, exact, POLICY)

    assert 0.0 <= lower[0] <= exact_lower[0] <= exact_upper[0] <= upper[0] <= 1.0
