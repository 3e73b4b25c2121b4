"""From when until when a pupil's SIM has free data: three calendar months from being given the computer.

The plan says "3 months" and no more. The longer reading is the default, so that no pupil is cut short: both the day of
the handover and the same day three months later count; where that month has no such day (30 November, the
31st), the first of the month after it. The shorter reading ends the day before that date.
"""

import datetime as dt
from enum import StrEnum


class Reading(StrEnum):
    """How "three months" is read: with the same day three months later, or without it."""

    LONGER = "longer"
    SHORTER = "shorter"


ENTITLED_MONTHS = 3
MONTHS_A_YEAR = 12


def last_entitled_day(handover: dt.date, *, is_longer: bool = True) -> dt.date:
    """Return the last day of the entitlement that begins with `handover`."""
    months = handover.year * MONTHS_A_YEAR + handover.month - 1 + ENTITLED_MONTHS
    year, month = divmod(months, MONTHS_A_YEAR)
    first = dt.date(year, month + 1, 1)
    following = (first + dt.timedelta(days=31)).replace(day=1)
    same_day = first + dt.timedelta(days=handover.day - 1)
    if is_longer:
        return min(same_day, following)
    return min(same_day, following) - dt.timedelta(days=1)
