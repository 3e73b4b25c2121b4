"""Sheets of text to payloads: batches of the rows that can be read, and a file row for each that cannot."""

from collections.abc import Iterator

import numpy as np
import polars as pl

from phusong.collector.importing.fields import RowShape, Shape
from phusong.collector.importing.options import (
    SOURCE_DEFAULT,
    FileIdentity,
    ImportOptions,
    ImportPayload,
    batch_route,
    file_row_route,
)
from phusong.collector.importing.sheet import ReadSheet, Sheet, read_sheet, row_values
from phusong.kernels.columns import BoolColumn
from phusong.kernels.reject import TAKEN, Reject
from phusong.kernels.route_names import SLUG
from phusong.kernels.wire_encode import RowFields, encode_payload_rows
from phusong.v1.journal_pb2 import FileRow
from phusong.v1.telemetry_pb2 import Batch

# A quarter of what a door takes: a receipt then comes often enough for a progress bar to move.
PAYLOAD_ROWS_MAX = 4096
PAYLOAD_BYTES_MAX = 1024 * 1024
HEAD_BYTES_MAX = 256  # source and operator of 64 characters, two numbers

# What a refused row shows of itself: enough to find the mistake, bounded because a file may be all mistakes.
ROW_TEXT_MAX = 2048
CELL_TEXT_MAX = 64
WITHHELD = "(withheld: not a key)"

# A refused row whose operator cannot be told has to be filed somewhere.
OPERATOR_UNKNOWN = "unknown"

# 1973-03-03 in milliseconds, the year 5138 in seconds: a column mostly below it was meant as seconds.
SECONDS_LIKELY_BELOW = 100_000_000_000


class SheetWriter:
    """Makes the payloads of one file, sheet after sheet; batches of each (operator, source) are numbered from 1."""

    def __init__(
        self, shape: RowShape, options: ImportOptions, file: FileIdentity, timezone: str
    ) -> None:
        """Start at sequence 1. `timezone` is of times without a zone; "" refuses them."""
        self._shape = shape
        self._options = options
        self._file = file
        self._timezone = timezone
        self._sequences: dict[tuple[str, str], int] = {}
        self._operator_last = options.operator or OPERATOR_UNKNOWN
        self._is_warned = False

    def write(self, sheet: Sheet) -> Iterator[ImportPayload]:
        """Yield the payloads of one sheet: its batches, then its refused rows."""
        read = read_sheet(self._shape, sheet, self._timezone)
        self._warn_of_seconds(read)
        rest_bytes = sheet.read_bytes
        for payload in self._batches(read, self._routes(sheet, read)):
            yield payload._replace(read_bytes=rest_bytes)
            rest_bytes = 0
        bad_rows = [self._file_row(sheet, read, int(row)) for row in np.flatnonzero(read.reason)]
        bad_rows += [
            FileRow(line=bad.line, reason=bad.reason.name, detail=bad.detail)
            for bad in sheet.bad_lines
        ]
        route = file_row_route(self._operator_last, self._options.source or SOURCE_DEFAULT)
        for bad_row in sorted(bad_rows, key=lambda row: row.line):
            bad_row.MergeFrom(FileRow(file=self._file.name, kind=self._shape.kind))
            yield ImportPayload(route, bad_row.SerializeToString(), 1, rest_bytes)
            rest_bytes = 0

    def _routes(self, sheet: Sheet, read: ReadSheet) -> dict[tuple[str, str], BoolColumn]:
        """Return the rows of every (operator, source), refusing rows that name none."""
        row_count = len(sheet.line)
        frame = pl.DataFrame({"row": np.arange(row_count)})
        for name, default in (
            ("operator", self._options.operator),
            ("source", self._options.source or SOURCE_DEFAULT),
        ):
            said = pl.Series([default], dtype=pl.String).new_from_index(0, row_count)
            column = sheet.columns.get(name, said).fill_null(default)
            is_slug = column.str.contains(f"^{SLUG.pattern}$").to_numpy()
            read.reason[~is_slug & (read.reason == TAKEN)] = int(Reject.UNKNOWN_VALUE)
            frame = frame.with_columns(column.alias(name))
        taken = frame.filter(pl.Series(read.reason == TAKEN))
        routes: dict[tuple[str, str], BoolColumn] = {}
        for (operator, source), part in taken.group_by("operator", "source", maintain_order=True):
            is_member = np.zeros(row_count, np.bool_)
            is_member[part["row"].to_numpy()] = True
            routes[str(operator), str(source)] = is_member
        return routes

    def _batches(
        self, read: ReadSheet, routes: dict[tuple[str, str], BoolColumn]
    ) -> Iterator[ImportPayload]:
        row_fields = RowFields(np.array([field.tag for field in read.fields], np.int64))
        values = row_values(read)
        for (operator, source), is_member in routes.items():
            self._operator_last = operator
            rows = np.flatnonzero(is_member).astype(np.int64)
            out, end = encode_payload_rows(row_fields, values, rows, self._shape.batch_tag)
            encoded = out.tobytes()
            first, start = 0, 0
            while first < len(end):
                limit = start + PAYLOAD_BYTES_MAX - HEAD_BYTES_MAX
                last = min(first + PAYLOAD_ROWS_MAX, int(np.searchsorted(end, limit, "right")))
                assert last > first, "one row is far smaller than a payload"
                stop = int(end[last - 1])
                payload = self._head(operator, source) + encoded[start:stop]
                yield ImportPayload(batch_route(operator, source), payload, last - first, 0)
                first, start = last, stop

    def _head(self, operator: str, source: str) -> bytes:
        sequence = self._sequences.get((operator, source), 0) + 1
        self._sequences[operator, source] = sequence
        head = Batch(
            source=source, operator=operator, boot_epoch=self._file.boot_epoch, sequence=sequence
        )
        return bytes(head.SerializeToString())

    def _file_row(self, sheet: Sheet, read: ReadSheet, row: int) -> FileRow:
        # A key that cannot be read may be a person's number in another spelling: it is not repeated.
        withheld = {
            self._file.column(field.name)
            for field, column in zip(read.fields, read.values, strict=True)
            if field.shape is Shape.KEY and column.is_unreadable[row]
        }
        culprit = int(read.culprit[row])
        if culprit >= 0:
            field = read.fields[culprit]
            name = self._file.column(field.name)
            cell = sheet.columns[field.name][row]
            told = WITHHELD if name in withheld else repr((cell or "")[:CELL_TEXT_MAX])
            detail = f"{name}: {told}, expected {field.expected}"
        else:
            detail = f"{self._file.column('operator')} or source: expected {SLUG.pattern}"
        shown = ", ".join(
            f"{name}={WITHHELD if name in withheld else cell}"
            for name, cell in sheet.shown.row(row, named=True).items()
            if cell is not None
        )
        return FileRow(
            line=int(sheet.line[row]),
            reason=Reject(int(read.reason[row])).name,
            detail=detail,
            row=shown[:ROW_TEXT_MAX],
        )

    def _warn_of_seconds(self, read: ReadSheet) -> None:
        for field, column in zip(read.fields, read.values, strict=True):
            given = column.bits[column.is_present]
            if self._is_warned or field.shape is not Shape.TIME or not len(given):
                continue
            if np.median(given) < SECONDS_LIKELY_BELOW:
                self._is_warned = True
                self._options.note(
                    f"{self._file.name}: {self._file.column(field.name)} lies about 1970:"
                    " seconds where milliseconds are expected?"
                )
