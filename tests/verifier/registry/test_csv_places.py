"""An error in a CSV file names the character its field begins at, whatever stands before it."""

from phusong.kernels.registers import LineError
from phusong.verifier.registry.csv_places import place_errors


def place(text: str, line: int, column: str, **aliases: str) -> tuple[int, int]:
    (found,) = place_errors(text.encode(), [LineError(line, column, "wrong")], aliases)
    return found.line, found.character


def test_a_field_begins_after_its_comma() -> None:
    assert place("a,b,c\n1,22,3\n", 2, "c") == (2, 6)
    assert place("\ufeffa,b,c\r\n1,22,3\r\n", 2, "a") == (2, 1)


def test_a_comma_within_quotes_divides_nothing() -> None:
    assert place('a,b,c\n"1,""2",22,3\n', 2, "c") == (2, 12)


def test_a_quoted_field_may_go_on_for_lines() -> None:
    assert place('a,b,c\n"1\n2",22,3\n', 2, "c") == (3, 7)


def test_a_column_is_found_by_any_of_its_names() -> None:
    assert place("Code, Lat\nx,y\n", 2, "latitude_deg", lat="latitude_deg") == (2, 3)
    assert place("code,Lat\nx,y\n", 1, "Lat", lat="latitude_deg") == (1, 6)


def test_what_is_not_there_has_no_character() -> None:
    assert place("a,b\n1\n", 2, "b") == (2, 0)
    assert place("a,b\n1,2\n", 2, "") == (2, 0)
    assert place("a,b\n1,2\n", 9, "a") == (9, 0)
    assert place("a,b\n", 1, "c") == (1, 0)
