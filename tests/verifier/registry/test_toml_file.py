"""Every key and value of a TOML file is found where it stands."""

import json
import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phusong.kernels.registers import LineError
from phusong.verifier.registry.toml_file import Place, TomlFile, read_toml

HARD = '''a = 1
[x."y.z"] # a comment = 3
b.c = [1, [2,  # [ in a comment
 3], {d = "]", e='#'}]
m = """ab"c\\"""d""""
[[o]]
"khóa" = 1979-05-27 07:32:00
[[o.p]]
[[o]]
[[o.p]]
[[o.p]]
q = \'\'\'x\'\'y\'\'\'
'''


def file_of(text: str) -> TomlFile:
    found = read_toml(text.encode(), 1 << 20)
    assert isinstance(found, TomlFile), found
    return found


@pytest.mark.parametrize(
    ("path", "line", "character"),
    [
        ("a", 1, 5),
        ("x.y.z.b.c", 3, 7),
        ("x.y.z.b.c[1][1]", 4, 2),
        ("x.y.z.b.c[2].e", 4, 18),
        ("x.y.z.m", 5, 5),
        ("o[0].khóa", 7, 10),
        ("o[1]", 9, 1),
        ("o[1].p[1].q", 12, 5),
    ],
)
def test_a_value_is_found_where_it_begins(path: str, line: int, character: int) -> None:
    assert file_of(HARD).place_of_value(path) == Place(line, character)


def test_a_key_is_found_where_it_begins_and_what_is_not_there_at_its_table() -> None:
    file = file_of("a = 1\n[t]\n  b = 2\n")

    assert file.place_of_key("t.b") == Place(3, 3)
    assert file.place_of_key("t.nothing") == Place(2, 1)
    assert file.place_of_value("nothing") == Place(1, 1)


COMMA = ",\t"
bare = st.from_regex(r"[A-Za-z0-9_-]{1,5}", fullmatch=True)
names = bare | st.text("a \"'#=.[]\\é", min_size=1, max_size=4).map(
    lambda t: json.dumps(t, ensure_ascii=False)
)
scalars = st.one_of(
    st.integers(-99, 99).map(str),
    st.booleans().map(lambda b: str(b).lower()),
    st.text("a \"'#=,.[]{}\\é", max_size=5).map(lambda t: json.dumps(t, ensure_ascii=False)),
    st.text('a "#=,[]{}\\\n', max_size=5).map(lambda t: f"'''{t}'''"),
    st.just("2021-10-01 08:00:00"),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3).map(lambda v: f"[ # ,]\n{COMMA.join(v)}\n]"),
    max_leaves=5,
)
rows_of_values = st.lists(st.tuples(names, values), max_size=6)


@settings(deadline=None)
@given(rows_of_values)
def test_what_stands_at_the_place_of_a_value_is_that_value(rows: list[tuple[str, str]]) -> None:
    text = "".join(f"[[t]]\n {name}  =\t{value} # x\n" for name, value in rows)
    file, document = file_of(text), tomllib.loads(text)

    for number, (name, value) in enumerate(rows):
        ((key, expected),) = document["t"][number].items()
        place = file.place_of_value(f"t[{number}].{key}")
        rest = "\n".join(text.split("\n")[place.line - 1 :])[place.character - 1 :]
        assert rest.startswith(value), name
        assert read(value) == expected


def read(value: str) -> Any:
    return tomllib.loads(f"v = {value}")["v"]


@pytest.mark.parametrize(
    ("content", "line", "character", "message"),
    [
        (b"a = \n", 1, 5, "not TOML: Invalid value"),
        (b"\n\n  a = 1 2", 3, 9, "not TOML: Expected newline"),
        (b"x = [1,", 1, 8, "not TOML: Invalid value"),
        ("\n é = \xff".encode("latin-1"), 2, 2, "byte 2 is not UTF-8"),
        (b"a = 1\nb = " + b"9" * 5000, 1, 0, "a number of thousands of digits"),
        (b"a = [1,\n  {b = 0x" + b"f" * 5000 + b"}]", 2, 8, "a number beyond 64 bits"),
        (b"a=" + b"[" * 100_000, 1, 0, "brackets within brackets"),
        (b"#" * 1_000_001, 1, 0, "1000001 bytes; expected at most 1000000"),
    ],
)
def test_what_is_no_toml_is_an_error_with_its_place(
    content: bytes, line: int, character: int, message: str
) -> None:
    found = read_toml(content, 1_000_000)

    assert isinstance(found, list)
    (error,) = found
    assert isinstance(error, LineError)
    assert (error.line, error.character) == (line, character)
    assert error.message.startswith(message)


def test_a_number_may_have_64_bits_and_no_more() -> None:
    last = b"a = 9_223_372_036_854_775_807\nb = -9_223_372_036_854_775_808\n"

    assert isinstance(read_toml(last, 1000), TomlFile)
    assert [error.column for error in errors_of(b"[c]\na = 9_223_372_036_854_775_808")] == ["c.a"]


def errors_of(content: bytes) -> list[LineError]:
    found = read_toml(content, 1000)
    assert isinstance(found, list)
    return found
