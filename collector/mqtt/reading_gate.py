"""Whether a connection is read, and why not. While anything holds it, the client's bytes wait in its own socket."""

import asyncio
from enum import Enum, auto


class Hold(Enum):
    """Why a connection is not read."""

    INTAKE_FULL = auto()
    AHEAD_OF_RATE = auto()  # of its source
    ANSWERS_UNREAD = auto()  # the client does not read what we wrote
    CLOSING = auto()


class ReadingGate:
    """Reads while nothing holds it."""

    def __init__(self, transport: asyncio.Transport) -> None:
        """Start open."""
        self._transport = transport
        self._holds: set[Hold] = set()

    @property
    def is_held(self) -> bool:
        """Whether it is us who do not read, and not the client who does not."""
        return bool(self._holds - {Hold.ANSWERS_UNREAD})

    def holds(self, why: Hold) -> bool:
        """Tell whether this is a reason why nothing is read."""
        return why in self._holds

    def hold(self, why: Hold) -> None:
        """Read nothing until every reason is gone."""
        self._holds.add(why)
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def release(self, why: Hold) -> None:
        """Read again, unless something else holds."""
        self._holds.discard(why)
        if not self._holds and not self._transport.is_closing():
            self._transport.resume_reading()
