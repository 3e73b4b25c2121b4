from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phusong.verifier.registry.entitlement import last_entitled_day


@pytest.mark.parametrize(
    ("handover", "longer", "shorter"),
    [
        ("2021-10-01", "2022-01-01", "2021-12-31"),
        ("2021-10-15", "2022-01-15", "2022-01-14"),
        ("2021-11-28", "2022-02-28", "2022-02-27"),
        ("2021-11-29", "2022-03-01", "2022-02-28"),
        ("2021-11-30", "2022-03-01", "2022-02-28"),
        ("2023-11-29", "2024-02-29", "2024-02-28"),
        ("2023-11-30", "2024-03-01", "2024-02-29"),
        ("2021-08-31", "2021-12-01", "2021-11-30"),
        ("2021-10-31", "2022-01-31", "2022-01-30"),
        ("2021-12-31", "2022-03-31", "2022-03-30"),
        ("2021-09-30", "2021-12-30", "2021-12-29"),
    ],
)
def test_three_months_have_a_longer_and_a_shorter_reading(
    handover: str, longer: str, shorter: str
) -> None:
    day = date.fromisoformat(handover)

    assert last_entitled_day(day).isoformat() == longer
    assert last_entitled_day(day, is_longer=False).isoformat() == shorter


@given(st.dates(date(2021, 1, 1), date(2030, 12, 31)))
def test_a_later_handover_never_ends_earlier(handover: date) -> None:
    following = handover + timedelta(days=1)

    assert last_entitled_day(handover) <= last_entitled_day(following)
    assert 89 <= (last_entitled_day(handover) - handover).days <= 93
