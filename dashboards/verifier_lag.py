"""How far the verifier is behind, and from when on that is said to be too far. Nothing waits for it."""

from typing import NamedTuple

# Decisions are to be out within 50 ms. After this long a cut comes too late to matter, and a verdict on a page is of the
# past; a restart of the verifier from its last snapshot takes less.
LAG_MAX_S = 10.0


class VerifierLag(NamedTuple):
    """Frames committed and not yet judged, and for how long the oldest of them waits."""

    frame_count: int
    seconds: float

    def not_ready(self) -> str | None:
        """Say that answers and decisions are late, None when they are not."""
        if self.seconds <= LAG_MAX_S:
            return None
        return (
            f"the verifier is {self.frame_count} frames behind, the oldest waits for {self.seconds:.0f} s;"
            " telemetry is taken and kept, verdicts and decisions are late"
        )
