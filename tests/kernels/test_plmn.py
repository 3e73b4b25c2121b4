"""PLMNs as numbers: the number of digits is part of the identity."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phusong.kernels.plmn import (
    OPERATOR_OF_PLMN,
    OPERATORS,
    PLMN_INVALID,
    PLMN_NONE,
    SIX_DIGITS,
    operator_of,
    plmn_number,
    plmn_text,
)


@pytest.mark.parametrize("text", ["45204", "452-04", "452 04"])
def test_a_plmn_may_be_written_with_or_without_a_separator(text: str) -> None:
    assert plmn_number(text) == 45204


def test_520_01_is_not_520_001() -> None:
    assert plmn_number("520-01") == 52001
    assert plmn_number("520-001") == SIX_DIGITS + 520001


def test_not_given_is_not_invalid() -> None:
    assert plmn_number("") == PLMN_NONE
    assert plmn_number("x") == PLMN_INVALID


@pytest.mark.parametrize(
    "text",
    [
        "4520",
        "4520412",
        "452-4",
        "452--04",
        "452/04",
        "45-204",
        "452-0412",
        "４５２０４",
        "45 204",
        " 45204",
        "4520x",
    ],
)
def test_what_is_no_plmn_is_invalid(text: str) -> None:
    assert plmn_number(text) == PLMN_INVALID


@pytest.mark.parametrize("text", ["00000", "000000", "000-00", "000-000"])
def test_zeros_are_what_a_modem_says_without_a_network(text: str) -> None:
    assert plmn_number(text) == PLMN_INVALID


@given(st.from_regex(r"[0-9]{3}-?[0-9]{2,3}", fullmatch=True))
def test_a_plmn_reads_back_from_its_text(text: str) -> None:
    number = plmn_number(text)

    assert number in (PLMN_INVALID, plmn_number(plmn_text(number)))


@pytest.mark.parametrize("number", [PLMN_NONE, PLMN_INVALID])
def test_no_plmn_has_no_text(number: int) -> None:
    assert plmn_text(number) == ""


def test_a_code_that_starts_with_zeros_keeps_them() -> None:
    assert plmn_text(plmn_number("001-01")) == "001-01"
    assert plmn_text(plmn_number("001-001")) == "001-001"


def test_every_operator_of_vietnam_is_found_by_its_plmn() -> None:
    assert {slug: operator_of(plmn_number(digits)) for slug, (digits, _) in OPERATORS.items()} == {
        slug: slug for slug in OPERATORS
    }
    assert sorted(OPERATOR_OF_PLMN) == [45201, 45202, 45204, 45205, 45207, 45208, 45209]


def test_a_network_abroad_is_called_by_its_plmn() -> None:
    assert operator_of(plmn_number("45412")) == "454-12"
