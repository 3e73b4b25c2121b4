"""Who was not let in, for the log: the first of a kind at once, those after it summed up, however many strangers come."""

import asyncio
import logging
from collections import Counter

log = logging.getLogger(__name__)

# What came within it is one line for each door and reason; there are a few dozen of those.
SUM_EVERY_S = 60.0
# Addresses kept of one kind until then, so that a network of strangers costs no memory.
ADDRESS_COUNT_MAX = 1024


class Denials:
    """Says what happened at the doors, in a bounded number of lines. Runs on the loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start with nobody denied."""
        self._loop = loop
        self._since: dict[
            tuple[str, str], Counter[str]
        ] = {}  # by door and reason: how often each address came

    def note(self, door: str, reason: str, address: str) -> None:
        """Say or remember that a client was not let in."""
        addresses = self._since.get((door, reason))
        if addresses is None:
            self._since[door, reason] = Counter()
            self._loop.call_later(SUM_EVERY_S, self._sum_up, door, reason)
            log.warning(
                "%s: a client at %s was not let in: %s",
                *(door, address, reason),
                extra={"event": "door_refused", "door": door, "reason": reason, "address": address},
            )
            return
        addresses[
            address if address in addresses or len(addresses) < ADDRESS_COUNT_MAX else ""
        ] += 1

    def _sum_up(self, door: str, reason: str) -> None:
        addresses = self._since.pop((door, reason))
        if not addresses:
            return
        self._since[door, reason] = Counter()
        self._loop.call_later(SUM_EVERY_S, self._sum_up, door, reason)
        address, most = addresses.most_common(1)[0]
        log.warning(
            "%s: %d more clients were not let in: %s; at %d addresses, most often %s (%d times)",
            *(door, addresses.total(), reason, len(addresses), address or "others", most),
            extra={
                "event": "door_refused_more",
                "door": door,
                "reason": reason,
                "count": addresses.total(),
                "address_count": len(addresses),
                "address": address,
            },
        )
