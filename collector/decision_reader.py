"""How far one enforcement point has read: what comes after its position in order, then what is due again."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # they know each other
    from phusong.collector.operator_decisions import OperatorDecisions


class DecisionReader:
    """A cursor over the decisions of one operator; whoever owns it takes what it shows, one at a time."""

    def __init__(
        self, board: "OperatorDecisions", after_position: int, wake: Callable[[], None]
    ) -> None:
        """Begin after a position. `wake` is called when there is more."""
        self.wake = wake
        self._board = board
        self._position = after_position
        self._shown = after_position
        self._again: dict[int, None] = {}

    def offer(self, positions: Iterable[int]) -> None:
        """Show decisions again that this reader has passed; those it has not passed come by themselves.

        Every reader is offered them: nobody knows which of them acts, and which only looks on.
        """
        self._again.update(dict.fromkeys(p for p in positions if p <= self._position))

    def show(self) -> bytes | None:
        """Return the next decision, None when there is none; `take` says that it has left.

        New ones come first: what was sent already can wait a moment longer. Raises DecisionsForgotten.
        """
        payloads = self._board.after(self._position, 1)
        if payloads:
            self._shown = self._position + 1
            return payloads[0]
        while self._again:
            first = next(iter(self._again))
            if first in self._board.outstanding:
                self._shown = first
                return self._board.after(first - 1, 1)[0]
            del self._again[first]  # acknowledged or taken back meanwhile
        return None

    def take(self) -> None:
        """Note that what was shown has left for the enforcement point."""
        if self._shown == self._position + 1:
            self._position = self._shown
        self._again.pop(self._shown, None)
        self._board.note_taken(self._shown)
