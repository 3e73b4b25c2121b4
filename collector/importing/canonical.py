"""Our own columns: signal readings, usage readings and cell reports as CSV or Parquet."""

import polars as pl

from phusong.collector.importing.fields import (
    RowShape,
    Shape,
    cell_shape,
    signal_shape,
    usage_shape,
)
from phusong.collector.importing.options import DEVICE_PER_LOG, ImportOptions, ImportRefused
from phusong.collector.importing.personal import refuse_personal_keys
from phusong.collector.importing.sheet import Sheet
from phusong.collector.importing.tables import TextTable

SHAPES = {"signal": signal_shape, "usage": usage_shape, "cells": cell_shape}

# Columns that only one kind of row has, by which a file is recognised.
TELLING = {
    "usage": ("subscriber_key", "uplink_bytes", "downlink_bytes"),
    "signal": ("device_key", "serving_plmn", "latitude_deg"),
    "cells": ("site_code", "on_air", "rsrp_histogram_count", "load_permille"),
}

ROUTE_COLUMNS = ("operator", "source")


def field_of_column(shape: RowShape, column: str) -> str | None:
    """Return the field, "operator" or "source" that a column of a file is, None for a column nobody knows."""
    name = column.strip().lower()
    if name in ROUTE_COLUMNS or name in shape.fields:
        return name
    # ISO times need no unit in their name.
    timed = shape.fields.get(f"{name}_ms")
    return timed.name if timed is not None and timed.shape is Shape.TIME else None


def match_columns(file: str, shape: RowShape, header: list[str]) -> dict[str, str]:
    """Return the file's column of every field it has.

    Raises:
        ImportRefused: two columns are the same field.
    """
    column_of: dict[str, str] = {}
    for column in header:
        name = field_of_column(shape, column)
        if name is None:
            continue
        if name in column_of:
            raise ImportRefused(
                f"{file}: columns {column_of[name]!r} and {column!r} are both {name}"
            )
        column_of[name] = column
    return column_of


def fixed_cells(shape: RowShape, options: ImportOptions) -> dict[str, str]:
    """Return what the caller says for every row of a file that has no such column."""
    if options.device == DEVICE_PER_LOG:
        raise ImportRefused(f"--device {DEVICE_PER_LOG} is for drive-test logs; give a key")
    said = {
        "device_key": options.device,
        "subscriber_key": options.subscriber,
        "session": options.session,
        "plmn": options.plmn,
        "serving_plmn": options.plmn,
    }
    return {name: text for name, text in said.items() if text and name in shape.fields}


def check_required(
    file: str, shape: RowShape, column_of: dict[str, str], fixed: dict[str, str], header: list[str]
) -> None:
    """Refuse a file that lacks a column without which no row of it can be read.

    Raises:
        ImportRefused: naming the columns, and what was found instead.
    """
    missing = [name for name in shape.required if name not in column_of and name not in fixed]
    # Where there was no service there was no radio access technology either.
    if "rat" in missing and "service_state" in column_of:
        missing.remove("rat")
    if missing:
        raise ImportRefused(
            f"{file}: missing column {', '.join(missing)}; found: {', '.join(header) or 'none'}"
        )


def recognise(file: str, header: list[str]) -> str:
    """Return which kind of rows a file has: "signal", "usage" or "cells".

    Raises:
        ImportRefused: its columns do not tell.
    """
    names = {name.strip().lower() for name in header}
    score = {kind: sum(name in names for name in telling) for kind, telling in TELLING.items()}
    best = max(score.values())
    kinds = [kind for kind, count in score.items() if count == best]
    if not best or len(kinds) > 1:
        raise ImportRefused(
            f"{file}: the columns do not tell what it holds; name it with --format. Found: {', '.join(header)}"
        )
    return kinds[0]


def canonical_sheet(
    file: str, shape: RowShape, table: TextTable, column_of: dict[str, str], fixed: dict[str, str]
) -> Sheet:
    """Return a table under the field names.

    Raises:
        ImportRefused: its keys are numbers of SIMs or telephones.
    """
    columns = {name: table.columns[column] for name, column in column_of.items()}
    for name, field in shape.fields.items():
        if field.shape is Shape.KEY and name in columns:
            refuse_personal_keys(file, column_of[name], columns[name])
    for name, text in fixed.items():
        if name not in columns:
            columns[name] = pl.Series([text], dtype=pl.String).new_from_index(0, len(table.line))
    return Sheet(columns, table.columns, table.line, table.bad_lines, table.read_bytes)
