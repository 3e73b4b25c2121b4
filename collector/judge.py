"""What is known of every payload of a frame from the frame itself and from the batches seen before.

The verifier judges again, from the journal, with more knowledge; receipts say what this says.
"""

from typing import NamedTuple

import numpy as np

from phusong.collector.routes import RouteTable
from phusong.kernels.admission import BATCH_KINDS, Rows, refuse_rows
from phusong.kernels.columns import BoolColumn, Decoded, Int64Column
from phusong.kernels.frame import Frame, PayloadKind
from phusong.kernels.registers import SOURCES_REGISTRY, SourceRegister, read_sources
from phusong.kernels.reject import TAKEN, Reject
from phusong.kernels.screen_cells import screen_cells
from phusong.kernels.screen_signal import screen_signal
from phusong.kernels.screen_usage import screen_usage
from phusong.kernels.windows import SequenceWindows
from phusong.v1.batches import decode_batches
from phusong.v1.ingest_pb2 import RowKind
from phusong.v1.journal_pb2 import RegistryEntry


class Envelopes(NamedTuple):
    """Where the payloads of a frame lie in its body, and by which routes (of the table) they came."""

    body: bytes
    route: Int64Column
    offset: Int64Column
    length: Int64Column


class RefusedRows(NamedTuple):
    """Rows that are not counted, in the order of their payloads."""

    payload: Int64Column
    kind: Int64Column
    row: Int64Column
    reason: Int64Column


class Judgement(NamedTuple):
    """One row per payload of the frame. `reject` is of the payload as a whole, TAKEN (0) when it could be read."""

    route: Int64Column
    reject: Int64Column
    is_repeated: BoolColumn
    boot_epoch: Int64Column
    sequence: Int64Column
    row_count: Int64Column
    refused_count: Int64Column  # rows, of readable payloads
    refused: RefusedRows


class Judge:
    """Judges frames in the order of the journal."""

    def __init__(self, table: RouteTable, windows: SequenceWindows) -> None:
        """Judge with what `windows` has seen so far."""
        self.table = table
        self.windows = windows

    def judge(self, envelopes: Envelopes) -> Judgement:
        """Return what becomes of every payload, and remember the batches."""
        count = len(envelopes.route)
        kind = self.table.kind[envelopes.route]
        reject = self.table.reject[envelopes.route]
        batch = np.flatnonzero(np.isin(kind, BATCH_KINDS))
        decoded = decode_batches(
            envelopes.body,
            envelopes.offset[batch],
            envelopes.length[batch],
            kind[batch] == PayloadKind.BATCH_JSON,
        )
        payloads = decoded.payloads
        is_other = payloads.source != self.table.source[envelopes.route[batch]]
        is_other &= (payloads.source != 0) & (payloads.reject == TAKEN)
        payloads.reject[is_other] = Reject.SOURCE_MISMATCH
        reject[batch] = np.where(payloads.reject == TAKEN, reject[batch], payloads.reject)

        boot_epoch, sequence, row_count = (np.zeros(count, np.int64) for _ in range(3))
        boot_epoch[batch], sequence[batch] = payloads.boot_epoch, payloads.sequence
        row_count[batch] = payloads.signal_count + payloads.usage_count + payloads.cell_count
        is_repeated = np.zeros(count, np.bool_)
        # A payload that cannot be read claims no sequence: its mended second sending must count.
        readable = batch[reject[batch] == TAKEN]
        is_repeated[readable] = self.windows.mark_repeated(
            self.table.identity[envelopes.route[readable]],
            boot_epoch[readable],
            sequence[readable],
        )
        refused = self._refused_rows(decoded, batch, envelopes.route[batch])
        self._note_registers(envelopes, kind)
        counted = refused.payload[reject[refused.payload] == TAKEN]
        refused_count = np.bincount(counted, minlength=count).astype(np.int64)
        return Judgement(
            envelopes.route,
            reject,
            is_repeated,
            boot_epoch,
            sequence,
            row_count,
            refused_count,
            refused,
        )

    def replay(self, frame: Frame, body: bytes) -> None:
        """Remember the batches of a frame of the journal."""
        number_of = np.zeros(max(frame.routes, default=0) + 1, np.int64)
        for number, route in frame.routes.items():
            number_of[number] = self.table.number(route)
        self.judge(Envelopes(body, number_of[frame.route], frame.offset, frame.length))

    def _note_registers(self, envelopes: Envelopes, kind: Int64Column) -> None:
        """Admit the sources of a register from the next frame on."""
        for i in np.flatnonzero(kind == PayloadKind.REGISTRY).tolist():
            start, length = int(envelopes.offset[i]), int(envelopes.length[i])
            entry = RegistryEntry.FromString(envelopes.body[start : start + length])
            if entry.registry == SOURCES_REGISTRY:
                register = read_sources(entry.content, is_journalled=True)
                assert isinstance(register, SourceRegister), "validated before it is journalled"
                self.table.admit(register)

    def _refused_rows(
        self, decoded: Decoded, batch: Int64Column, route: Int64Column
    ) -> RefusedRows:
        signal, usage, cells = decoded.signal, decoded.usage, decoded.cells
        signal_reason, usage_reason, cell_reason = (
            np.zeros(len(rows), np.int64) for rows in (signal.row, usage.row, cells.row)
        )
        if len(signal.row):
            screen_signal(signal, signal_reason)
        if len(usage.row):
            screen_usage(usage, decoded.payloads.sequence[usage.payload_row] != 0, usage_reason)
        if len(cells.row):
            screen_cells(cells, cell_reason)
        register = self.table.register
        bounds = register.bounds if register is not None else None
        if bounds is not None:
            bound = self.table.bound[route]
            refuse_rows(signal, bound, bounds, signal_reason)
            refuse_rows(usage, bound, bounds, usage_reason)
            refuse_rows(cells, bound, bounds, cell_reason)
        return _joined(
            (
                _refused_of(batch, RowKind.ROW_KIND_SIGNAL, signal, signal_reason),
                _refused_of(batch, RowKind.ROW_KIND_USAGE, usage, usage_reason),
                _refused_of(batch, RowKind.ROW_KIND_CELL, cells, cell_reason),
            )
        )


def _joined(parts: tuple[RefusedRows, ...]) -> RefusedRows:
    joined = RefusedRows(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
    order = np.argsort(joined.payload, kind="stable")
    return RefusedRows(*(column[order] for column in joined))


def _refused_of(batch: Int64Column, kind: int, rows: Rows, reason: Int64Column) -> RefusedRows:
    at = np.flatnonzero(reason)
    payload = batch[rows.payload_row[at]]
    return RefusedRows(payload, np.full(len(at), kind, np.int64), rows.row[at], reason[at])
