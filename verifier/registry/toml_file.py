"""TOML files that people write: the document, and where in the file each key and value stands.

`tomllib` reads the document and decides what is TOML; it does not say where anything stood. So a text that it has read
is walked once more, for places alone. The path of a value is written `obligation[0].deadline`.
"""

import datetime as dt
import hashlib
import json
import re
import tomllib
from collections.abc import Iterator
from typing import Any, NamedTuple

from phusong.kernels.registers import LineError

BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
BLANK = re.compile(r"(?:[ \t\r\n,]|#[^\n]*)*")
SPACE = re.compile(r"[ \t]*")
BARE_VALUE = re.compile(r"[^,\]}\n#]*")
STRINGS = (
    re.compile(r'"""(?:[^\\]|\\.)*?"{3,5}(?!")', re.DOTALL),
    re.compile(r"'''.*?'{3,5}(?!')", re.DOTALL),
    re.compile(r'"(?:[^"\\]|\\.)*"'),
    re.compile(r"'[^']*'"),
)
INTEGER_END = 1 << 63
AT_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


class Place(NamedTuple):
    """A line and where in it, both counted from 1."""

    line: int
    character: int


class TomlFile:
    """A document and where its keys and values stand."""

    def __init__(self, text: str, document: dict[str, Any]) -> None:
        """Walk a text that is known to hold the document."""
        self.document = document
        self._text = text
        walk = _Walk(text)
        self._keys, self._values = walk.keys, walk.values

    def place_of_value(self, path: str) -> Place:
        """Return where a value begins; where there is none, where its table does."""
        return self._place(path, self._values)

    def place_of_key(self, path: str) -> Place:
        """Return where a key begins; where there is none, where its table does."""
        return self._place(path, self._keys)

    def _place(self, path: str, places: dict[str, int]) -> Place:
        while path not in places and path:
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return place_in(self._text, places.get(path, 0))


def read_toml(content: bytes, size_max: int) -> TomlFile | list[LineError]:
    """Return the document of a file of at most `size_max` bytes, or why it is none."""
    if len(content) > size_max:
        return [LineError(1, "", f"{len(content)} bytes; expected at most {size_max}")]
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8-sig")
        place = place_in(before, len(before))
        message = f"byte {error.start} is not UTF-8; save the file as UTF-8"
        return [LineError(place.line, "", message, place.character)]
    try:
        file = TomlFile(text, tomllib.loads(text))
        return [_too_large(file, path) for path in _paths_beyond("", file.document)] or file
    except tomllib.TOMLDecodeError as error:
        return [_syntax_error(text, str(error))]
    except ValueError:  # of Python, which reads no number of thousands of digits
        return [LineError(1, "", "a number of thousands of digits; expected one of 64 bits")]
    except RecursionError:
        return [LineError(1, "", "brackets within brackets, too deep to be meant; expected a few")]


def document_digest(document: dict[str, Any]) -> str:
    """Return the SHA-256 of a document's JSON with sorted keys and no space: layout and comments are no part of it."""
    text = json.dumps(
        document,
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
        default=dt.date.isoformat,
    )
    return hashlib.sha256(text.encode()).hexdigest()


def place_in(text: str, offset: int) -> Place:
    """Return the line and character of an offset."""
    return Place(text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset))


def _paths_beyond(path: str, value: object) -> Iterator[str]:
    """Yield where whole numbers stand that TOML has no room for; written in hexadecimal, Python reads and cannot show them."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _paths_beyond(_joined(path, name), inner)
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield from _paths_beyond(f"{path}[{i}]", inner)
    elif isinstance(value, int) and not -INTEGER_END <= value < INTEGER_END:
        yield path


def _too_large(file: TomlFile, path: str) -> LineError:
    place = file.place_of_value(path)
    return LineError(place.line, path, "a number beyond 64 bits; TOML has none", place.character)


def _syntax_error(text: str, message: str) -> LineError:
    found = AT_PLACE.search(message)
    place = place_in(text, len(text))
    if found and found[1]:
        place = Place(int(found[1]), int(found[2]))
    return LineError(place.line, "", f"not TOML: {AT_PLACE.sub('', message)}", place.character)


class _Walk:
    """Where keys and values begin, as offsets, by path. The text is TOML: that was found out before."""

    def __init__(self, text: str) -> None:
        self.keys: dict[str, int] = {}
        self.values: dict[str, int] = {}
        self._text = text
        self._at = 0
        self._counts: dict[str, int] = {}  # tables so far of each [[array]]
        table = ""
        self._skip(BLANK)
        while self._at < len(text):
            if text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)
            self._skip(BLANK)

    def _header(self) -> str:
        start, is_array = self._at, self._text.startswith("[[", self._at)
        self._at += 1 + is_array
        *parents, last = self._key()
        path = ""
        for name in parents:
            path = _joined(path, name)
            if path in self._counts:
                path = f"{path}[{self._counts[path]}]"
        path = _joined(path, last)
        if is_array:
            self.keys.setdefault(path, start)
            self.values.setdefault(path, start)
            self._counts[path] = self._counts.get(path, -1) + 1
            path = f"{path}[{self._counts[path]}]"
        self._at += 1 + is_array
        self.keys.setdefault(path, start)
        self.values.setdefault(path, start)
        return path

    def _pair(self, table: str) -> None:
        start = self._at
        path = table
        for name in self._key():
            path = _joined(path, name)
            self.keys.setdefault(path, start)
        self._at += 1  # "="
        self._skip(SPACE)
        self._value(path)

    def _key(self) -> list[str]:
        names = []
        while True:
            self._skip(SPACE)
            found = BARE_KEY.match(self._text, self._at)
            if found:
                names.append(found[0])
                self._at = found.end()
            else:
                raw = self._string()
                names.append(str(tomllib.loads(f"key = {raw}")["key"]))
            self._skip(SPACE)
            if self._text[self._at] != ".":
                return names
            self._at += 1

    def _value(self, path: str) -> None:
        self.values.setdefault(path, self._at)
        self.keys.setdefault(path, self._at)
        opening = self._text[self._at]
        if opening in "\"'":
            self._string()
        elif opening in "[{":
            self._inside(path, is_array=opening == "[")
        else:
            self._skip(BARE_VALUE)

    def _inside(self, path: str, *, is_array: bool) -> None:
        self._at += 1
        count = 0
        self._skip(BLANK)
        while self._text[self._at] not in "]}":
            if is_array:
                self._value(f"{path}[{count}]")
            else:
                self._pair(path)
            count += 1
            self._skip(BLANK)
        self._at += 1

    def _string(self) -> str:
        for pattern in STRINGS:
            found = pattern.match(self._text, self._at)
            if found:
                self._at = found.end()
                return found[0]
        raise AssertionError("tomllib read a string here")

    def _skip(self, pattern: re.Pattern[str]) -> None:
        found = pattern.match(self._text, self._at)
        assert found, "the pattern matches nothing at all, too"
        self._at = found.end()


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
