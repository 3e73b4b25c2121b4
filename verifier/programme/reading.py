"""Reading a programme file: whole, or every error with its place and what was expected."""

from importlib import resources
from typing import Any

from pydantic import BaseModel, ValidationError

from phusong.kernels.registers import LineError
from phusong.verifier.programme.terms import Header, Money, Obligation, Programme
from phusong.verifier.registry.known import KnownRegistries
from phusong.verifier.registry.platforms import read_platforms
from phusong.verifier.registry.toml_file import TomlFile, read_toml

DEFAULT_FILE = "3667.toml"
# A programme is read by people; 256 KiB is already a book.
CONTENT_MAX_BYTES = 1 << 18


def default_programme() -> Programme:
    """Return the programme that ships with the service, Plan 3667."""
    content = resources.files(__package__ or "").joinpath(DEFAULT_FILE).read_bytes()
    programme = read_programme(content)
    assert isinstance(programme, Programme), programme
    return programme


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
    file = read_toml(content, CONTENT_MAX_BYTES)
    if isinstance(file, list):
        return file
    try:
        return Programme.model_validate(file.document)
    except ValidationError as errors:
        return [_line_error(error, file) for error in errors.errors() if not _is_echo(error)]


def _is_echo(error: Any) -> bool:
    """Tell whether a list is called too short only because what stands in it was refused."""
    return error["type"] == "too_short" and bool(error["input"])


def _line_error(error: Any, file: TomlFile) -> LineError:
    """Return what pydantic found, where it stands, and what was expected, in our own words."""
    path = ""
    for part in error["loc"]:
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
    path = path.removeprefix(".")
    match error["type"]:
        case "extra_forbidden":
            place = file.place_of_key(path)
            message = f"unknown key; expected one of {', '.join(_keys_beside(error['loc']))}"
        case "missing":
            place = file.place_of_key(path.rpartition(".")[0])
            message = "missing; expected a value"
        case "value_error":
            place = file.place_of_value(path)
            message = error["msg"].removeprefix("Value error, ")
        case _:
            place = file.place_of_value(path)
            expected = error["msg"].removeprefix("Input should ").removeprefix("be ")
            message = f"found {error['input']!r:.200}; expected {expected}"
    return LineError(place.line, path, message, place.character)


def _keys_beside(place: tuple[str | int, ...]) -> list[str]:
    """Return the keys that the table of a key may hold."""
    tables: dict[str | int, type[BaseModel]] = {
        "programme": Header,
        "obligation": Obligation,
        "money": Money,
    }
    model = tables[place[0]] if len(place) > 1 else Programme
    return list(model.model_fields)
