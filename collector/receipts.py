"""What a sender is told of one payload."""

from typing import NamedTuple

import numpy as np

from phusong.collector.judge import Judgement
from phusong.collector.routes import RouteTable
from phusong.kernels.reject import TAKEN, reason_name
from phusong.v1.ingest_pb2 import Receipt, RefusedRow

# As ingest.proto says.
REFUSED_ROW_COUNT_MAX = 100
UINT64_MASK = (1 << 64) - 1


class Committed(NamedTuple):
    """Payloads first..last-1 of a frame that is on disk."""

    journal_sequence: int
    judgement: Judgement
    first: int
    last: int


def receipt_of(committed: Committed, payload: int, table: RouteTable) -> Receipt:
    """Return the receipt of one payload of a frame, counted from the frame's start."""
    judgement = committed.judgement
    route = table.routes[int(judgement.route[payload]) - 1]
    receipt = Receipt(
        source=route.source,
        boot_epoch=int(judgement.boot_epoch[payload]) & UINT64_MASK,
        sequence=int(judgement.sequence[payload]) & UINT64_MASK,
        journal_sequence=committed.journal_sequence,
    )
    reject = int(judgement.reject[payload])
    row_count = int(judgement.row_count[payload])
    if reject != TAKEN:
        receipt.refused_count = 1
        receipt.refused.append(RefusedRow(reason=reason_name(reject)))
    else:
        receipt.duplicate_count = int(judgement.repeated_count[payload])
        receipt.refused_count = int(judgement.refused_count[payload])
        receipt.accepted_count = row_count - receipt.duplicate_count - receipt.refused_count
        if receipt.refused_count:
            _add_refused(receipt, judgement, payload)
    return receipt


def _add_refused(receipt: Receipt, judgement: Judgement, payload: int) -> None:
    refused = judgement.refused
    start = int(np.searchsorted(refused.payload, payload))
    for i in range(start, start + min(receipt.refused_count, REFUSED_ROW_COUNT_MAX)):
        receipt.refused.add(
            kind=int(refused.kind[i]),
            row=int(refused.row[i]),
            reason=reason_name(int(refused.reason[i])),
        )
