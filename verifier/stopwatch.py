"""How long each stage of the work took. The clock is handed in, so that only entry points read one."""

from collections.abc import Callable


class Stopwatch:
    """Seconds by stage since it was made; between `start` and the first lap nothing is counted."""

    def __init__(self, clock_s: Callable[[], float]) -> None:
        """Start with nothing done. clock_s: never runs backwards."""
        self.seconds: dict[str, float] = {}
        self._clock_s = clock_s
        self._since_s = clock_s()

    def start(self) -> None:
        """Begin the next stage here."""
        self._since_s = self._clock_s()

    def lap(self, stage: str) -> None:
        """Count the time since `start` or the last lap for a stage, and begin the next."""
        now_s = self._clock_s()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now_s - self._since_s
        self._since_s = now_s


def no_lap(_stage: str) -> None:
    """Measure nothing."""
