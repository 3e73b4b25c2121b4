"""The payloads of a file sent down the road into the journal, and what became of its rows."""

import itertools
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from phusong.collector.importing.options import ImportFailed, ImportPayload, ImportRefused
from phusong.collector.importing.screening import refused_rows
from phusong.kernels.frame import PayloadKind, Route
from phusong.v1.ingest_pb2 import ROW_KIND_UNSPECIFIED, Receipt
from phusong.v1.journal_pb2 import FileRow

if TYPE_CHECKING:  # the road leads to gRPC, which readers of files need not wait for
    from phusong.collector.road import Road


@dataclass(slots=True)
class FileReceipt:
    """What became of one file. `read_count` = taken + duplicate + the sum of refused, in rows."""

    file: str
    read_count: int = 0
    taken_count: int = 0
    duplicate_count: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    read_bytes: int = 0
    journal_sequence_first: int = 0
    journal_sequence_last: int = 0

    def add_payload(self, payload: ImportPayload, receipt: Receipt) -> None:
        """Count what became of one payload."""
        self._note_place(receipt.journal_sequence)
        if payload.route.kind == PayloadKind.FILE_ROW:
            self.refused[FileRow.FromString(payload.payload).reason] += 1
            return
        self.taken_count += receipt.accepted_count
        self.duplicate_count += receipt.duplicate_count
        if not receipt.refused_count:
            return
        if receipt.refused[0].kind == ROW_KIND_UNSPECIFIED:  # the payload as a whole
            self.refused[receipt.refused[0].reason] += payload.row_count
        elif receipt.refused_count <= len(receipt.refused):
            self.refused.update(row.reason for row in receipt.refused)
        else:
            self.refused.update(refused_rows(payload.payload))

    def add_read(self, payload: ImportPayload) -> None:
        """Count what was read from the file."""
        self.read_count += payload.row_count
        self.read_bytes += payload.read_bytes

    def _note_place(self, journal_sequence: int) -> None:
        if not self.journal_sequence_first:
            self.journal_sequence_first = journal_sequence
        self.journal_sequence_last = max(self.journal_sequence_last, journal_sequence)


async def send_file(
    road: "Road",
    payloads: Iterable[ImportPayload],
    receipt: FileReceipt,
    advance: Callable[[int], None],
) -> None:
    """Send a file and count into `receipt` what became of it. `advance` hears how many bytes of it were read.

    Refused rows have no sequence to know them again by. They follow the batches of their part of the file: where
    all of those had been taken before, so had the refused rows.
    """
    is_repeated = False
    for kind, run in itertools.groupby(payloads, key=lambda payload: payload.route.kind):
        if kind == PayloadKind.FILE_ROW and is_repeated:
            for payload in _reading(run, receipt, advance):
                receipt.duplicate_count += payload.row_count
            continue
        taken_before, duplicate_before = receipt.taken_count, receipt.duplicate_count
        refused_before = receipt.refused.total()
        await _send_run(road, _reading(run, receipt, advance), receipt)
        if kind == PayloadKind.BATCH:
            is_repeated = (
                receipt.duplicate_count > duplicate_before
                and receipt.taken_count == taken_before
                and receipt.refused.total() == refused_before
            )


async def _send_run(road: "Road", run: Iterator[ImportPayload], receipt: FileReceipt) -> None:
    sent: deque[ImportPayload] = deque()
    broken: list[ImportRefused | ImportFailed] = []

    def remembered() -> Iterator[tuple[Route, bytes]]:
        try:
            for payload in run:
                sent.append(payload)
                yield payload.route, payload.payload
        except (ImportRefused, ImportFailed) as error:
            broken.append(error)  # after the receipts of what is under way

    async for answer in road.receipts(remembered()):
        receipt.add_payload(sent.popleft(), answer)
    for error in broken:
        raise error


def _reading(
    run: Iterator[ImportPayload], receipt: FileReceipt, advance: Callable[[int], None]
) -> Iterator[ImportPayload]:
    for payload in run:
        receipt.add_read(payload)
        advance(payload.read_bytes)
        yield payload
