"""Numbered batches that never came, by the hash of who should have sent them."""

import numpy as np

from phusong.kernels.columns import Int64Column
from phusong.kernels.windows import SequenceWindows
from phusong.kernels.wire.text import text_hash
from phusong.verifier.coverage.cells import CellState
from phusong.verifier.names import Names


def sender_keys(sources: Names, source: Int64Column) -> Int64Column:
    """Return a hash of the sender of each row, which means the same in every process; `source` is a row of `sources`."""
    known, place = np.unique(source, return_inverse=True)
    keys = np.array([text_hash(sources.texts[row]) for row in known.tolist()], np.int64)
    return keys[place]


def lost_batches(windows: SequenceWindows, sources: Names, cells: CellState) -> dict[int, int]:
    """Return how many batches of each sender of cell reports lie below its newest and never came."""
    wanted = set(cells.senders.export()[0][:, 2].tolist())
    rows = ((text_hash(text), row) for row, text in enumerate(sources.texts))
    return {key: windows.gap_count_of(row) for key, row in rows if key in wanted}
