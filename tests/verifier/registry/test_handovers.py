"""Records of handovers start entitlements, whatever the register of SIMs states."""

from datetime import date, timedelta

import pytest

from phusong.verifier.registry.handovers import Handovers, joined_handovers, with_handovers
from phusong.verifier.registry.handovers_file import read_handovers
from phusong.verifier.registry.sims import SimRegister
from phusong.verifier.registry.sims_file import read_sims

HEADER = "subscriber_key,handover_date,province_code,phase\n"
UNIX_DAY = date(1970, 1, 1)


def records(text: str, *, is_longer: bool = True) -> Handovers:
    found = read_handovers((HEADER + text).encode(), is_longer=is_longer)
    assert isinstance(found, Handovers), found
    return found


def sims(text: str) -> SimRegister:
    found = read_sims(("subscriber_key,operator,province_code,start,end\n" + text).encode())
    assert isinstance(found, SimRegister), found
    return found


def day(number: int) -> str:
    return (UNIX_DAY + timedelta(days=int(number))).isoformat()


@pytest.mark.parametrize(
    ("handover", "is_longer", "last"),
    [
        ("2021-10-01", True, "2022-01-01"),
        ("2021-10-01", False, "2021-12-31"),
        ("2021-11-30", True, "2022-03-01"),  # there is no 30 February
        ("2021-11-30", False, "2022-02-28"),
    ],
)
def test_a_handover_starts_three_months_by_either_reading(
    handover: str, is_longer: bool, last: str
) -> None:
    found = records(f"7,{handover},02,1\n", is_longer=is_longer)

    assert (day(found.day[0]), day(found.last_day[0])) == (handover, last)


@pytest.mark.parametrize(
    ("line", "column"),
    [
        ("0,2021-10-01,02,1", "subscriber_key"),
        ("x,2021-10-01,02,1", "subscriber_key"),
        ("5,2021-10-01,02,1", "subscriber_key"),  # stands on line 2
        ("7,2021-13-01,02,1", "handover_date"),
        ("7,,02,1", "handover_date"),
        ("7,2021-10-01,99,1", "province_code"),
        ("7,2021-10-01,,1", "province_code"),
        ("7,2021-10-01,02,0", "phase"),
        ("7,2021-10-01,02,one", "phase"),
    ],
)
def test_a_record_that_cannot_be_is_an_error_of_its_column(line: str, column: str) -> None:
    found = read_handovers((HEADER + f"5,2021-10-01,2,\n{line}\n").encode())

    assert isinstance(found, list)
    assert [(error.line, error.column) for error in found] == [(3, column)]


def test_every_missing_column_is_named() -> None:
    found = read_handovers(b"subscriber_key,phase\n7,1\n")

    assert isinstance(found, list)
    assert [error.column for error in found] == ["handover_date", "province_code"]


def test_a_later_file_adds_records_and_mends_earlier_ones() -> None:
    first = records("7,2021-10-01,02,1\n9,2021-10-02,01,1\n")
    second = records("8,2021-11-01,46,2\n7,2021-10-05,04,2\n")

    joined = joined_handovers([first, second])

    assert joined.subscriber_key.tolist() == [7, 8, 9]
    assert [day(number) for number in joined.day] == ["2021-10-05", "2021-11-01", "2021-10-02"]
    assert joined.phase.tolist() == [2, 2, 1]
    assert [joined.provinces[place] for place in joined.province] == ["04", "46", "01"]


def rows(register: SimRegister | None) -> list[tuple[int, str, str, str, str]]:
    assert register is not None
    return [
        (
            int(register.subscriber_key[i]),
            register.operators[register.operator[i]],
            register.provinces[register.province[i]],
            day(register.first_day[i]),
            day(register.last_day[i]),
        )
        for i in range(len(register))
    ]


def test_a_record_goes_before_what_the_register_of_sims_states() -> None:
    register = sims("7,viettel,02,2021-09-01,2021-09-05\n8,vinaphone,04,2021-09-02,\n")

    found = with_handovers(register, records("7,2021-10-01,46,1\n9,2021-10-02,01,1\n"))

    assert rows(found) == [
        (7, "viettel", "46", "2021-10-01", "2022-01-01"),
        (8, "vinaphone", "04", "2021-09-02", "2021-12-02"),
        (9, "", "01", "2021-10-02", "2022-01-02"),
    ]


def test_records_alone_entitle() -> None:
    found = with_handovers(None, records("-1,2021-10-01,02,1\n"))

    assert rows(found) == [(-1, "", "02", "2021-10-01", "2022-01-01")]


def test_without_records_the_register_of_sims_stands_as_it_is() -> None:
    register = sims("7,viettel,02,2021-09-01,\n")

    assert with_handovers(register, None) is register
    assert with_handovers(None, None) is None
