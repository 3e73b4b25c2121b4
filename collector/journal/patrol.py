"""Walks round the sealed segments for as long as the service runs: all names and notes, and the content of one file a minute."""

from pathlib import Path

from phusong.collector.journal.segment import segment_number, segment_paths
from phusong.collector.journal.survey import Damage, content_damage, survey
from phusong.kernels.note import PublicKey


class Patrol:
    """Remembers where it is, and which files it found damaged."""

    def __init__(self, folder: Path, public: PublicKey) -> None:
        """Start at the first segment; everything here blocks and belongs on a thread."""
        self._folder = folder
        self._public = public
        self._last_segment = 0
        self._damaged: set[int] = set()

    def look(self) -> list[Damage]:
        """Look at all names and notes, at the content of the next file, and again at those that were damaged.

        A segment of 1 GiB a minute is 17 MB/s: a patrol must not take the disk from the intake. Raises OSError.
        """
        sealed = [
            segment_number(path) for path in segment_paths(self._folder) if path.suffix == ".zst"
        ]
        following = [segment for segment in sealed if segment > self._last_segment]
        self._last_segment = next(iter(following or sealed), 0)
        found = survey(self._folder, self._public)
        for segment in sorted(self._damaged | {self._last_segment}):
            damage = content_damage(self._folder, segment, self._public)
            self._damaged.discard(segment)
            if damage is not None:
                self._damaged.add(segment)
                found.append(damage)
        return sorted(found)
