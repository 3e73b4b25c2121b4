"""The first packet of a client: who it is, what it is answered, or why it is not taken."""

from typing import NamedTuple

from phusong.collector.admission.doorkeeper import Denial, Doorkeeper, Guest, Shown, denial_text
from phusong.collector.mqtt.codec import ConnAckReasonCode, ConnectPacket
from phusong.collector.mqtt.greeting import Refusal, read_connect, refuse

CODE_OF_DENIAL = {
    Denial.NO_CREDENTIAL: ConnAckReasonCode.NOT_AUTHORIZED,
    Denial.WRONG_CREDENTIAL: ConnAckReasonCode.BAD_USER_NAME_OR_PASSWORD,
}


class Arrival(NamedTuple):
    """A client that may come in."""

    connect: ConnectPacket
    guest: Guest


def arrive(view: memoryview, peer_address: str, doorkeeper: Doorkeeper) -> Arrival | Refusal:
    """Return who came with a complete first packet, or why nobody does."""
    connect = read_connect(view)
    if isinstance(connect, Refusal):
        return connect
    token = "" if connect.password is None else connect.password.decode(errors="replace")
    guest = doorkeeper.admit("mqtt", Shown(peer_address, token))
    if isinstance(guest, Denial):
        return refuse(CODE_OF_DENIAL[guest], denial_text("mqtt", guest), connect.max_packet_size)
    return Arrival(connect, guest)
