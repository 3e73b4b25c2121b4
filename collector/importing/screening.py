"""Why rows of a payload are not taken, by name. A receipt lists the first hundred rows only; this counts them all."""

from collections import Counter

import numpy as np

from phusong.kernels.columns import Decoded, Int64Column
from phusong.kernels.reject import TAKEN, reason_name
from phusong.kernels.screen_cells import screen_cells
from phusong.kernels.screen_signal import screen_signal
from phusong.kernels.screen_usage import screen_usage
from phusong.kernels.wire.decode import decode_payloads


def decode_payload(payload: bytes) -> Decoded:
    """Return the columns of one payload."""
    buffer = np.frombuffer(bytearray(payload), np.uint8)
    return decode_payloads(buffer, np.zeros(1, np.int64), np.array([len(payload)], np.int64))


def screen_rows(decoded: Decoded) -> Int64Column:
    """Return a reason for every row, TAKEN for those that can be believed: signal, usage, cell reports in turn."""
    signal, usage, cells = (
        np.zeros(len(rows.row), np.int64) for rows in (decoded.signal, decoded.usage, decoded.cells)
    )
    screen_signal(decoded.signal, signal)
    has_sequence = decoded.payloads.sequence[decoded.usage.payload_row] != 0
    screen_usage(decoded.usage, has_sequence, usage)
    screen_cells(decoded.cells, cells)
    return np.concatenate((signal, usage, cells))


def refused_rows(payload: bytes) -> Counter[str]:
    """Return how many rows of a payload are refused, by the name of the reason."""
    decoded = decode_payload(payload)
    if decoded.payloads.reject[0] != TAKEN:
        return Counter({reason_name(int(decoded.payloads.reject[0])): 1})
    reason, count = np.unique(screen_rows(decoded), return_counts=True)
    return Counter(
        {reason_name(int(r)): int(n) for r, n in zip(reason, count, strict=True) if r != TAKEN}
    )
