"""What doors hand to the intake, and what they hear back. No queue, no thread."""

from collections.abc import Callable
from typing import TypeAlias

from phusong.collector.receipts import Committed

Outcome: TypeAlias = "Committed | Exception"


class Parcel:
    """Payloads that arrived together from one sender, in order.

    `route` has one number per payload; `pieces` two per payload: the head of its envelope (`Heads.head`), itself.
    `complete` is called once on the loop: with where the payloads lie in a frame that is on disk, or with why they
    are not on disk.
    """

    __slots__ = ("byte_count", "complete", "pieces", "route")

    def __init__(
        self,
        route: list[int],
        pieces: list[bytes],
        byte_count: int,
        complete: Callable[[Outcome], None],
    ) -> None:
        """Take the lists as they are; the sender must not touch them again."""
        assert len(pieces) == 2 * len(route), "a head and a payload each"
        self.route = route
        self.pieces = pieces
        self.byte_count = byte_count
        self.complete = complete
