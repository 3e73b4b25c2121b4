"""CSV and Parquet files as tables of text, in the order of the file, with the line of every row."""

import csv
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import polars as pl

from phusong.collector.importing.convert import blank_to_null
from phusong.collector.importing.options import ImportFailed, ImportRefused
from phusong.collector.importing.reading import LINE_MAX_BYTES, Lines, read_lines
from phusong.collector.importing.splitting import UNCLOSED, split_lines
from phusong.kernels.columns import Int64Column
from phusong.kernels.reject import Reject

DELIMITERS = ",;\t|"

PARQUET_MAGIC = b"PAR1"
PARQUET_PROBE = "import sys, polars; polars.read_parquet(sys.argv[1])"
# As many rows as a chunk of text has, roughly.
PARQUET_CHUNK_ROWS = 131_072
# Whole numbers are exact in a float up to here; a float beyond it has lost digits.
FLOAT_WHOLE_MAX = 2**53
TEXT_LIKE = (pl.String, pl.Boolean, pl.Categorical, pl.Enum, pl.Date, pl.Null)


class BadLine(NamedTuple):
    """A line that is no row of the table."""

    line: int
    reason: Reject
    detail: str


class TextTable(NamedTuple):
    """A run of rows. `columns` has the wanted columns under the file's names, text, null where a cell says nothing.

    `line` counts from 1 with the header as line 1; in Parquet, which has no lines, it is the row counted from 1.
    """

    columns: pl.DataFrame
    line: Int64Column
    bad_lines: list[BadLine]
    read_bytes: int


class Tables(Protocol):
    """A file open for reading by columns."""

    header: list[str]

    def read(self, wanted: list[str]) -> Iterator[TextTable]:
        """Yield the rows of the file, the wanted columns only."""


def is_parquet(path: Path) -> bool:
    """Tell whether a file says that it is Parquet."""
    with path.open("rb") as file:
        return file.read(len(PARQUET_MAGIC)) == PARQUET_MAGIC


def open_tables(path: Path) -> Tables:
    """Return the table of a file.

    Raises:
        ImportRefused: it has no header, or is text of another encoding.
        ImportFailed: it cannot be read.
    """
    return ParquetTables(path) if is_parquet(path) else CsvTables(path)


class CsvTables:
    """A text file with a header and one row on each line."""

    def __init__(self, path: Path) -> None:
        """Read the header."""
        self._path = path
        self._chunks = read_lines(path)
        self._first = next(self._chunks)
        if not self._first.text or self._first.number[0] > min(self._first.too_long, default=2**62):
            raise ImportRefused(
                f"{path.name}: expected a header line with the names of the columns"
            )
        header = self._first.text[0]
        self._delimiter = max(DELIMITERS, key=header.count)
        try:
            names = next(csv.reader([header], delimiter=self._delimiter, strict=True))
        except csv.Error as error:
            raise ImportRefused(f"{path.name}: the header line cannot be read: {error}") from error
        self.header = [name.strip() for name in names]

    def read(self, wanted: list[str]) -> Iterator[TextTable]:
        """Yield the rows of the file, the wanted columns only."""
        places = [self.header.index(name) for name in wanted]
        chunk = Lines(
            self._first.text[1:],
            self._first.number[1:],
            self._first.too_long,
            self._first.read_bytes,
        )
        while True:
            yield self._table(chunk, wanted, places)
            following = next(self._chunks, None)
            if following is None:
                return
            chunk = following

    def _table(self, chunk: Lines, wanted: list[str], places: list[int]) -> TextTable:
        cells = split_lines(chunk.text, self._delimiter)
        line = np.array(chunk.number, np.int64)
        width = cells.width.copy()
        # Spreadsheets end lines with delimiters for cells that were once used; empty, they mean nothing.
        for i in np.flatnonzero(width > len(self.header)):
            if not any(cell.strip() for cell in cells.row(int(i))[len(self.header) :]):
                width[i] = len(self.header)
        is_row = width == len(self.header)
        bad_lines = [
            BadLine(number, Reject.LINE_TOO_LONG, f"over {LINE_MAX_BYTES} bytes")
            for number in chunk.too_long
        ]
        bad_lines += [self._bad_line(int(line[i]), int(width[i])) for i in np.flatnonzero(~is_row)]
        columns = [
            blank_to_null(cells.column(place, is_row).rename(name))
            for name, place in zip(wanted, places, strict=True)
        ]
        return TextTable(pl.DataFrame(columns), line[is_row], bad_lines, chunk.read_bytes)

    def _bad_line(self, line: int, width: int) -> BadLine:
        if width == UNCLOSED:
            return BadLine(line, Reject.TOO_FEW_FIELDS, "a quote is not closed on its line")
        reason = Reject.TOO_FEW_FIELDS if width < len(self.header) else Reject.TOO_MANY_FIELDS
        return BadLine(line, reason, f"{width} fields, expected {len(self.header)}")


class ParquetTables:
    """A Parquet file."""

    def __init__(self, path: Path) -> None:
        """Prove the file readable and read its schema."""
        self._path = path
        _prove_readable(path)
        with _reading(path):
            self._frame = pl.scan_parquet(path)
            self.header = self._frame.collect_schema().names()
            self._row_count = int(self._frame.select(pl.len()).collect().item())

    def read(self, wanted: list[str]) -> Iterator[TextTable]:
        """Yield the rows of the file, the wanted columns only."""
        size_bytes, told_bytes = self._path.stat().st_size, 0
        for start in range(0, self._row_count, PARQUET_CHUNK_ROWS):
            with _reading(self._path):
                part = self._frame.select(wanted).slice(start, PARQUET_CHUNK_ROWS).collect()
                columns = [blank_to_null(text_of(column)) for column in part]
            end = start + len(part)
            position = size_bytes * end // self._row_count
            line = np.arange(start + 1, end + 1, dtype=np.int64)
            yield TextTable(pl.DataFrame(columns), line, [], position - told_bytes)
            told_bytes = position


def _prove_readable(path: Path) -> None:
    """Read the file once in a process of its own. Raises ImportFailed when that process dies of it.

    A few damaged bytes can make the library ask for 2^61 bytes, which ends the process that asks.
    """
    probe = subprocess.run(  # noqa: S603 - our own interpreter on our own text
        [sys.executable, "-c", PARQUET_PROBE, str(path)], capture_output=True, check=False
    )
    if (
        probe.returncode < 0
    ):  # by a signal; what fails in an ordinary way is told by the reading itself
        raise ImportFailed(f"cannot read {path.name} as Parquet: it is damaged")


class _reading:  # noqa: N801 - reads as a phrase: `with _reading(path)`
    """Turn what polars raises for a damaged file into our failure."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        # A panic is how polars' Rust parts say "this cannot be", which damaged files bring about.
        if isinstance(error, (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError)):
            reason = str(error).split("\n", 1)[0]
            raise ImportFailed(f"cannot read {self._path.name} as Parquet: {reason}") from error


def text_of(column: pl.Series) -> pl.Series:
    """Return a column of any type as the text a CSV file would have."""
    kind = column.dtype
    if isinstance(kind, pl.Datetime):
        if kind.time_zone:
            return column.dt.epoch("ms").cast(pl.String)
        return column.dt.strftime("%Y-%m-%dT%H:%M:%S%.3f")
    if isinstance(kind, (pl.List, pl.Array)) and pl.Series([], dtype=kind.inner).dtype.is_integer():
        counts = column.cast(pl.List(kind.inner)).cast(pl.List(pl.String))
        return counts.list.join(" ", ignore_nulls=False)
    if kind.is_float():
        return _float_text(column)
    if kind.is_numeric() or kind in TEXT_LIKE:
        return column.cast(pl.String)
    # A value of a type that no column has is unreadable, not absent.
    strange = pl.Series([f"({kind})"], dtype=pl.String).new_from_index(0, len(column))
    return _where(column.is_not_null(), strange).rename(column.name)


def _float_text(column: pl.Series) -> pl.Series:
    is_whole = (column.round(0) == column) & (column.abs() <= FLOAT_WHOLE_MAX)
    whole = _where(is_whole, column).cast(pl.Int64).cast(pl.String)
    return whole.zip_with(whole.is_not_null(), column.cast(pl.String)).rename(column.name)


def _where(is_kept: pl.Series, column: pl.Series) -> pl.Series:
    return pl.select(pl.when(is_kept).then(column)).to_series()
