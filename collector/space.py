"""How much room the journal's disk has left, and whether anything new may be taken. Looks; writes nothing.

Old data needs room to stay whole: a log that is not copied into its segment, a segment that is not sealed, a decision that
is not written down. So new data stops first, while all of that still fits.
"""

import os
from pathlib import Path
from typing import NamedTuple

# Whatever comes: the log is copied into the segment (32 MiB and the frames since), the state of a million SIMs and, at a stop, what
# the collector remembers are written beside their old files (100 to 300 MB together), decisions and heads go on for days.
RESERVE_BYTES = 512 << 20
# Sealing makes a copy of the segment and a compressed one, before the first is deleted; the journal of 1 GiB segments
# therefore keeps up to 2 GiB more.
SEALING_COPY_COUNT = 2
# Taking begins again with an eighth more than it ended with, so that it does not flutter at the line.
RETURN_SHARE = 8
# Another program may fill the disk while nothing is committed here.
LOOK_EVERY_S = 1.0

MIB = 1 << 20


class Space(NamedTuple):
    """The room at one moment."""

    free_bytes: int = 0
    needed_bytes: int = 0
    is_short: bool = False

    def __str__(self) -> str:
        """Say what is missing and what to do."""
        return (
            f"disk nearly full, {self.free_bytes // MIB} MiB left, needs {-(-self.needed_bytes // MIB)} MiB:"
            " nothing new is taken until there is room again"
        )


class SpaceWatch:
    """Knows whether there is room; one thread looks, any may read `space`."""

    def __init__(self, folder: Path, reserve_bytes: int = RESERVE_BYTES) -> None:
        """Watch the file system of a folder."""
        self._folder = folder
        self.reserve_bytes = reserve_bytes  # any thread may set it
        self.space = Space()

    def look(self, segment_bytes: int, coming_bytes: int = 0) -> bool:
        """Look, before so many bytes are written behind a segment of that size; return whether there is room.

        Raises OSError.
        """
        found = os.statvfs(self._folder)
        free_bytes = found.f_bavail * found.f_frsize
        needed_bytes = self.reserve_bytes + SEALING_COPY_COUNT * segment_bytes
        return_bytes = needed_bytes + self.reserve_bytes // RETURN_SHARE
        line_bytes = return_bytes if self.space.is_short else needed_bytes
        is_short = free_bytes - coming_bytes < line_bytes
        self.space = Space(free_bytes, return_bytes if is_short else needed_bytes, is_short)
        return not is_short

    def note_full(self) -> None:
        """Remember that a write found no room, whatever the file system said before."""
        self.space = self.space._replace(is_short=True)
