"""Reading a programme file: whole, or every error with the line its key stands on."""

import re
import tomllib
from importlib import resources
from typing import Any

from pydantic import ValidationError

from phusong.kernels.registers import LineError
from phusong.verifier.programme.terms import Programme
from phusong.verifier.registry.known import KnownRegistries
from phusong.verifier.registry.platforms import read_platforms

DEFAULT_FILE = "3667.toml"
# A programme is read by people; 256 KiB is already a book.
CONTENT_MAX_BYTES = 1 << 18

TABLE = re.compile(r"\s*\[+\s*([A-Za-z0-9_.-]+)\s*\]+")
KEY = re.compile(r"\s*([A-Za-z0-9_-]+)\s*=")


def default_programme() -> Programme:
    """Return the programme that ships with the service, Plan 3667."""
    content = resources.files(__package__ or "").joinpath(DEFAULT_FILE).read_bytes()
    programme = read_programme(content)
    assert isinstance(programme, Programme), programme
    return programme


def programme_in_force(registries: KnownRegistries) -> tuple[Programme, str]:
    """Return the programme in force, and where it is from."""
    version = registries.version("programme")
    if version is None:
        return default_programme(), "as shipped"
    programme = read_programme(version.content)
    assert isinstance(programme, Programme), "entries are validated before they are journalled"
    return programme, f"{version.file}, sequence {version.sequence}"


def platform_count(registries: KnownRegistries) -> int | None:
    """Return how many platforms are on the published list, None without one."""
    version = registries.version("platforms")
    if version is None:
        return None
    platforms = read_platforms(version.content)
    assert isinstance(platforms, tuple), "entries are validated before they are journalled"
    return len(platforms)


def read_programme(content: bytes) -> Programme | list[LineError]:
    """Return the programme in a TOML file, or every error found in it."""
    if len(content) > CONTENT_MAX_BYTES:
        return [LineError(1, "", f"{len(content)} bytes; expected at most {CONTENT_MAX_BYTES}")]
    try:
        text = content.decode("utf-8-sig")
        document = tomllib.loads(text)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return [LineError(line, "", f"byte {error.start} is not UTF-8; save the file as UTF-8")]
    except tomllib.TOMLDecodeError as error:
        return [LineError(1, "", f"not TOML: {error}")]
    try:
        return Programme.model_validate(document)
    except ValidationError as errors:
        line_of = lines_of_keys(text)
        return [_line_error(error, line_of) for error in errors.errors()]


def lines_of_keys(text: str) -> dict[str, int]:
    """Return the line of every table and key, as far as a plain scan can tell: "obligation.0.deadline" → 12."""
    line_of: dict[str, int] = {}
    counts: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        header = TABLE.match(line)
        key = KEY.match(line)
        if header:
            table = header[1]
            if line.lstrip().startswith("[["):
                counts[table] = counts.get(table, -1) + 1
                table = f"{table}.{counts[table]}"
            line_of.setdefault(table, number)
        elif key:
            line_of.setdefault(f"{table}.{key[1]}".lstrip("."), number)
    return line_of


def _line_error(error: Any, line_of: dict[str, int]) -> LineError:
    names = [str(part) for part in error["loc"]]
    places = [".".join(names[:length]) for length in range(len(names), 0, -1)]
    line = next((line_of[place] for place in places if place in line_of), 1)
    found = error["input"]
    is_told = isinstance(found, str | int | float | bool)
    shown = f"{found!r:.200}: " if is_told else ""
    return LineError(line, places[0] if places else "", f"{shown}{error['msg']}")
