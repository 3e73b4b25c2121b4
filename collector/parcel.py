"""What doors hand to the intake, and what they hear back. No queue, no thread."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from phusong.collector.receipts import Committed
from phusong.kernels.columns import Int64Column
from phusong.kernels.frame import encode_envelope_head

Outcome: TypeAlias = "Committed | Exception"


class Parcel:
    """Payloads that arrived together from one sender, in order, as envelopes of a frame.

    `envelopes` are the bytes as they will stand in the body; `route` (of the table), `offset` (in `envelopes`) and
    `length` say per payload whose it is and where it lies. `complete` is called once on the loop: with where the
    payloads lie in a frame that is on disk, or with why they are not on disk.
    """

    __slots__ = ("complete", "envelopes", "is_own", "length", "offset", "route")

    def __init__(
        self,
        *,
        route: Int64Column,
        offset: Int64Column,
        length: Int64Column,
        envelopes: bytes,
        complete: Callable[[Outcome], None],
        is_own: bool = False,
    ) -> None:
        """Take the columns as they are; the sender must not touch them again.

        `is_own` is what the service itself has to write down, also when the disk is nearly full.
        """
        assert len(route) == len(offset)
        assert len(route) == len(length)
        self.route = route
        self.offset = offset
        self.length = length
        self.envelopes = envelopes
        self.complete = complete
        self.is_own = is_own

    @classmethod
    def of_one(
        cls,
        route_number: int,
        payload: bytes,
        complete: Callable[[Outcome], None],
        *,
        is_own: bool = False,
    ) -> "Parcel":
        """Return a parcel with one payload."""
        head = encode_envelope_head(route_number, len(payload))
        return cls(
            route=np.array([route_number], np.int64),
            offset=np.array([len(head)], np.int64),
            length=np.array([len(payload)], np.int64),
            envelopes=head + payload,
            complete=complete,
            is_own=is_own,
        )
