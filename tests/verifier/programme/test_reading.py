"""A programme file is read whole, or every error is named with its line."""

from datetime import date

import pytest

from phusong.verifier.programme.reading import default_programme, read_programme
from phusong.verifier.programme.terms import Kind, Programme

SOUND = b"""
[programme]
id = "3667"
[[obligation]]
id = "coverage-283"
kind = "coverage"
list = "283"
target_count = 283
deadline = 2021-09-30
source = "Plan 3667"
[[obligation]]
id = "computers-1"
kind = "handovers"
target_count = 1000000
begins = 2021-09-21
deadline = 2021-12-31
source = "Plan 3667"
[[obligation]]
id = "servers"
source = "Plan 3667"
[[money]]
id = "coverage"
amount_vnd = 3_000_000_000_000
source = "Plan 3667"
"""


def test_the_programme_that_ships_says_what_the_plan_promised() -> None:
    programme = default_programme()

    coverage = {o.list: o for o in programme.obligation if o.kind is Kind.COVERAGE}
    assert {name: o.target_count for name, o in coverage.items()} == {"283": 283, "1910": 1910}
    assert coverage["283"].deadline == date(2021, 9, 30)
    assert coverage["1910"].deadline == date(2021, 12, 31)
    assert {o.kind for o in programme.obligation} == set(Kind)
    assert sum(money.amount_vnd for money in programme.money) == 6_145 * 10**9


def test_every_kind_of_obligation_is_read() -> None:
    programme = read_programme(SOUND)

    assert isinstance(programme, Programme)
    assert [o.kind for o in programme.obligation] == [Kind.COVERAGE, Kind.HANDOVERS, Kind.SUPPORT]
    assert programme.money[0].amount_vnd == 3 * 10**12


def test_a_file_of_the_first_version_means_what_it_meant() -> None:
    programme = read_programme(SOUND.replace(b'kind = "coverage"\n', b""))

    assert isinstance(programme, Programme)
    assert programme.obligation[0].kind is Kind.COVERAGE


@pytest.mark.parametrize(
    ("found", "replaced", "line", "column"),
    [
        (b'id = "3667"', b"id = 3667", 3, "programme.id"),
        (b"target_count = 283", b'target_count = "283"', 8, "obligation[0].target_count"),
        (b"target_count = 283", b"target_count = 0", 8, "obligation[0].target_count"),
        (b"target_count = 283", b"target_count = true", 8, "obligation[0].target_count"),
        (b"target_count = 283\n", b"", 4, "obligation[0]"),
        (b"deadline = 2021-09-30\n", b"", 4, "obligation[0]"),
        (b"deadline = 2021-09-30", b'deadline = "2021-09-30"', 9, "obligation[0].deadline"),
        (b'list = "283"', b'lists = "283"', 7, "obligation[0].lists"),
        (b'kind = "coverage"', b'kind = "waves"', 6, "obligation[0].kind"),
        (b"deadline = 2021-12-31", b"deadline = 2021-09-01", 11, "obligation[1]"),
        (b"begins = 2021-09-21\n", b"", 11, "obligation[1]"),
        (b'id = "servers"', b'id = "servers"\nmet_on = 2021-12-01', 18, "obligation[2]"),
        (b'id = "servers"', b'id = "servers"\nlist = "283"\nkind = "data"', 18, "obligation[2]"),
        (b"amount_vnd = 3_000_000_000_000", b"amount_vnd = -1", 23, "money[0].amount_vnd"),
    ],
)
def test_an_error_names_the_key_and_its_line(
    found: bytes, replaced: bytes, line: int, column: str
) -> None:
    assert found in SOUND

    errors = read_programme(SOUND.replace(found, replaced))

    assert isinstance(errors, list)
    assert (line, column) in {(error.line, error.column) for error in errors}


def test_an_id_stands_once() -> None:
    errors = read_programme(SOUND.replace(b'id = "servers"', b'id = "computers-1"'))

    assert isinstance(errors, list)
    assert "computers-1 stands twice" in errors[0].message


@pytest.mark.parametrize(
    "content",
    [
        b"[",
        b"\xff",
        b'[programme]\nid = "a"\n',
        b"obligation = 3\n",
        b"",
        b"#" * (1 << 18) + b"#",
        b"a=" + b"[" * 9999,
    ],
)
def test_what_is_no_programme_is_an_error_and_not_an_exception(content: bytes) -> None:
    errors = read_programme(content)

    assert isinstance(errors, list)
    assert errors


@pytest.mark.parametrize(
    ("found", "replaced", "line", "character", "message"),
    [
        (b"target_count = 283", b'target_count = "283"', 8, 16, "found '283'; expected a valid "),
        (b'list = "283"', b'lists = "283"', 7, 1, "unknown key; expected one of id, title"),
        (b'source = "Plan 3667"\n[[money', b"[[money", 18, 1, "missing; expected a value"),
        (b"begins = 2021-09-21\n", b"", 11, 1, "handovers need begins and deadline"),
    ],
)
def test_an_error_says_what_was_found_where_and_what_was_expected(
    found: bytes, replaced: bytes, line: int, character: int, message: str
) -> None:
    assert SOUND.count(found) == 1

    errors = read_programme(SOUND.replace(found, replaced))

    assert isinstance(errors, list)
    (error,) = (e for e in errors if e.message.startswith(message))
    assert (error.line, error.character) == (line, character)
