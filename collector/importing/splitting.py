"""Lines of text cut into cells."""

import csv
from typing import Protocol

import numpy as np
import polars as pl

from phusong.kernels.columns import BoolColumn, Int64Column

QUOTE = '"'
# In place of a line's number of cells: a quote is opened and not closed before its end.
UNCLOSED = -1


class Cells(Protocol):
    """The cells of a run of lines; `width` is how many each line has."""

    width: Int64Column

    def row(self, line: int) -> list[str]:
        """Return the cells of one line."""

    def column(self, place: int, is_row: BoolColumn) -> pl.Series:
        """Return one cell of each line that is a row."""


class PlainCells:
    """Lines without quotes: cut as a column, in Rust."""

    def __init__(self, lines: pl.Series, delimiter: str) -> None:
        """Cut at every delimiter."""
        self._cells = lines.str.split(delimiter)
        self.width = self._cells.list.len().to_numpy().astype(np.int64)

    def row(self, line: int) -> list[str]:
        """Return the cells of one line."""
        return list(self._cells[line])

    def column(self, place: int, is_row: BoolColumn) -> pl.Series:
        """Return one cell of each line that is a row."""
        return self._cells.list.get(place, null_on_oob=True).filter(pl.Series(is_row))


class QuotedCells:
    """Lines with quotes, by the rules of RFC 4180, except that a cell ends with its line."""

    def __init__(self, text: list[str], delimiter: str) -> None:
        """Cut line by line."""
        self._cells: list[list[str]] = []
        self.width = np.empty(len(text), np.int64)
        for i, line in enumerate(text):
            try:
                cells = next(csv.reader([line], delimiter=delimiter, strict=True))
            except csv.Error:
                cells = []
            self._cells.append(cells)
            self.width[i] = len(cells) or UNCLOSED

    def row(self, line: int) -> list[str]:
        """Return the cells of one line."""
        return self._cells[line]

    def column(self, place: int, is_row: BoolColumn) -> pl.Series:
        """Return one cell of each line that is a row."""
        kept = [cells[place] for cells, is_kept in zip(self._cells, is_row, strict=True) if is_kept]
        return pl.Series(kept, dtype=pl.String)


def split_lines(text: list[str], delimiter: str) -> Cells:
    """Return the cells of lines that are not blank."""
    lines = pl.Series(text, dtype=pl.String)
    if lines.str.contains(QUOTE, literal=True).any():
        return QuotedCells(text, delimiter)
    return PlainCells(lines, delimiter)
