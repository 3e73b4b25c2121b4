"""Where the routes and envelopes of a frame's body lie. Kernels for `kernels.frame`.

Every kernel answers with the position at which it stopped, or with a `Reject` with its sign turned.
"""

from phusong.kernels.columns import ByteColumn, Int, Int64Column
from phusong.kernels.wire.bare import bare_kernel
from phusong.kernels.wire.fields import (
    DEPTH_MAX,
    LENGTH,
    VARINT,
    read_length,
    read_tag,
    read_varint,
    skip_field,
)

# Tags of journal.proto: field number, wire type.
FRAME_ROUTE = 1 << 3 | LENGTH
FRAME_ENVELOPE = 2 << 3 | LENGTH
ENVELOPE_ROUTE = 1 << 3 | VARINT
ENVELOPE_PAYLOAD = 2 << 3 | LENGTH
ROUTE_NUMBER = 1 << 3 | VARINT
ROUTE_OPERATOR = 2 << 3 | LENGTH
ROUTE_SOURCE = 3 << 3 | LENGTH
ROUTE_PRINCIPAL = 4 << 3 | LENGTH
ROUTE_TRANSPORT = 5 << 3 | VARINT
ROUTE_KIND = 6 << 3 | VARINT

# Columns of the array that `count_fields` fills.
ROUTES, ENVELOPES = 0, 1

# Columns of the table that `find_routes` fills.
NUMBER, TRANSPORT, KIND = 0, 1, 2
OPERATOR, SOURCE, PRINCIPAL = 3, 5, 7  # each an offset, and its length in the next column
ROUTE_COLUMN_COUNT = 9

UINT32_MASK = 0xFFFFFFFF


@bare_kernel
def count_fields(buffer: ByteColumn, count: Int64Column) -> Int:
    """Add the number of routes and of envelopes of a body to `count`; the outermost fields are checked on the way."""
    position: Int = 0
    end = len(buffer)
    while position < end:
        tag, position = read_tag(buffer, position, end)
        if position < 0:
            return position
        if tag in (FRAME_ROUTE, FRAME_ENVELOPE):
            length, position = read_length(buffer, position, end)
            position = position if position < 0 else position + length
            count[ENVELOPES if tag == FRAME_ENVELOPE else ROUTES] += 1
        else:
            position = skip_field(buffer, position, end, tag, DEPTH_MAX)
        if position < 0:
            return position
    return position


@bare_kernel
def find_envelopes(
    buffer: ByteColumn, route: Int64Column, offset: Int64Column, length: Int64Column
) -> Int:
    """Write the route number of every envelope and the place of its payload; `count_fields` has counted them."""
    row = 0
    position: Int = 0
    while row < len(offset):
        tag, position = read_tag(buffer, position, len(buffer))
        if tag != FRAME_ENVELOPE:
            position = skip_field(buffer, position, len(buffer), tag, DEPTH_MAX)
            continue

        envelope_bytes, position = read_length(buffer, position, len(buffer))
        end = position + envelope_bytes
        route[row] = 0
        offset[row] = end
        length[row] = 0
        while position < end:
            tag, position = read_tag(buffer, position, end)
            if position < 0:
                return position
            if tag == ENVELOPE_ROUTE:
                number, position = read_varint(buffer, position, end, end)
                route[row] = number & UINT32_MASK
            elif tag == ENVELOPE_PAYLOAD:
                payload_bytes, position = read_length(buffer, position, end)
                offset[row] = position
                length[row] = payload_bytes
                position = position if position < 0 else position + payload_bytes
            else:
                position = skip_field(buffer, position, end, tag, DEPTH_MAX - 1)
            if position < 0:
                return position
        row += 1
    return position


@bare_kernel
def find_routes(buffer: ByteColumn, table: Int64Column) -> Int:
    """Fill a row of `table` (zeros, int64[n, ROUTE_COLUMN_COUNT]) for every route; `count_fields` has counted them."""
    row = 0
    position: Int = 0
    while row < len(table):
        tag, position = read_tag(buffer, position, len(buffer))
        if tag != FRAME_ROUTE:
            position = skip_field(buffer, position, len(buffer), tag, DEPTH_MAX)
            continue

        route_bytes, position = read_length(buffer, position, len(buffer))
        end = position + route_bytes
        while position < end:
            tag, position = read_tag(buffer, position, end)
            if position < 0:
                return position
            column = route_column(tag)
            if column < 0:
                position = skip_field(buffer, position, end, tag, DEPTH_MAX - 1)
            elif column >= OPERATOR:
                text_bytes, position = read_length(buffer, position, end)
                table[row, column] = position
                table[row, column + 1] = text_bytes
                position = position if position < 0 else position + text_bytes
            else:
                value, position = read_varint(buffer, position, end, end)
                table[row, column] = value & UINT32_MASK
            if position < 0:
                return position
        row += 1
    return position


@bare_kernel
def route_column(tag: Int) -> Int:
    """Return the column of the route table that a field fills, -1 for an unknown field."""
    column = -1
    if tag == ROUTE_NUMBER:
        column = NUMBER
    elif tag == ROUTE_OPERATOR:
        column = OPERATOR
    elif tag == ROUTE_SOURCE:
        column = SOURCE
    elif tag == ROUTE_PRINCIPAL:
        column = PRINCIPAL
    elif tag == ROUTE_TRANSPORT:
        column = TRANSPORT
    elif tag == ROUTE_KIND:
        column = KIND
    return column
