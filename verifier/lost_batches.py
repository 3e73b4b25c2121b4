"""Numbered batches that never came, by the hash of who should have sent them."""

from phusong.kernels.columns import Int64Column
from phusong.kernels.windows import SequenceWindows
from phusong.verifier.coverage.cells import CellState
from phusong.verifier.names import Names


def sender_keys(sources: Names, source: Int64Column) -> Int64Column:
    """Return a hash of the sender of each row, which means the same in every process; `source` is a row of `sources`."""
    return sources.hashes()[source]


def lost_batches(windows: SequenceWindows, sources: Names, cells: CellState) -> dict[int, int]:
    """Return how many batches of each sender of cell reports lie below its newest and never came."""
    wanted = set(cells.senders.export()[0][:, 2].tolist())
    rows = zip(sources.hashes().tolist(), range(len(sources.texts)), strict=True)
    return {key: windows.gap_count_of(row) for key, row in rows if key in wanted}
