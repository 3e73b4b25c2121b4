"""What repeated measurement shows of itself, on ground of 100 places in a row."""

import numpy as np
import pytest

from phusong.kernels.survey_counting import Groups, Stays
from phusong.verifier.coverage.repeats import Repeats, repeats_of
from phusong.verifier.coverage.survey import Survey, places_of

PLACES = 100
SQUARE_CELLS = 4


def repeats(stays: list[tuple[int, int, float]], weight: int = 1) -> Repeats:
    """Return what stays (place, device, share) of one group show."""
    rows = sorted(stays)
    place = np.array([row[0] for row in rows], np.int64)
    zero = np.zeros(len(rows), np.int64)
    sorted_stays = Stays(
        group=zero,
        cell_east=place,
        cell_north=zero,
        device_key=np.array([row[1] for row in rows], np.int64),
        weight=np.full(len(rows), weight, np.int64),
        share=np.array([row[2] for row in rows], np.float64),
    )
    nothing = np.zeros(1, np.int64)
    survey = Survey(
        keys=None,
        counts=None,
        chosen=nothing,
        start=nothing,
        groups=Groups(*(nothing for _ in Groups._fields)),
        stays=sorted_stays,
        places=places_of(sorted_stays),
    )
    return repeats_of(survey, np.array([len(np.unique(place))]), SQUARE_CELLS)


def everywhere(device: int, share: float = 1.0) -> list[tuple[int, int, float]]:
    return [(place, device, share) for place in range(PLACES)]


def test_one_phone_shows_nothing_of_itself() -> None:
    found = repeats([(place, 7, float(place % 2)) for place in range(PLACES)])

    assert [float(column[0]) for column in found] == [0.0, 1.0, 0.0, 0.0]


def test_phones_that_agree_everywhere_leave_nothing_to_doubt() -> None:
    rows = [(place, device, float(place % 3 > 0)) for place in range(PLACES) for device in (7, 8)]

    found = repeats(rows)

    assert (found.device_variance[0], found.moment_variance[0]) == (0.0, 0.0)


@pytest.mark.parametrize("deaf_share", [0.0, 0.5, 0.9])
def test_the_variance_of_devices_is_that_of_their_mean(deaf_share: float) -> None:
    """By the textbook: the sample variance of three devices' shares, over three."""
    shares = [1.0, 1.0, deaf_share]

    found = repeats([row for d, share in enumerate(shares) for row in everywhere(d, share)])

    # One hundredth: the noise of single stays that is taken off.
    expected = np.var(shares, ddof=1) / 3
    assert found.device_variance[0] == pytest.approx(expected, rel=0.02)
    assert found.device_freedom[0] == pytest.approx(2.0)


def test_phones_on_different_ground_are_compared_on_none() -> None:
    west = [(place, 7, 0.0) for place in range(48)]
    east = [(place, 8, 1.0) for place in range(48, PLACES)]

    assert repeats(west + east).device_variance[0] == 0.0


def test_a_phone_at_home_is_hardly_a_device_more() -> None:
    home = [(3, 9, 0.0)]

    found = repeats(everywhere(7) + everywhere(8) + home)

    assert found.device_freedom[0] == pytest.approx(1.0, abs=1e-3)


def test_moments_that_differ_in_k_places_of_n() -> None:
    """Two stays, one met and one not, have a variance of 1/2, and their mean half of it."""
    differing = 20
    rows = everywhere(7) + [(p, 8, float(p >= differing)) for p in range(PLACES)]

    found = repeats(rows)

    assert found.moment_variance[0] == pytest.approx(differing / 4 / PLACES**2)
    assert found.majority_gain[0] == pytest.approx(differing / 2 / PLACES)


def test_what_most_measurements_missed_is_no_gain() -> None:
    rows = [row for d in (7, 8) for row in everywhere(d)]
    rows += [(p, 9, 1.0) for p in range(PLACES)]
    mostly_missed = [(p, d, float(p >= 10 or d == 7)) for p, d, _ in rows]

    # A third of what was measured in ten of a hundred places meets the floor: they count not at all.
    assert repeats(mostly_missed).majority_gain[0] == pytest.approx(-10 / 3 / PLACES)


def test_cutting_weight_alike_changes_nothing() -> None:
    rows = everywhere(7) + everywhere(8, 0.5)

    assert repeats(rows, weight=1) == repeats(rows, weight=2)
