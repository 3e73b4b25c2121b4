"""Who may come in: by a credential of the register in force, or without one from this machine where that was chosen.

Nobody is told which part of a credential was wrong, and nothing of it is kept or logged but its hash and whose it was.
"""

import asyncio
import hashlib
import ipaddress
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import NamedTuple

from phusong.collector.admission.budget import Budget
from phusong.collector.admission.denials import Denials
from phusong.collector.admission.limits import Limits
from phusong.collector.routes import RouteTable
from phusong.kernels.grants import Grant
from phusong.kernels.registers import SourceRegister


class Denial(StrEnum):
    """Why a client was not let in; the `reason` of a metric."""

    NO_CREDENTIAL = "no_credential"
    WRONG_CREDENTIAL = "wrong_credential"
    TOO_MANY_OF_SOURCE = "too_many_of_source"


class Guest(NamedTuple):
    """Who came in. All is empty for a client of this machine without a credential."""

    principal: str = ""  # "<operator>/<source>"
    operator: str = ""
    credential_sha256: bytes = b""
    address: str = ""

    @property
    def payer(self) -> str:
        """On whose account its bytes are."""
        return self.principal or self.address


class DoorCounts(NamedTuple):
    """What happened at the doors since the process started."""

    denied: dict[tuple[str, str], int]  # by door and reason
    held: dict[str, int]  # by door


class Shown(NamedTuple):
    """What a client shows at the door. A name of None is not asked for: gRPC has none."""

    peer_address: str
    token: str = ""
    name: str | None = None
    certificate: bytes = b""  # DER, already verified against the CA of clients


HOW_TO_SHOW = {
    "mqtt": "connect with the user name <operator>/<source> and its token as password, or with its client certificate",
    "grpc": "send the metadata `authorization: Bearer <token>`, or use the client certificate of the source",
}
OPEN_LOOPBACK_HINT = "; for trials on the service's own machine start it with --open-loopback"
REVOKED = "the credential is no longer in the register of sources"


def denial_text(door: str, denial: Denial) -> str:
    """Return what a client that was not let in is told: what to do, never which part was wrong."""
    if denial is Denial.NO_CREDENTIAL:
        return f"a credential is needed: {HOW_TO_SHOW[door]}{OPEN_LOOPBACK_HINT}"
    if denial is Denial.TOO_MANY_OF_SOURCE:
        return "this source has too many connections; close some, or raise limits.connections_per_source"
    return f"this credential is not in force: {HOW_TO_SHOW[door]}"


class Doorkeeper:
    """Lets clients in, counts those it does not, and sends away whose credential is revoked. Runs on the loop."""

    def __init__(self, table: RouteTable, limits: Limits, *, is_loopback_open: bool) -> None:
        """`is_loopback_open` lets clients of this machine in without a credential."""
        self.is_loopback_open = is_loopback_open
        self.limits = limits
        self.denied: Counter[tuple[str, str]] = Counter()  # by door and reason
        self.held: Counter[str] = Counter()  # by door: how often a source had to wait for its rate
        self._table = table
        self._loop = asyncio.get_running_loop()
        self._denials = Denials(self._loop)
        self._visits: dict[str, dict[Callable[[], object], Guest]] = {}
        self._budgets: dict[str, Budget] = {}
        table.call_on_register(self._hear)

    @property
    def counts(self) -> DoorCounts:
        """The counters as they stand."""
        return DoorCounts(dict(self.denied), dict(self.held))

    @property
    def has_credentials(self) -> bool:
        """Whether anybody could show a credential."""
        register = self._table.register
        return register is not None and register.has_credentials

    def change(self, limits: Limits, *, is_loopback_open: bool) -> None:
        """Go by other limits from now on; who came in without a credential leaves when that is no longer enough."""
        if limits != self.limits:
            self._budgets.clear()  # every source begins with a second's worth of its new rate
        self.limits = limits
        was_open, self.is_loopback_open = self.is_loopback_open, is_loopback_open
        if was_open and not is_loopback_open:
            for on_revoked, guest in tuple(self._visits.get("", {}).items()):
                self.leave(guest, on_revoked)
                on_revoked()

    def admit(self, door: str, shown: Shown) -> Guest | Denial:
        """Return who comes in, or why nobody does. Who shows a wrong credential is never taken for an anonymous one."""
        if shown.token or shown.certificate:
            guest: Guest | Denial = self._known(shown)
        elif self.is_loopback_open and is_loopback(shown.peer_address):
            guest = Guest(address=shown.peer_address)
        else:
            guest = Denial.NO_CREDENTIAL
        if isinstance(guest, Denial):
            self.deny(door, guest, shown.peer_address)
        return guest

    def suspect(self, token: str, *, may_show_certificate: bool) -> Denial | None:
        """Return why a caller cannot come in whatever else it shows, by its token alone; None where `admit` decides."""
        if token:
            register = self._table.register
            is_known = register is not None and register.of_token(token) is not None
            return None if is_known else Denial.WRONG_CREDENTIAL
        if self.is_loopback_open or may_show_certificate:
            return None
        return Denial.NO_CREDENTIAL

    def deny(self, door: str, reason: str, peer_address: str) -> None:
        """Count and log that a client was not let in."""
        self.denied[door, reason] += 1
        self._denials.note(door, reason, peer_address)

    @contextmanager
    def visit(self, guest: Guest, on_revoked: Callable[[], object]) -> Iterator[bool]:
        """Keep an eye on a guest; `on_revoked` is called on the loop when its credential is no longer in force.

        Yields whether its source has no more connections than it may.
        """
        is_room = self.arrive(guest, on_revoked)
        try:
            yield is_room
        finally:
            self.leave(guest, on_revoked)

    def arrive(self, guest: Guest, on_revoked: Callable[[], object]) -> bool:
        """Keep an eye on a guest until it leaves; tell whether its source has no more connections than it may."""
        visits = self._visits.setdefault(guest.principal, {})
        visits[on_revoked] = guest
        return not guest.principal or len(visits) <= self.limits.connections_per_source

    def leave(self, guest: Guest, on_revoked: Callable[[], object]) -> None:
        """Forget a guest. One that was forgotten already is no mistake."""
        visits = self._visits.get(guest.principal, {})
        visits.pop(on_revoked, None)
        if not visits:
            self._visits.pop(guest.principal, None)

    def spend(self, door: str, guest: Guest, byte_count: int, payload_count: int) -> float:
        """Book what a guest brought; return for how many seconds it may bring nothing more."""
        wait_s = self._budget(guest).spend(byte_count, payload_count, self._loop.time())
        if wait_s:
            self.held[door] += 1
        return wait_s

    def _budget(self, guest: Guest) -> Budget:
        """Return the account that everything a source brings is on, by whatever door."""
        budget = self._budgets.get(guest.payer)
        if budget is None:
            limits = self.limits
            budget = self._budgets[guest.payer] = Budget(
                limits.bytes_per_s_per_source, limits.payloads_per_s_per_source, self._loop.time()
            )
        return budget

    def _known(self, shown: Shown) -> Guest | Denial:
        register = self._table.register
        if register is None:
            return Denial.WRONG_CREDENTIAL
        if shown.token:
            grant = register.of_token(shown.token)
            proof = shown.token.encode(errors="surrogatepass")
        else:
            grant, proof = register.of_certificate(shown.certificate), shown.certificate
        is_named = not shown.token or shown.name is None or _is_name_of(shown.name, grant)
        if grant is None or not is_named:
            return Denial.WRONG_CREDENTIAL
        digest = hashlib.sha256(proof).digest()
        return Guest(grant.principal, grant.operator, digest, shown.peer_address)

    def _hear(self, _: SourceRegister | None) -> None:
        """Hear of a new register, on the committer's thread."""
        self._loop.call_soon_threadsafe(self._send_away)

    def _send_away(self) -> None:
        """End the visits of those whose credential is gone, and close the accounts of sources that are."""
        register = self._table.register  # there may be a newer one than the one that was heard of
        for principal, visits in tuple(self._visits.items()):
            grant = None if register is None else register.of_principal(principal)
            for on_revoked, guest in tuple(visits.items()):
                if principal and not _is_in_force(guest, grant):
                    self.leave(guest, on_revoked)
                    on_revoked()
        for payer in tuple(self._budgets):
            if "/" in payer and (register is None or register.of_principal(payer) is None):
                del self._budgets[payer]


def _is_name_of(name: str, grant: Grant | None) -> bool:
    return grant is not None and name == grant.principal


def _is_in_force(guest: Guest, grant: Grant | None) -> bool:
    return grant is not None and (
        guest.credential_sha256 in grant.token_sha256
        or guest.credential_sha256 in grant.certificate_sha256
    )


def is_loopback(address: str) -> bool:
    """Tell whether a peer's address is of this machine; an IPv4 one may be dressed as IPv6."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return bool((mapped or parsed).is_loopback)
