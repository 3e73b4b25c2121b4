"""From a path and the name of a format to payloads: the one entrance of this folder."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import polars as pl

from phusong.collector.importing import canonical, gnettrack, radius
from phusong.collector.importing.fields import RowShape, signal_shape, usage_shape
from phusong.collector.importing.options import (
    DEVICE_PER_LOG,
    FileIdentity,
    ImportFailed,
    ImportOptions,
    ImportPayload,
    ImportRefused,
)
from phusong.collector.importing.payloads import SheetWriter
from phusong.collector.importing.personal import refuse_personal_columns, refuse_personal_keys
from phusong.collector.importing.reading import boot_epoch_of, content_digest
from phusong.collector.importing.sheet import Sheet
from phusong.collector.importing.tables import Tables, TextTable, is_parquet, open_tables

AUTO = "auto"
GNETTRACK = "gnettrack"
RADIUS = "radius"
FORMATS = (
    AUTO,
    "csv",
    "parquet",
    *(f"{kind}-{container}" for container in ("csv", "parquet") for kind in canonical.SHAPES),
    GNETTRACK,
    RADIUS,
)


class OpenFile(NamedTuple):
    """A file whose header was read and found good."""

    path: Path
    name: str
    digest: bytes
    tables: Tables
    options: ImportOptions


def read_file(path: Path, format_name: str, options: ImportOptions) -> Iterator[ImportPayload]:
    """Check a file and return its payloads, read as they are asked for.

    Args:
        path: the file.
        format_name: one of FORMATS.
        options: what the file does not say itself.

    Raises:
        ImportRefused: at once, when the file or the call is not as it must be; while reading, when its keys turn
            out to be numbers of persons.
        ImportFailed: when the file cannot be read.
    """
    if format_name not in FORMATS:
        raise ImportRefused(f"--format {format_name!r}: expected one of {', '.join(FORMATS)}")
    file = _open(path, format_name, options)
    kind = _recognise(file, format_name)
    if kind == GNETTRACK:
        return read_gnettrack(file)
    if kind == RADIUS:
        return read_radius(file)
    return read_canonical(file, kind)


def _open(path: Path, format_name: str, options: ImportOptions) -> OpenFile:
    if not path.is_file():
        raise ImportRefused(f"{path}: no such file")
    name = path.name
    try:
        if path.stat().st_size == 0:
            raise ImportRefused(
                f"{name} is empty; expected a header line with the names of the columns"
            )
        if format_name.endswith("parquet") and not is_parquet(path):
            raise ImportRefused(f"{name} is not a Parquet file")
        if format_name.endswith("csv") and is_parquet(path):
            raise ImportRefused(f"{name} is a Parquet file; use --format {format_name[:-3]}parquet")
        digest = content_digest(path)
        tables = open_tables(path)
    except ImportFailed:
        raise
    except OSError as error:
        raise ImportFailed(f"cannot read {path}: {error.strerror or error}") from error
    refuse_personal_columns(name, tables.header)
    said = pl.Series([options.device, options.subscriber], dtype=pl.String).replace("", None)
    refuse_personal_keys(name, "--device or --subscriber", said)
    return OpenFile(path, name, digest, tables, options)


def _recognise(file: OpenFile, format_name: str) -> str:
    if format_name in (GNETTRACK, RADIUS):
        return format_name
    kind = format_name.partition("-")[0]
    if kind in canonical.SHAPES:
        return kind
    header = set(file.tables.header)
    if format_name == AUTO:
        if header.issuperset(gnettrack.TELLING):
            return GNETTRACK
        if header.issuperset(radius.TELLING):
            return RADIUS
    return canonical.recognise(file.name, file.tables.header)


def read_canonical(file: OpenFile, kind: str) -> Iterator[ImportPayload]:
    """Return the payloads of a file with our own columns; `kind` is a key of canonical.SHAPES."""
    shape = canonical.SHAPES[kind]()
    header = file.tables.header
    column_of = canonical.match_columns(file.name, shape, header)
    fixed = canonical.fixed_cells(shape, file.options)
    canonical.check_required(file.name, shape, column_of, fixed, header)
    _require_operator(file, "operator" in column_of)
    _name_unread(file, set(column_of.values()))
    writer = _writer(file, shape, column_of, file.options.timezone)
    return _write(
        writer,
        (
            canonical.canonical_sheet(file.name, shape, table, column_of, fixed)
            for table in file.tables.read(list(column_of.values()))
        ),
    )


def read_gnettrack(file: OpenFile) -> Iterator[ImportPayload]:
    """Return the payloads of a G-NetTrack Pro log."""
    wanted = _wanted(file, gnettrack.REQUIRED, gnettrack.OPTIONAL)
    _require_operator(file, "Operatorname" in wanted)
    if not file.options.timezone:
        file.options.note(
            f"{file.name}: its times name no zone and are read as {gnettrack.TIMEZONE_DEFAULT}; --timezone says otherwise"
        )
    if not file.options.device:
        file.options.note(
            f"{file.name}: counted as made by one phone with all logs of its source; "
            f"--device KEY names the phone, --device {DEVICE_PER_LOG} makes each log a phone of its own"
        )
    timezone = file.options.timezone or gnettrack.TIMEZONE_DEFAULT
    writer = _writer(file, signal_shape(), gnettrack.COLUMN_OF, timezone)
    return _write(
        writer,
        (
            gnettrack.gnettrack_sheet(table, file.options, file.name)
            for table in file.tables.read(wanted)
        ),
    )


def read_radius(file: OpenFile) -> Iterator[ImportPayload]:
    """Return the payloads of a table of RADIUS accounting records."""
    wanted = _wanted(file, radius.REQUIRED, radius.OPTIONAL)
    _require_operator(file, "operator" in wanted)
    writer = _writer(file, usage_shape(), radius.COLUMN_OF, file.options.timezone)
    tables = file.tables.read(wanted)
    if "session" not in wanted:
        tables = _watch_starts(file, tables)
    return _write(
        writer,
        (
            radius.radius_sheet(table, file.options, file.name, file.digest.hex())
            for table in tables
        ),
    )


def _watch_starts(file: OpenFile, tables: Iterator[TextTable]) -> Iterator[TextTable]:
    seen_count = 0
    for table in tables:
        before, seen_count = seen_count, seen_count + radius.start_count(table)
        if before <= 1 < seen_count:
            file.options.note(
                f"{file.name}: several sessions start in it and no column `session` tells them apart: "
                "their counters will be taken for one"
            )
        yield table


def _wanted(file: OpenFile, required: tuple[str, ...], optional: tuple[str, ...]) -> list[str]:
    header = file.tables.header
    missing = [name for name in required if name not in header]
    if missing:
        raise ImportRefused(
            f"{file.name}: missing column {', '.join(missing)}; found: {', '.join(header) or 'none'}"
        )
    wanted = [name for name in (*required, *optional) if name in header]
    _name_unread(file, set(wanted))
    return wanted


def _require_operator(file: OpenFile, has_column: bool) -> None:  # noqa: FBT001 - one flag, named at its place
    if not file.options.operator and not has_column:
        raise ImportRefused(f"{file.name}: name the operator whose data it is with --operator")


def _name_unread(file: OpenFile, read: set[str]) -> None:
    unread = [name for name in file.tables.header if name not in read]
    if unread:
        file.options.note(f"{file.name}: columns not read: {', '.join(unread)}")


def _writer(
    file: OpenFile, shape: RowShape, column_of: dict[str, str], timezone: str
) -> SheetWriter:
    identity = FileIdentity(file.name, boot_epoch_of(file.digest), column_of)
    return SheetWriter(shape, file.options, identity, timezone)


def _write(writer: SheetWriter, sheets: Iterator[Sheet]) -> Iterator[ImportPayload]:
    return itertools.chain.from_iterable(writer.write(sheet) for sheet in sheets)
