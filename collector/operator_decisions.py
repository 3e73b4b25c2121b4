"""The kept decisions of one operator, who reads them, and what of them is still to be sent."""

from collections.abc import Callable, Sequence

from phusong.collector.decision_reader import DecisionReader
from phusong.collector.outstanding import Outstanding, Sending
from phusong.v1.enforcement_pb2 import Decision

# Per operator, about 400 bytes each. An enforcement point that was away for longer finds the rest in
# `phusong decisions`; asking here for what is no longer kept is an error and never a silent gap.
DECISION_KEPT_COUNT_MAX = 100_000
# Trimmed in steps, so that trimming costs nothing per decision.
DECISION_TRIM_COUNT = 10_000


class DecisionsForgotten(Exception):
    """What comes after the asked position is no longer kept."""


class OperatorDecisions:
    """Decisions that are in the journal, in the order of their positions."""

    def __init__(
        self, operator: str, note: Callable[[str, Sending], None], clock_ms: Callable[[], int]
    ) -> None:
        """Start before the first decision; `note` hears of every sending that is to be journalled."""
        self.operator = operator
        self.last_position = 0  # the last one that may be delivered
        self.assigned_position = 0  # the last one given out, perhaps not on disk yet
        self.coming: set[str] = set()  # keys of those that are not on disk yet
        self.is_acknowledged: dict[str, bool] = {}
        self.outstanding = Outstanding()
        self.readers: set[DecisionReader] = set()
        self._note = note
        self._clock_ms = clock_ms
        self._payloads: list[bytes] = []
        self._keys: list[str] = []

    def add(self, decision: Decision, payload: bytes) -> None:
        """Keep a decision that is in the journal."""
        assert decision.position == self.last_position + 1 or not self._payloads, "no gaps"
        self.last_position = decision.position
        self.assigned_position = max(self.assigned_position, decision.position)
        self.coming.discard(decision.decision_key)
        self.is_acknowledged.setdefault(decision.decision_key, False)
        self.outstanding.add(decision)
        self._payloads.append(payload)
        self._keys.append(decision.decision_key)
        if len(self._payloads) >= DECISION_KEPT_COUNT_MAX + DECISION_TRIM_COUNT:
            for key in self._keys[:DECISION_TRIM_COUNT]:
                self.is_acknowledged.pop(key, None)
                self.outstanding.acknowledge(key)
            del self._payloads[:DECISION_TRIM_COUNT], self._keys[:DECISION_TRIM_COUNT]

    def after(self, position: int, count_max: int) -> list[bytes]:
        """Return up to `count_max` serialised decisions after a position. Raises DecisionsForgotten."""
        first_kept = self.last_position - len(self._payloads) + 1
        if position + 1 < first_kept:
            raise DecisionsForgotten(
                f"decisions of {self.operator} are kept from position {first_kept}, asked after {position}"
            )
        start = position + 1 - first_kept
        return self._payloads[start : start + count_max]

    def read(self, after_position: int, wake: Callable[[], None]) -> DecisionReader:
        """Return a reader that begins after a position; it is shown besides what nobody has heard of yet."""
        reader = DecisionReader(self, after_position, wake)
        self.readers.add(reader)
        self.outstanding.take_due(self._clock_ms())  # forgets days that are over
        reader.offer(self.outstanding.waiting)
        return reader

    def acknowledge(self, keys: Sequence[str]) -> int:
        """Note that decisions were acted on; return how many are known and were not noted before."""
        count = 0
        for key in keys:
            if self.is_acknowledged.get(key) is False:
                self.is_acknowledged[key] = True
                self.outstanding.acknowledge(key)
                count += 1
        return count

    def note_taken(self, position: int) -> None:
        """Note that a decision has left for an enforcement point."""
        sending = self.outstanding.note_taken(position, self._clock_ms())
        if sending is not None:
            self._note(self.operator, sending)

    def send_due(self) -> None:
        """Show every reader what has become due again."""
        due = self.outstanding.take_due(self._clock_ms())
        if due:
            for reader in tuple(self.readers):
                reader.offer(due)
                reader.wake()

    def tell(self) -> None:
        """Wake everyone who waits for more."""
        for reader in tuple(self.readers):
            reader.wake()

    def acknowledged_keys(self) -> list[str]:
        """Return the kept keys that were acted on."""
        return [key for key, is_acknowledged in self.is_acknowledged.items() if is_acknowledged]

    def payloads(self) -> list[bytes]:
        """Return everything kept."""
        return self._payloads

    def copy(
        self, note: Callable[[str, Sending], None], clock_ms: Callable[[], int]
    ) -> "OperatorDecisions":
        """Return the same once more, for another thread; nobody reads it."""
        other = OperatorDecisions(self.operator, note, clock_ms)
        other.last_position, other.assigned_position = self.last_position, self.last_position
        other.is_acknowledged = self.is_acknowledged.copy()
        other.outstanding = self.outstanding.copy()
        other._payloads, other._keys = self._payloads.copy(), self._keys.copy()
        return other
