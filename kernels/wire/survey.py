"""The first pass over payloads: the fields of `Batch` itself, and how many rows there are."""

import numpy as np

from phusong.kernels.columns import ByteColumn, Int, Int64Column, Payloads
from phusong.kernels.reject import Reject
from phusong.kernels.wire.bare import bare_kernel
from phusong.kernels.wire.fields import (
    DEPTH_MAX,
    FIXED32,
    LENGTH,
    VARINT,
    read_length,
    read_tag,
    read_varint,
    skip_field,
)
from phusong.kernels.wire.text import hash_text, is_utf8

# Stated to senders in telemetry.proto: what one message of a broker with usual settings carries.
PAYLOAD_MAX_BYTES = 1 << 20
# One row of each kind in 64 bytes fills a payload: more rows than this are empty ones, which
# would take 200 bytes of columns for 2 on the wire.
ROW_COUNT_MAX = 16_384

# Tags of Batch.
SOURCE = 1 << 3 | LENGTH
BOOT_EPOCH = 2 << 3 | VARINT
SEQUENCE = 3 << 3 | VARINT
SIGNAL_ROW = 4 << 3 | LENGTH
USAGE_ROW = 5 << 3 | LENGTH
CELL_ROW = 6 << 3 | LENGTH
OPERATOR = 7 << 3 | LENGTH
KNOWN_FIELD_MAX = 7

EMPTY = int(Reject.EMPTY)
MISTYPED = int(Reject.MISTYPED)
TOO_LARGE = int(Reject.TOO_LARGE)
TOO_MANY_ROWS = int(Reject.TOO_MANY_ROWS)
NOT_UTF8 = int(Reject.NOT_UTF8)
NO_ROWS = int(Reject.NO_ROWS)


@bare_kernel
def survey_payloads(
    buffer: ByteColumn, offset: Int64Column, length: Int64Column, payloads: Payloads
) -> None:
    """Fill the columns of `payloads`; rows are counted and not looked into."""
    assert len(offset) == len(length) == len(payloads.reject)

    for row in range(len(offset)):
        assert offset[row] >= 0
        assert length[row] >= 0
        assert offset[row] + length[row] <= len(buffer)

        payloads.source[row] = 0
        payloads.boot_epoch[row] = 0
        payloads.sequence[row] = 0
        payloads.operator[row] = 0
        forget_rows(payloads, row)
        reason = survey_payload(buffer, offset[row], offset[row] + length[row], payloads, row)
        payloads.reject[row] = reason
        if reason != 0:
            forget_rows(payloads, row)


@bare_kernel
def forget_rows(payloads: Payloads, row: Int) -> None:
    """Count no row of a payload that is refused as a whole."""
    payloads.signal_count[row] = 0
    payloads.usage_count[row] = 0
    payloads.cell_count[row] = 0


@bare_kernel
def survey_payload(  # noqa: PLR0911 - every fault has its own reason
    buffer: ByteColumn, position: Int, end: Int, payloads: Payloads, row: Int
) -> Int:
    """Fill one row of `payloads` but for its reason, which is returned."""
    if position == end:
        return EMPTY
    if end - position > PAYLOAD_MAX_BYTES:
        return TOO_LARGE
    while position < end:
        tag, position = read_tag(buffer, position, end)
        if position < 0:
            return -position
        if tag in (SIGNAL_ROW, USAGE_ROW, CELL_ROW):
            length, position = read_length(buffer, position, end)
            position = position if position < 0 else position + length
            if tag == SIGNAL_ROW:
                payloads.signal_count[row] += 1
            elif tag == USAGE_ROW:
                payloads.usage_count[row] += 1
            else:
                payloads.cell_count[row] += 1
        elif tag in (SOURCE, OPERATOR):
            length, position = read_length(buffer, position, end)
            if position < 0:
                return -position
            value, is_ascii = hash_text(buffer, position, position + length, end)
            if not is_ascii and not is_utf8(buffer, position, position + length):
                return np.int64(NOT_UTF8)
            if tag == SOURCE:
                payloads.source[row] = value
            else:
                payloads.operator[row] = value
            position += length
        elif tag in (BOOT_EPOCH, SEQUENCE):
            value, position = read_varint(buffer, position, end, end)
            if tag == SEQUENCE:
                payloads.sequence[row] = value
            else:
                payloads.boot_epoch[row] = value
        elif tag >> 3 <= KNOWN_FIELD_MAX and tag & 7 <= FIXED32:
            return np.int64(MISTYPED)
        else:
            position = skip_field(buffer, position, end, tag, DEPTH_MAX)
        if position < 0:
            return -position

    count = payloads.signal_count[row] + payloads.usage_count[row] + payloads.cell_count[row]
    if count == 0:
        return NO_ROWS
    return np.int64(TOO_MANY_ROWS if count > ROW_COUNT_MAX else 0)
