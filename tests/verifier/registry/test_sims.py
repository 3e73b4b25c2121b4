import numpy as np
import pytest

from phusong.kernels.registers import ERROR_COUNT_MAX, LineError
from phusong.verifier.registry.sims import SimRegister
from phusong.verifier.registry.sims_file import read_sims

HEADER = "subscriber_key,operator,province_code,handover_date\n"
FIRST_OF_OCTOBER = 18_901


def sims(text: str) -> SimRegister:
    found = read_sims(text.encode())
    assert isinstance(found, SimRegister), found
    return found


def errors(text: str) -> list[LineError]:
    found = read_sims(text.encode())
    assert isinstance(found, list)
    return found


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("7", 7),
        ("-7", -7),
        ("+7", 7),
        ("9223372036854775807", 2**63 - 1),
        ("9223372036854775808", -(2**63)),
        ("18446744073709551615", -1),
        ("0xffffffffffffffff", -1),
        ("0XFF", 255),
    ],
)
def test_keys_are_read_in_every_form_operators_write_them(text: str, key: int) -> None:
    assert sims(HEADER + f"{text},viettel,01,2021-10-01\n").subscriber_key.tolist() == [key]


@pytest.mark.parametrize(
    "text", ["", "x", "1.5", "18446744073709551616", "-9223372036854775809", "0x1ffffffffffffffff"]
)
def test_what_is_no_64_bit_number_is_an_error_of_its_line(text: str) -> None:
    (error,) = errors(HEADER + f"7,viettel,01,2021-10-01\n{text},viettel,01,2021-10-01\n")

    assert (error.line, error.column) == (3, "subscriber_key")
    assert repr(text) in error.message


@pytest.mark.parametrize(
    ("line", "column"),
    [
        ("0,viettel,01,2021-10-01", "subscriber_key"),
        ("5,viettel,01,2021-10-01", "subscriber_key"),  # stands on line 2
        ("7,Viettel!,01,2021-10-01", "operator"),
        ("7,viettel,01,2021-02-30", "handover_date"),
        ("7,viettel,01,", "handover_date"),
        ("7,viettel,01,01/10/2021", "handover_date"),
    ],
)
def test_errors_name_line_and_column(line: str, column: str) -> None:
    found = errors(HEADER + "5,viettel,01,2021-10-01\n" + line + "\n")

    assert [(error.line, error.column) for error in found] == [(3, column)]


def test_missing_columns_are_named() -> None:
    (error,) = errors("subscriber_key,handover_date\n7,2021-10-01\n")

    assert (error.line, error.column) == (1, "operator")
    assert "found subscriber_key, handover_date" in error.message


def test_an_end_may_be_given_and_must_not_precede_the_start() -> None:
    head = "subscriber_key,operator,start,end\n"

    assert sims(head + "7,viettel,2021-10-01,2021-10-02\n").last_day.tolist() == [18_902]
    assert sims(head + "7,viettel,2021-10-01,\n").last_day.tolist() == [18_993]
    (error,) = errors(head + "7,viettel,2021-10-01,2021-09-30\n")
    assert error.column == "end"
    (error,) = errors(head + "7,viettel,2021-10-01,soon\n")
    assert error.column == "end"


def test_a_file_of_errors_does_not_flood_the_screen() -> None:
    assert len(errors(HEADER + "x,y!,01,z\n" * 1000)) == ERROR_COUNT_MAX


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"a,b\n1,2,3,4\n"])
def test_what_is_no_csv_file_is_an_error(content: bytes) -> None:
    assert isinstance(read_sims(content), list)


def test_a_byte_order_mark_and_spaces_are_forgiven() -> None:
    text = "\ufeff" + HEADER + " 7 , viettel ,01, 2021-10-01 \n"

    assert sims(text).operator_of(7) == "viettel"


def test_entitlement_is_found_by_key_and_day() -> None:
    register = sims(
        HEADER + "7,viettel,01,2021-10-01\n-1,mobifone,79,2021-10-02\n3,viettel,79,2021-09-01\n"
    )

    asked = np.array([-1, 3, 7, 8], np.int64)
    assert register.is_entitled(asked, FIRST_OF_OCTOBER).tolist() == [False, True, True, False]
    assert register.is_entitled(asked, FIRST_OF_OCTOBER + 1).tolist() == [True, True, True, False]
    assert register.operator_of(-1) == "mobifone"
    assert register.operator_of(8) == ""
    assert len(register) == 3


def test_an_empty_register_entitles_nobody() -> None:
    assert sims(HEADER).is_entitled(np.array([7], np.int64), FIRST_OF_OCTOBER).tolist() == [False]
