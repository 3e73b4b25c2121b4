"""The first packet of a client: who it is, what it is answered, or why it is not taken."""

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from phusong.collector.admission.doorkeeper import Denial, Doorkeeper, Guest, Shown, denial_text
from phusong.collector.admission.listener import Crowd
from phusong.collector.mqtt.codec import ConnAckReasonCode, ConnectPacket
from phusong.collector.mqtt.greeting import Refusal, read_connect, refuse

CODE_OF_DENIAL = {
    Denial.NO_CREDENTIAL: ConnAckReasonCode.NOT_AUTHORIZED,
    Denial.WRONG_CREDENTIAL: ConnAckReasonCode.BAD_USER_NAME_OR_PASSWORD,
    Denial.TOO_MANY_OF_SOURCE: ConnAckReasonCode.QUOTA_EXCEEDED,
}


CODE_OF_CROWD = {
    Crowd.TOO_MANY: ConnAckReasonCode.SERVER_BUSY,
    Crowd.TOO_MANY_OF_PEER: ConnAckReasonCode.QUOTA_EXCEEDED,
    Crowd.TOO_FAST: ConnAckReasonCode.CONNECTION_RATE_EXCEEDED,
}
TEXT_OF_CROWD = {
    Crowd.TOO_MANY: "the service has as many connections as it takes (limits.connections); come again later",
    Crowd.TOO_MANY_OF_PEER: "your address has as many connections as it may (limits.connections_per_peer)",
    Crowd.TOO_FAST: "your address connects too often (limits.connects_per_s_per_peer); wait a second or more",
}
DOOR = "mqtt"


class Peer(NamedTuple):
    """The other end of a connection."""

    address: str
    certificate: bytes = b""  # DER; TLS has verified it


class Arrival(NamedTuple):
    """A client that may come in."""

    connect: ConnectPacket
    guest: Guest


def arrive(
    view: memoryview,
    peer: Peer,
    doorkeeper: Doorkeeper,
    on_revoked: Callable[[], object],
    crowd: Crowd | None = None,
) -> Arrival | Refusal:
    """Return who came with a complete first packet, or why nobody does: it may be one of too many (`crowd`).

    Who came is the doorkeeper's guest until it leaves; `on_revoked` is called when it has to.
    """
    connect = read_connect(view)
    if isinstance(connect, Refusal):
        return connect
    if crowd is not None:
        return refuse(CODE_OF_CROWD[crowd], TEXT_OF_CROWD[crowd], connect.max_packet_size)
    token = "" if connect.password is None else connect.password.decode(errors="replace")
    shown = Shown(peer.address, token, connect.username or "", peer.certificate)
    guest = doorkeeper.admit(DOOR, shown)
    if not isinstance(guest, Denial) and not doorkeeper.arrive(guest, on_revoked):
        doorkeeper.leave(guest, on_revoked)
        guest = Denial.TOO_MANY_OF_SOURCE
        doorkeeper.deny(DOOR, guest, peer.address)
    if isinstance(guest, Denial):
        return refuse(CODE_OF_DENIAL[guest], denial_text(DOOR, guest), connect.max_packet_size)
    return Arrival(connect, guest)


def peer_of(transport: asyncio.Transport) -> Peer:
    """Return who is at the other end of a connection."""
    tls = transport.get_extra_info("ssl_object")
    certificate = b"" if tls is None else tls.getpeercert(binary_form=True) or b""
    return Peer(transport.get_extra_info("peername")[0], certificate)
