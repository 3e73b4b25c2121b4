"""Where in a CSV file an error stands: readers name line and column, people and editors want the character too.

Reading does not keep places, since files without errors have no use for them; the few lines with errors are taken apart
once more.
"""

import io
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import NamedTuple

from phusong.kernels.registers import LineError


class _Field(NamedTuple):
    text: str
    line: int
    character: int


def place_errors(
    content: bytes, errors: list[LineError], aliases: Mapping[str, str] | None = None
) -> list[LineError]:
    """Return the errors with the character their field begins at, 0 where no field is meant or none is there.

    aliases: other names a header may use for a column.
    """
    lines = list(io.StringIO(content.decode("utf-8-sig", errors="replace"), newline=""))
    header = [field.text.strip().casefold() for field in _fields(lines, 1)]
    named = [(aliases or {}).get(name, name) for name in header]
    return [_placed(error, lines, header, named) for error in errors]


def _placed(error: LineError, lines: list[str], header: list[str], named: list[str]) -> LineError:
    name = error.column.strip().casefold()
    column = next((names.index(name) for names in (named, header) if name in names), None)
    if not name or column is None or error.character:
        return error
    field = next(islice(_fields(lines, error.line), column, None), None)
    if field is None:
        return error
    return error._replace(line=field.line, character=field.character)


def _fields(lines: list[str], line: int) -> Iterator[_Field]:
    """Yield the fields of the record that begins on a line, counted from 1; quoted ones may go on for several."""
    if not 1 <= line <= len(lines):
        return
    text, start, character = "", (line, 1), 0
    is_quoted = False
    while line <= len(lines):
        for character, letter in enumerate(lines[line - 1], 1):
            if letter == '"':
                is_quoted = not is_quoted
            elif letter == "," and not is_quoted:
                yield _Field(text, *start)
                text, start = "", (line, character + 1)
            elif is_quoted or letter not in "\r\n":
                text += letter
        line += 1
        if not is_quoted:
            break
    yield _Field(text, *start)
