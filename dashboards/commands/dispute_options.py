"""Options of `phusong dispute`: who speaks, and which readings a side relies on."""

from pathlib import Path
from typing import Annotated

import typer

from phusong.collector.importing.options import ImportFailed
from phusong.collector.importing.reading import boot_epoch_of, content_digest
from phusong.dashboards.commands.exits import USAGE, fail
from phusong.dashboards.commands.options import time_ms
from phusong.kernels.route_names import is_slug
from phusong.verifier.disputes.records import Selection

KEY_MAX = 2**64 - 1

NameOption = Annotated[
    str, typer.Option("--name", help="Who says this: a person or an office. Kept for ever.")
]
RoleOption = Annotated[
    str, typer.Option("--role", help="In which role: village head, operator, auditor …")
]
TextOption = Annotated[str, typer.Option("--text", help="What is said, in a few sentences.")]
FileOption = Annotated[
    list[Path] | None,
    typer.Option("--evidence-file", help="A file that was imported with `phusong import` before."),
]
SourceOption = Annotated[
    list[str] | None,
    typer.Option("--source", help="Readings of this source: viettel/probe-7, or viettel/ for all."),
]
DeviceOption = Annotated[
    list[str] | None, typer.Option("--device", help="Readings of this device key, decimal.")
]
FromOption = Annotated[
    str | None, typer.Option("--from", help="Of these only the readings from this time on.")
]
UntilOption = Annotated[str | None, typer.Option("--until", help="… and until this time.")]


def selections_of(
    files: list[Path] | None,
    sources: list[str] | None,
    devices: list[str] | None,
    from_text: str | None,
    until_text: str | None,
) -> tuple[Selection, ...]:
    """Return the selections that options name, or end with what is wrong with them."""
    span = Selection(
        from_time_ms=0 if from_text is None else _first_ms(from_text),
        until_time_ms=0 if until_text is None else time_ms(until_text, "--until"),
    )
    if span.until_time_ms and span.from_time_ms > span.until_time_ms:
        fail("--from lies after --until; expected a span of time", USAGE)
    chosen = [_of_file(file, span) for file in files or []]
    chosen += [_of_source(source, span) for source in sources or []]
    chosen += [span._replace(device_key=_key_of(device)) for device in devices or []]
    if chosen:
        return tuple(chosen)
    if span == Selection():
        fail(
            "no evidence is named: give --evidence-file FILE (imported with `phusong import` before), --source"
            " OPERATOR/SOURCE, --device KEY, or --from and --until",
            USAGE,
        )
    return (span,)


def _first_ms(text: str) -> int:
    """Return the first millisecond that a date or time names."""
    day_length = len("2021-12-31")
    return time_ms(f"{text}T00:00" if len(text) == day_length else text, "--from")


def _of_file(file: Path, span: Selection) -> Selection:
    try:
        digest = content_digest(file)
    except (OSError, ImportFailed) as error:
        fail(f"--evidence-file {file}: {error}", USAGE)
    return span._replace(file=file.name, file_sha256=digest.hex(), boot_epoch=boot_epoch_of(digest))


def _of_source(text: str, span: Selection) -> Selection:
    operator, slash, source = text.partition("/")
    if not slash or not all(is_slug(name) for name in (operator, source) if name) or text == "/":
        fail(
            f"--source {text!r}: expected OPERATOR/SOURCE as in topics, such as viettel/probe-7",
            USAGE,
        )
    return span._replace(operator=operator, source=source)


def _key_of(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= KEY_MAX):
        fail(f"--device {text!r}: expected a device key, 1 to {KEY_MAX}", USAGE)
    return int(text)
