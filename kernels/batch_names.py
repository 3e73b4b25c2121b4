"""Who a protobuf Batch says it is from, without decoding its rows: where the names lie in it."""

from typing import NamedTuple

import numpy as np

from phusong.kernels.columns import ByteColumn, Int, Int64Column
from phusong.kernels.wire.bare import bare_kernel
from phusong.kernels.wire.fields import DEPTH_MAX, LENGTH, read_length, read_tag, skip_field

# Tags of telemetry.proto: field number × 8 + wire type.
BATCH_SOURCE = 1 << 3 | LENGTH
BATCH_OPERATOR = 7 << 3 | LENGTH


class BatchNames(NamedTuple):
    """The names in a Batch, "" where not given."""

    operator: str
    source: str


@bare_kernel
def find_names(buffer: ByteColumn, place: Int64Column) -> None:
    """Write offset and length of the source, then of the operator, into int64[4]; the last of each counts.

    Stops where the bytes are no protobuf: whoever decodes them says why.
    """
    position: Int = 0
    end = len(buffer)
    while position < end:
        tag, position = read_tag(buffer, position, end)
        if position < 0:
            return
        column = -1
        if tag == BATCH_SOURCE:
            column = 0
        elif tag == BATCH_OPERATOR:
            column = 2
        if column < 0:
            position = skip_field(buffer, position, end, tag, DEPTH_MAX)
            if position < 0:
                return
            continue
        name_bytes, position = read_length(buffer, position, end)
        if position < 0:
            return
        place[column] = position
        place[column + 1] = name_bytes
        position += name_bytes


def batch_names(payload: bytes) -> BatchNames:
    """Return the operator and the source a Batch names. Bytes that are no UTF-8 become U+FFFD."""
    place = np.zeros(4, np.int64)
    find_names(np.frombuffer(bytearray(payload), np.uint8), place)
    source, source_bytes, operator, operator_bytes = place.tolist()
    return BatchNames(
        operator=payload[operator : operator + operator_bytes].decode(errors="replace"),
        source=payload[source : source + source_bytes].decode(errors="replace"),
    )
