"""Pupils: stated by records, shown by telemetry within the months they are entitled to."""

import numpy as np

from phusong.kernels.days import day_start_ms
from phusong.kernels.meter_state import Meter
from phusong.kernels.meter_tables import NOTIFIED_SHIFT
from phusong.verifier.programme.pupils import pupils_of
from phusong.verifier.registry.handovers import Handovers
from phusong.verifier.registry.sims import SimRegister
from reference.metering import meter_of
from reference.usage import Usage

FIRST, LAST = 18_900, 18_990  # 2021-09-30 and three months on
KEYS = [3, 5, 7]


def register() -> SimRegister:
    size = len(KEYS)
    return SimRegister(
        np.array(KEYS),
        np.zeros(size, np.int64),
        np.zeros(size, np.int64),
        np.array([FIRST, FIRST, FIRST + 200]),
        np.array([LAST, LAST, LAST + 200]),
        ["viettel"],
        [""],
    )


def meter(*heard: tuple[int, int]) -> Meter:
    """A meter that heard of SIMs on days."""
    return meter_of([Usage(day_start_ms(day) + 1, sim=key) for key, day in heard])


def test_only_a_reading_within_the_entitlement_shows_that_a_pupil_was_provided_for() -> None:
    found = pupils_of(register(), None, meter((3, FIRST), (5, LAST + 1), (9, FIRST)), FIRST + 50)

    assert (found.entitled_count, found.entitled_heard_count) == (2, 1)


def test_an_entitlement_that_has_not_begun_is_not_counted() -> None:
    assert pupils_of(register(), None, meter(), FIRST - 1).entitled_count == 0


def test_a_day_that_only_a_decision_named_is_no_sign_of_a_sim() -> None:
    unheard = Meter(np.array([1, 2, 3]))
    unheard.mark_decided(3, FIRST, 1 << NOTIFIED_SHIFT)

    assert pupils_of(register(), None, unheard, FIRST).entitled_heard_count == 0


def test_handovers_are_counted_by_their_day() -> None:
    found = pupils_of(register(), None, meter((3, FIRST)), FIRST + 300)

    assert found.handed_over("2021-09-30", "2021-09-30") == (2, 1)
    assert found.handed_over("2021-10-01", "2022-12-31") == (1, 0)


def test_only_records_count_as_handovers_once_there_are_any() -> None:
    """Of three SIMs two have a record: of phase 2, and of none; the third is stated by the register of SIMs alone."""
    nothing = np.zeros(2, np.int64)
    records = Handovers(
        np.array([3, 7]), np.array([FIRST, FIRST + 200]), nothing, np.array([2, 0]), nothing, ["02"]
    )
    found = pupils_of(register(), records, meter((3, FIRST), (5, FIRST)), FIRST + 300)

    assert found.handed_over("2021-09-30", "2022-12-31") == (2, 1)
    assert found.handed_over("2021-09-30", "2022-12-31", 1) == (1, 0)
    assert found.handed_over("2021-09-30", "2021-09-30", 2) == (1, 1)
    assert found.entitled_count == 3
