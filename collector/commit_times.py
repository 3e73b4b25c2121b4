"""When frames were committed, so that somebody can say for how long the oldest one waits to be judged."""

import threading
from bisect import bisect_right

# One place a second of arrivals: five hours. Of what is older only "at least so long" can be said.
PLACE_COUNT_MAX = 18_000
PLACE_EVERY_MS = 1000


class CommitTimes:
    """The first frame of each second. Written by the worker, read by anyone."""

    def __init__(self, sequence: int, received_time_ms: int) -> None:
        """Start behind the last frame of the journal: those before it came no later."""
        self._lock = threading.Lock()
        self._sequences = [sequence]
        self._times_ms = [received_time_ms]

    def note(self, sequence: int, received_time_ms: int) -> None:
        """Take the next frame."""
        if received_time_ms < self._times_ms[-1] + PLACE_EVERY_MS:
            return
        with self._lock:
            self._sequences.append(sequence)
            self._times_ms.append(received_time_ms)
            if len(self._sequences) > PLACE_COUNT_MAX:
                # In one go, so that forgetting costs nothing per frame.
                del self._sequences[: PLACE_COUNT_MAX // 4], self._times_ms[: PLACE_COUNT_MAX // 4]

    def time_ms(self, sequence: int) -> int:
        """Return when a frame came, at most a second too early; for one that is forgotten, the oldest time known."""
        with self._lock:
            return self._times_ms[max(bisect_right(self._sequences, sequence) - 1, 0)]
