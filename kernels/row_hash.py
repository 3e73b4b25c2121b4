"""What a row says, as 64 bits: for rows of batches that nobody numbered.

Everything the device said of the world counts, whichever way it was encoded: floats by their bits, a histogram by its
bins. What belongs to one sending does not: where the row stood in its batch, the batch's boot epoch, how long the
device had held the reading (a second sending is later), and the arrival an importer gives. Source and observed time
are not in it: `kernels.row_identity` keeps them whole beside it.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from phusong.kernels.columns import ByteColumn, CellReports, Int64Column, SignalReadings
from phusong.kernels.identity import STEP, mix64
from phusong.kernels.jit import kernel, wrapping
from phusong.kernels.wire.histogram import read_histogram
from phusong.kernels.wire.schema import NAN_BITS

BESIDE = ("observed_time_ms",)
OF_A_SENDING = ("payload_row", "row", "reporting_delay_ms", "received_time_ms")
HISTOGRAM = ("rsrp_histogram_offset", "rsrp_histogram_bytes")

# As telemetry.proto says; of a longer one the length is told too.
BIN_COUNT_MAX = 128


@kernel
@wrapping
def mix_column(bits: Int64Column, row_hash: Int64Column) -> None:
    """Take one more column into the hash of every row."""
    assert len(bits) == len(row_hash)
    for i in range(len(bits)):
        row_hash[i] = np.int64(np.uint64(mix64(row_hash[i] ^ bits[i])) + STEP)


@kernel
@wrapping
def mix_histograms(
    buffer: ByteColumn,
    offset: Int64Column,
    length: Int64Column,
    bins: Int64Column,
    row_hash: Int64Column,
) -> None:
    """Take the histograms into the hash of every row; bins: int64[BIN_COUNT_MAX], overwritten."""
    assert len(offset) == len(length) == len(row_hash)
    for i in range(len(offset)):
        bin_count = read_histogram(buffer, offset[i], length[i], bins)
        value = row_hash[i] ^ bin_count
        for k in range(min(bin_count, len(bins))):
            value = np.int64(np.uint64(mix64(value)) + STEP) ^ bins[k]
        row_hash[i] = mix64(value)


def row_hashes(readings: SignalReadings | CellReports, buffer: ByteColumn) -> Int64Column:
    """Return what every row says, int64[n]. buffer: the bytes the rows were decoded from."""
    row_hash = np.zeros(len(readings.row), np.int64)
    for name, column in zip(readings._fields, readings, strict=True):
        if name in BESIDE or name in OF_A_SENDING or name in HISTOGRAM:
            continue
        mix_column(_bits(column), row_hash)
    if isinstance(readings, CellReports):
        mix_histograms(
            buffer,
            readings.rsrp_histogram_offset,
            readings.rsrp_histogram_bytes,
            np.zeros(BIN_COUNT_MAX, np.int64),
            row_hash,
        )
    return row_hash


def _bits(column: NDArray[Any]) -> Int64Column:
    if column.dtype != np.float64:
        return np.ascontiguousarray(column, np.int64)
    # A NaN is "not known", whatever its other bits.
    return np.where(np.isnan(column), NAN_BITS, column.view(np.int64))
