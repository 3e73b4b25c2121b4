"""Whether a client may come in: by its credential, or without one from this machine where that was chosen.

Nobody is told which part of a credential was wrong, and nothing of it is kept, counted or logged.
"""

import ipaddress
from collections import Counter
from enum import StrEnum
from typing import NamedTuple


class Denial(StrEnum):
    """Why a client was not let in; the label of a metric."""

    NO_CREDENTIAL = "no_credential"
    WRONG_CREDENTIAL = "wrong_credential"


class Guest(NamedTuple):
    """Who came in. The principal is "" for a client of this machine without a credential."""

    principal: str = ""


class Shown(NamedTuple):
    """What a client shows at the door."""

    peer_address: str
    token: str = ""


HOW_TO_SHOW = {
    "mqtt": "connect with the user name <operator>/<source> and its token as password, or with its client certificate",
    "grpc": "send the metadata `authorization: Bearer <token>`, or use the client certificate of the source",
}
OPEN_LOOPBACK_HINT = "; for trials on the service's own machine start it with --open-loopback"


def denial_text(door: str, denial: Denial) -> str:
    """Return what a client that was not let in is told: what to do, never what was wrong."""
    if denial is Denial.NO_CREDENTIAL:
        return f"a credential is needed: {HOW_TO_SHOW[door]}{OPEN_LOOPBACK_HINT}"
    return f"this credential is not in force: {HOW_TO_SHOW[door]}"


class Doorkeeper:
    """Lets clients in, and counts those it does not. Runs on the loop."""

    def __init__(self, *, is_loopback_open: bool) -> None:
        """`is_loopback_open` lets clients of this machine in without a credential."""
        self.is_loopback_open = is_loopback_open
        self.denied: Counter[tuple[str, str]] = Counter()  # by door and reason

    @property
    def has_credentials(self) -> bool:
        """Whether anybody could show a credential."""
        return False

    def admit(self, door: str, shown: Shown) -> Guest | Denial:
        """Return who comes in, or why nobody does. Who shows a wrong credential is never taken for an anonymous one."""
        if shown.token:
            denial = Denial.WRONG_CREDENTIAL
        elif self.is_loopback_open and is_loopback(shown.peer_address):
            return Guest()
        else:
            denial = Denial.NO_CREDENTIAL
        self.denied[door, denial] += 1
        return denial


def is_loopback(address: str) -> bool:
    """Tell whether a peer's address is of this machine; an IPv4 one may be dressed as IPv6."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return bool((mapped or parsed).is_loopback)
