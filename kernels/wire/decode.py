"""Payloads to columns. One decoder for every door, for receipts and for state alike."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from phusong.kernels.columns import (
    ByteColumn,
    CellReports,
    Decoded,
    Int64Column,
    Payloads,
    SignalReadings,
    UsageReadings,
)
from phusong.kernels.wire.rows import Arena, decode_rows
from phusong.kernels.wire.schema import MESSAGES, NAN_BITS, WIDTHS
from phusong.kernels.wire.survey import PAYLOAD_MAX_BYTES, ROW_COUNT_MAX, survey_payloads

__all__ = ["PAYLOAD_MAX_BYTES", "ROW_COUNT_MAX", "decode_payloads"]

# Columns lie an odd number of cache lines apart: at a power of two all columns of
# a row would fall into the same few lines of the cache.
LINE_CELLS = 8


def decode_payloads(buffer: ByteColumn, offset: Int64Column, length: Int64Column) -> Decoded:
    """Return the columns of a run of `phusong.v1.Batch` payloads; payload i is `buffer[offset[i] :][: length[i]]`.

    Payloads come from devices we do not control, so whatever is wrong with one is a reason in `payloads.reject` and not an
    exception. Rows of refused payloads do not appear. Rows are in the order of payloads, then of the wire. Of a payload
    with several faults the one found first is named; the fields of `Batch` itself are looked at before its rows.
    """
    if not buffer.flags.writeable:
        buffer = (
            buffer.copy()
        )  # kernels take writable arrays only: a read-only one would compile them again
    payloads = Payloads(*np.empty((len(Payloads._fields), len(offset)), np.int64))
    survey_payloads(buffer, offset, length, payloads)

    capacity = np.array(
        [payloads.signal_count.sum(), payloads.usage_count.sum(), payloads.cell_count.sum()]
    )
    arena = _new_arena(capacity)
    decode_rows(buffer, offset, length, payloads, arena)
    return Decoded(
        payloads,
        SignalReadings(*_columns(arena, 0)),
        UsageReadings(*_columns(arena, 1)),
        CellReports(*_columns(arena, 2)),
        buffer,
    )


def _new_arena(capacity: Int64Column) -> Arena:
    line_count = (capacity + LINE_CELLS - 1) // LINE_CELLS
    stride = (line_count | 1) * LINE_CELLS
    stride[capacity == 0] = 0
    base = np.cumsum(stride * WIDTHS) - stride * WIDTHS
    cells = np.empty(int((stride * WIDTHS).sum()), np.int64)
    row_count, payload_first, filled = np.zeros((3, len(capacity)), np.int64)
    return Arena(cells, cells.view(np.float64), base, stride, row_count, payload_first, filled)


def _columns(arena: Arena, kind: int) -> Iterator[Any]:
    """Yield the columns of a kind in their order: int64[row] or float64[row], views of the arena."""
    base, stride, width = int(arena.base[kind]), int(arena.stride[kind]), int(WIDTHS[kind])
    matrix = arena.cells[base : base + width * stride].reshape(width, stride)
    for column, is_float in zip(
        matrix[:, : int(arena.row_count[kind])], _FLOAT_COLUMNS[kind], strict=True
    ):
        yield column.view(np.float64) if is_float else column


_FLOAT_COLUMNS = [
    [
        any(field.column == name and field.missing == NAN_BITS for field in message.fields)
        for name in message.columns._fields
    ]
    for message in MESSAGES
]
