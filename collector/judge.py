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
from phusong.kernels.unnumbered import Arrival, UnnumberedRows
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
    """Rows that are not counted, of readable payloads that are no repeats, in the order of their payloads."""

    payload: Int64Column
    kind: Int64Column
    row: Int64Column
    reason: Int64Column


class Judgement(NamedTuple):
    """One row per payload of the frame. `reject` is of the payload as a whole, TAKEN (0) when it could be read."""

    route: Int64Column
    reject: Int64Column
    boot_epoch: Int64Column
    sequence: Int64Column
    # Rows of readable payloads: row = accepted + repeated + refused.
    row_count: Int64Column
    repeated_count: Int64Column
    refused_count: Int64Column
    refused: RefusedRows
    registries: tuple[
        tuple[str, str], ...
    ] = ()  # versions of lists that came with it: which, from which file


# By kind: a look-up costs a fifth of asking for membership.
IS_BATCH_KIND = np.isin(np.arange(max(PayloadKind) + 1), BATCH_KINDS)


class Judge:
    """Judges frames in the order of the journal."""

    def __init__(
        self, table: RouteTable, windows: SequenceWindows, unnumbered: UnnumberedRows
    ) -> None:
        """Judge with what `windows` and `unnumbered` have seen so far."""
        self.table = table
        self.windows = windows
        self.unnumbered = unnumbered

    def judge(self, envelopes: Envelopes, received_time_ms: int) -> Judgement:
        """Return what becomes of every payload of a frame, and remember the batches."""
        count = len(envelopes.route)
        kind = self.table.kind[envelopes.route]
        reject = self.table.reject[envelopes.route]
        batch = np.flatnonzero(IS_BATCH_KIND[kind])
        decoded = decode_batches(
            envelopes.body,
            envelopes.offset[batch],
            envelopes.length[batch],
            kind[batch] == PayloadKind.BATCH_JSON,
        )
        payloads = decoded.payloads
        route = envelopes.route[batch]
        is_other = payloads.source != self.table.source[route]
        is_other &= (payloads.source != 0) & (payloads.reject == TAKEN)
        payloads.reject[is_other] = Reject.SOURCE_MISMATCH
        payloads.reject[:] = np.where(payloads.reject == TAKEN, reject[batch], payloads.reject)

        # A payload that cannot be read claims no sequence: its mended second sending must count.
        readable = np.flatnonzero(payloads.reject == TAKEN)
        is_repeated = np.zeros(len(batch), np.bool_)
        untracked = np.zeros(len(readable), np.int64)
        is_repeated[readable] = self.windows.mark_repeated(
            self.table.identity[route[readable]],
            payloads.boot_epoch[readable],
            payloads.sequence[readable],
            untracked,
        )
        payloads.reject[readable] = untracked
        reject[batch] = payloads.reject
        refused, repeated_count = self._judge_rows(decoded, route, is_repeated, received_time_ms)
        registries = self._note_registers(envelopes, kind)
        row_count = payloads.signal_count + payloads.usage_count + payloads.cell_count
        row_count[payloads.reject != TAKEN] = 0
        refused_count = np.bincount(refused.payload, minlength=len(batch))
        return Judgement(
            route=envelopes.route,
            reject=reject,
            boot_epoch=_spread(payloads.boot_epoch, batch, count),
            sequence=_spread(payloads.sequence, batch, count),
            row_count=_spread(row_count, batch, count),
            repeated_count=_spread(np.where(is_repeated, row_count, repeated_count), batch, count),
            refused_count=_spread(refused_count, batch, count),
            refused=refused._replace(payload=batch[refused.payload]),
            registries=registries,
        )

    def replay(self, frame: Frame, body: bytes, received_time_ms: int) -> None:
        """Remember the batches of a frame of the journal."""
        number_of = np.zeros(max(frame.routes, default=0) + 1, np.int64)
        for number, route in frame.routes.items():
            number_of[number] = self.table.number(route)
        envelopes = Envelopes(body, number_of[frame.route], frame.offset, frame.length)
        self.judge(envelopes, received_time_ms)

    def _note_registers(
        self, envelopes: Envelopes, kind: Int64Column
    ) -> tuple[tuple[str, str], ...]:
        """Admit the sources of a register from the next frame on; return which lists came."""
        names = []
        for i in np.flatnonzero(kind == PayloadKind.REGISTRY).tolist():
            start, length = int(envelopes.offset[i]), int(envelopes.length[i])
            entry = RegistryEntry.FromString(envelopes.body[start : start + length])
            names.append((entry.registry, entry.file))
            if entry.registry == SOURCES_REGISTRY:
                register = read_sources(entry.content, is_journalled=True)
                assert isinstance(register, SourceRegister), "validated before it is journalled"
                self.table.admit(register)
        return tuple(names)

    def _judge_rows(
        self,
        decoded: Decoded,
        route: Int64Column,
        is_repeated: BoolColumn,
        received_time_ms: int,
    ) -> tuple[RefusedRows, Int64Column]:
        """Return the refused rows by payload of `decoded`, and how many rows without a number came before."""
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
        arrival = Arrival(
            received_time_ms, self.table.identity[route], self.table.is_imported[route]
        )
        repeated_count = np.zeros(len(route), np.int64)
        for rows, reason in ((signal, signal_reason), (cells, cell_reason)):
            came_before = self.unnumbered.mark_repeated(decoded, rows, arrival, reason)
            np.add.at(repeated_count, rows.payload_row[came_before], 1)
        refused = _joined(
            (
                _refused_of(RowKind.ROW_KIND_SIGNAL, signal, signal_reason),
                _refused_of(RowKind.ROW_KIND_USAGE, usage, usage_reason),
                _refused_of(RowKind.ROW_KIND_CELL, cells, cell_reason),
            )
        )
        is_counted = (decoded.payloads.reject == TAKEN) & ~is_repeated
        at = np.flatnonzero(is_counted[refused.payload])
        return RefusedRows(*(column[at] for column in refused)), repeated_count


def _spread(column: Int64Column, batch: Int64Column, count: int) -> Int64Column:
    """Return a column of all payloads, 0 for those that are no batches."""
    spread = np.zeros(count, np.int64)
    spread[batch] = column
    return spread


def _joined(parts: tuple[RefusedRows, ...]) -> RefusedRows:
    joined = RefusedRows(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
    order = np.argsort(joined.payload, kind="stable")
    return RefusedRows(*(column[order] for column in joined))


def _refused_of(kind: int, rows: Rows, reason: Int64Column) -> RefusedRows:
    at = np.flatnonzero(reason)
    payload = rows.payload_row[at]
    return RefusedRows(payload, np.full(len(at), kind, np.int64), rows.row[at], reason[at])
