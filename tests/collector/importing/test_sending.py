from collections import Counter

import pytest

from phusong.collector.importing.options import (
    ImportFailed,
    ImportPayload,
    batch_route,
    file_row_route,
)
from phusong.collector.importing.sending import FileReceipt, send_file
from phusong.kernels.frame import PayloadKind
from phusong.v1.ingest_pb2 import Receipt, RefusedRow
from phusong.v1.journal_pb2 import FileRow
from phusong.v1.telemetry_pb2 import Batch


class Road:
    """A journal that knows batches again by their sequence."""

    def __init__(self):
        self.seen = set()
        self.file_row_count = 0

    async def receipts(self, payloads):
        for route, payload in payloads:
            if route.kind == PayloadKind.FILE_ROW:
                self.file_row_count += 1
                yield Receipt(journal_sequence=len(self.seen))
                continue
            batch = Batch.FromString(payload)
            is_new = batch.sequence not in self.seen
            self.seen.add(batch.sequence)
            yield Receipt(
                journal_sequence=len(self.seen),
                accepted_count=2 * is_new,
                duplicate_count=2 * (not is_new),
            )


def batch(sequence):
    return ImportPayload(
        batch_route("viettel", "import"), Batch(sequence=sequence).SerializeToString(), 2, 10
    )


def bad_row(line):
    row = FileRow(line=line, reason="NOT_A_TIME")
    return ImportPayload(file_row_route("viettel", "import"), row.SerializeToString(), 1, 0)


FILE = [batch(1), bad_row(3), batch(2), bad_row(6), bad_row(7)]


async def send(road, payloads):
    receipt, read = FileReceipt("file.csv"), []
    await send_file(road, payloads, receipt, read.append)
    assert sum(read) == receipt.read_bytes
    return receipt


async def test_a_receipt_adds_up():
    receipt = await send(Road(), FILE)

    assert (receipt.read_count, receipt.taken_count, receipt.refused) == (7, 4, {"NOT_A_TIME": 3})
    assert (receipt.journal_sequence_first, receipt.journal_sequence_last) == (1, 2)


async def test_an_interrupted_import_takes_up_where_it_was_with_its_refused_rows():
    road = Road()
    await send(road, FILE[:2])

    receipt = await send(road, FILE)

    assert (receipt.taken_count, receipt.duplicate_count) == (2, 3)
    assert receipt.refused == {"NOT_A_TIME": 2}
    assert road.file_row_count == 3


async def test_a_file_that_breaks_while_it_is_read_is_on_the_receipt_as_far_as_it_went():
    def breaking():
        yield batch(1)
        raise ImportFailed("torn")

    receipt = FileReceipt("file.csv")
    with pytest.raises(ImportFailed, match="torn"):
        await send_file(Road(), breaking(), receipt, lambda _: None)

    assert receipt.taken_count == 2


@pytest.mark.parametrize(
    ("refused", "expected"),
    [
        ([RefusedRow(reason="UNKNOWN_SOURCE")], {"UNKNOWN_SOURCE": 2}),  # the payload as a whole
        ([RefusedRow(kind=1, row=1, reason="LEVEL_MISSING")], {"LEVEL_MISSING": 1}),
    ],
)
def test_refusals_are_counted_in_rows(refused, expected):
    receipt = FileReceipt("file.csv")

    receipt.add_payload(batch(1), Receipt(refused_count=1, refused=refused))

    assert receipt.refused == Counter(expected)
