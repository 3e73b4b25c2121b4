"""What the quota ledger is made of, as numbers and names: entries, adjustments, and the digests of both. No Numba."""

import hashlib
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from phusong.kernels.shard_number import SHARD_VERSION

# Accounting reports come every ten minutes to an hour, and a source that was cut off comes back within hours. At six in the
# morning most of what belongs to yesterday is there, and nobody who reads yesterday's figures is up.
CLOSE_GRACE_MS = 6 * 3_600_000
# A million SIMs are 125,000 lines a file: one is read in milliseconds, and eight of them in parallel.
SHARD_COUNT = 8
# In the hashed bytes, so that another layout can never pass for this one.
FORMAT = 1

# Columns of an entry, in files as in memory.
ENTRY_COLUMNS = ("subscriber_key", "metered_bytes", "indeterminate_bytes", "zero_rated_bytes")
# Of an adjustment: what was added or taken back, by which frame, known when, and why (`Cause`).
ADJUSTMENT_COLUMNS = (*ENTRY_COLUMNS, "sequence", "known_time_ms", "cause")


class Cause(IntEnum):
    """Why a closed day changed."""

    LATE = 1  # a reading of it, or one that splits back into it, arrived after it had closed
    RERATED = 2  # a list of zero-rated platforms changed the class of its bytes


class Piece(NamedTuple):
    """One file of the ledger: the entries of a day's shard as it closed, or adjustments of it that came since."""

    ict_day: int
    shard: int
    is_closing: bool
    sequence: int  # the last frame it knows of
    known_time_ms: int
    row_count: int
    digest: bytes


class Written(NamedTuple):
    """A piece with its rows, sorted; columns as ENTRY_COLUMNS or ADJUSTMENT_COLUMNS."""

    piece: Piece
    rows: NDArray[np.int64]


def digest_of(piece_day: int, shard: int, rows: NDArray[np.int64]) -> bytes:
    """Return the SHA-256 of a piece's sorted rows, and of which day and shard they are."""
    head = np.array([FORMAT, SHARD_VERSION, SHARD_COUNT, piece_day, shard, *rows.shape], "<i8")
    found = hashlib.sha256(head.tobytes())
    found.update(rows.astype("<i8", order="C").tobytes())
    return found.digest()


def day_digest(pieces: list[Piece]) -> str:
    """Return the hash of a closed day: over the digests of its shards in order."""
    closing = sorted((piece.shard, piece.digest) for piece in pieces if piece.is_closing)
    return hashlib.sha256(b"".join(digest for _, digest in closing)).hexdigest()
