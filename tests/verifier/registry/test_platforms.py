"""The dated list of learning platforms."""

from datetime import date

from phusong.verifier.registry.platforms import Platform, read_platforms

HEAD = b"platform,domain,free_from,free_until\n"


def test_a_platform_is_free_from_a_day_on() -> None:
    platforms = read_platforms(HEAD + "Ôn luyện,onluyen.vn,2021-09-21,\n".encode())

    assert platforms == (Platform("Ôn luyện", "onluyen.vn", date(2021, 9, 21), None),)


def test_a_list_that_ends_before_it_begins_is_an_error() -> None:
    errors = read_platforms(HEAD + b"a,a.vn,2021-09-21,2021-09-20\n")

    assert isinstance(errors, list)
    assert (errors[0].line, errors[0].column) == (2, "free_until")


def test_a_day_that_is_none_and_an_empty_name_are_both_named() -> None:
    errors = read_platforms(HEAD + b",a.vn,21/09/2021,\n")

    assert isinstance(errors, list)
    assert {error.column for error in errors} == {"platform", "free_from"}


def test_a_platform_without_a_first_day_is_an_error() -> None:
    errors = read_platforms(HEAD + b"a,a.vn,,\n")

    assert isinstance(errors, list)
    assert errors[0].column == "free_from"


def test_a_missing_column_is_named() -> None:
    errors = read_platforms(b"platform,domain\n")

    assert isinstance(errors, list)
    assert errors[0].column == "free_from"
