"""What auditors ruled about single readings. The one place where it is looked up.

The plausibility screen sets readings aside by what they say together, and a human being has the last word: a reading that is
*released* counts, whatever the screen says of it, and one that is *confirmed* never counts. A ruling is an entry of the journal;
whoever reads such entries notes them here, and `State` asks for the rulings of every frame's readings as it applies the frame.

A reading is named by where it lies in the journal, which `phusong journal quarantine` shows: the sequence of its frame, the number
of its payload's envelope in that frame, and its row among the signal readings of that payload, all three as there: sequences
from 1, envelopes and rows from 0. Nothing else tells two readings of a device apart for sure.

A ruling about a reading that was applied already changes what was counted: the state is built anew, with the ruling
known before its first frame (`KnownRegistries` holds the rulings; `State` raises RegistriesChanged, as for a new list of sites).
"""

from enum import IntEnum
from typing import NamedTuple

import numpy as np

from phusong.kernels.columns import Int64Column
from phusong.kernels.reject import Reject

# What a human being can judge otherwise than the rules do. A reading that cannot be read, or has no level, place or network, says
# nothing that a ruling could bring back; of one with a far clock nobody knows when it was made; a neighbour's level is no
# service, whoever says so.
RELEASABLE = frozenset(
    (
        Reject.POSITION_INACCURATE,
        Reject.SPEED_IMPLIED,
        Reject.LEVEL_STUCK,
        Reject.CELL_STUCK,
        Reject.POSITION_SHARED,
        Reject.LEVEL_ABOVE_FREE_SPACE,
    )
)


class Ruling(IntEnum):
    """What holds for a reading."""

    NONE = 0  # nobody ruled: the screen decides
    RELEASED = 1
    CONFIRMED = 2


class ReadingName(NamedTuple):
    """Which signal reading of a journal, as `phusong journal quarantine` names it."""

    sequence: int
    envelope: int
    row: int


class Rulings:
    """The rulings in force: the last one about each reading."""

    def __init__(self) -> None:
        """Start with none."""
        self._of_frame: dict[int, dict[tuple[int, int], Ruling]] = {}

    def note(self, reading: ReadingName, ruling: Ruling) -> bool:
        """Let a ruling hold, NONE taking back what was ruled; return whether anything else held before."""
        of_frame = self._of_frame.setdefault(reading.sequence, {})
        before = of_frame.get((reading.envelope, reading.row), Ruling.NONE)
        of_frame[reading.envelope, reading.row] = ruling
        return before is not ruling

    def of_rows(self, sequence: int, envelope: Int64Column, row: Int64Column) -> Int64Column:
        """Return the ruling about each signal reading of a frame, by envelope and row."""
        ruled = np.zeros(len(row), np.int64)
        for (its_envelope, its_row), ruling in self._of_frame.get(sequence, {}).items():
            ruled[(envelope == its_envelope) & (row == its_row)] = ruling
        return ruled
