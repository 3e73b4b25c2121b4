"""The RSRP histogram of a cell report, from where the decoder found it."""

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

HISTOGRAM_PACKED = 12 << 3 | LENGTH
HISTOGRAM_UNPACKED = 12 << 3 | VARINT
UINT32_MASK = 0xFFFFFFFF


@bare_kernel
def read_histogram(
    buffer: ByteColumn, histogram_offset: Int, histogram_bytes: Int, count: Int64Column
) -> Int:
    """Write the bins of one row into `count` and return how many the row has, also when `count` is shorter.

    Takes `rsrp_histogram_offset` and `rsrp_histogram_bytes` of `CellReports`. Negative bytes: the histogram is in
    pieces, and the place is that of the whole row, which the decoder has checked.
    """
    if histogram_bytes >= 0:
        return read_bins(buffer, histogram_offset, histogram_offset + histogram_bytes, count, 0)

    position = histogram_offset
    end = histogram_offset - histogram_bytes
    bin_count: Int = 0
    while position < end:
        tag, position = read_tag(buffer, position, end)
        if tag == HISTOGRAM_PACKED:
            length, position = read_length(buffer, position, end)
            bin_count = read_bins(buffer, position, position + length, count, bin_count)
            position += length
        elif tag == HISTOGRAM_UNPACKED:
            value, position = read_varint(buffer, position, end, end)
            if bin_count < len(count):
                count[bin_count] = value & UINT32_MASK
            bin_count += 1
        else:
            position = skip_field(buffer, position, end, tag, DEPTH_MAX - 1)
    return bin_count


@bare_kernel
def read_bins(
    buffer: ByteColumn, position: Int, end: Int, count: Int64Column, bin_count: Int
) -> Int:
    """Write packed bins behind the first `bin_count` of `count`; return how many there are now."""
    while position < end:
        value, position = read_varint(buffer, position, end, end)
        if bin_count < len(count):
            count[bin_count] = value & UINT32_MASK
        bin_count += 1
    return bin_count
