"""The programme's obligations."""

from datetime import date

import pytest

from phusong.verifier.registry.programme import Programme, read_programme

SOUND = b"""
[programme]
id = "3667"
[[obligation]]
id = "coverage-283"
list = "283"
target_count = 283
deadline = 2021-09-30
source = "Plan 3667"
"""


def test_an_obligation_has_a_target_and_a_deadline() -> None:
    programme = read_programme(SOUND)

    assert isinstance(programme, Programme)
    assert programme.obligations[0].target_count == 283
    assert programme.obligations[0].deadline == date(2021, 9, 30)


@pytest.mark.parametrize(
    ("found", "replaced", "column"),
    [
        (b'id = "3667"', b"id = 3667", "programme.id"),
        (b"target_count = 283", b'target_count = "283"', "obligation[0].target_count"),
        (b"target_count = 283", b"target_count = 0", "obligation[0].target_count"),
        (b"target_count = 283", b"target_count = true", "obligation[0].target_count"),
        (b"deadline = 2021-09-30", b"", "obligation[0].deadline"),
        (b'list = "283"', b'lists = "283"', "obligation[0].lists"),
    ],
)
def test_an_error_names_the_key(found: bytes, replaced: bytes, column: str) -> None:
    errors = read_programme(SOUND.replace(found, replaced))

    assert isinstance(errors, list)
    assert column in {error.column for error in errors}


@pytest.mark.parametrize(
    "content", [b"[", b"\xff", b'[programme]\nid = "a"\n', b"obligation = 3\n"]
)
def test_what_is_no_programme_is_an_error_and_not_an_exception(content: bytes) -> None:
    assert isinstance(read_programme(content), list)
