"""What each operator does after the quota."""

import pytest

from phusong.v1.enforcement_pb2 import ACTION_CUT, ACTION_THROTTLE
from phusong.verifier.registry.operators import AfterQuota, OperatorRegister, read_operators

HEADER = "operator,after_quota,throttle_kbit_s\n"


def read(lines: str) -> OperatorRegister:
    found = read_operators((HEADER + lines).encode())
    assert isinstance(found, OperatorRegister), found
    return found


def test_an_operator_cuts_or_slows_down_and_one_that_is_not_listed_cuts() -> None:
    register = read("viettel,cut,\nmobifone, Throttle ,256\n")

    assert register.after_quota("viettel") == AfterQuota(ACTION_CUT, 0)
    assert register.after_quota("mobifone") == AfterQuota(ACTION_THROTTLE, 256_000)
    assert register.after_quota("vinaphone") == AfterQuota(ACTION_CUT, 0)


def test_a_file_without_rates_needs_no_column_for_them() -> None:
    found = read_operators("\ufeffoperator,after_quota\r\nviettel,cut\r\n".encode())

    assert isinstance(found, OperatorRegister)


@pytest.mark.parametrize(
    ("lines", "line", "column"),
    [
        ("viettel,charge,\n", 2, "after_quota"),
        ("viettel,,\n", 2, "after_quota"),
        ("viettel,throttle,\n", 2, "throttle_kbit_s"),
        ("viettel,throttle,0\n", 2, "throttle_kbit_s"),
        ("viettel,throttle,-5\n", 2, "throttle_kbit_s"),
        ("viettel,throttle,10000001\n", 2, "throttle_kbit_s"),
        ("viettel,throttle,٣\n", 2, "throttle_kbit_s"),
        ("viettel,cut,256\n", 2, "throttle_kbit_s"),
        ("Việt,cut,\n", 2, "operator"),
        ("viettel,cut,\nviettel,cut,\n", 3, "operator"),
    ],
)
def test_an_error_names_its_line_and_column(lines: str, line: int, column: str) -> None:
    found = read_operators((HEADER + lines).encode())

    assert isinstance(found, list)
    assert [(error.line, error.column) for error in found] == [(line, column)]


@pytest.mark.parametrize(
    "content", [b"", b"operator\n", b"operator,after_quota,prize\n", b"\xff\xfe"]
)
def test_what_is_no_such_file_is_told(content: bytes) -> None:
    assert isinstance(read_operators(content), list)
