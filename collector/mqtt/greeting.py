"""CONNECT and what we answer to it. Pure: no socket, no clock, no credentials."""

from typing import NamedTuple

from phusong.collector.mqtt.codec import (
    ConnAckPacket,
    ConnAckReasonCode,
    ConnectPacket,
    Malformed,
    ProtocolBroken,
    QoS,
    protocol_level,
)
from phusong.collector.mqtt.rules import read_allowed
from phusong.kernels.wire.decode import PAYLOAD_MAX_BYTES

MQTT_5 = 5

# Unacknowledged messages of one connection. At 4 ms a commit this carries two million a second; more only
# moves a queue from the sender, where it survives us, to here.
RECEIVE_MAX = 8192

# A payload of the largest size with room for its topic and properties.
PACKET_MAX_BYTES = PAYLOAD_MAX_BYTES + 4096

# MQTT asks servers to take 23 characters; this is for names people make.
CLIENT_ID_LENGTH_MAX = 256

# To a client of MQTT 3.1 or 3.1.1: CONNACK, return code 1 "unacceptable protocol version". It has no room for words.
REFUSED_OLD = b"\x20\x02\x00\x01"
BROKER_ROAD = (
    "this endpoint speaks MQTT 5 only; let MQTT 3.1.1 devices publish to a broker that Phusong reads"
    " (README, 'Through your own broker')"
)


class Refusal(NamedTuple):
    """Why a client is not taken, for the log, and the bytes that tell it so."""

    reason: str
    answer: bytes = b""


def read_connect(view: memoryview) -> ConnectPacket | Refusal:
    """Return the CONNECT of a client we can speak with, from a complete first packet."""
    refusal = _refusal_of_level(protocol_level(view))
    if refusal is not None:
        return refusal
    try:
        read = read_allowed(view)
    except ProtocolBroken as error:
        return refuse(ConnAckReasonCode.PROTOCOL_ERROR, str(error))
    except Malformed as error:
        return refuse(ConnAckReasonCode.MALFORMED_PACKET, str(error))
    assert read is not None, "the packet is complete"
    connect = read[0]
    assert isinstance(connect, ConnectPacket), "its first byte says so"
    if connect.authentication_method is not None:
        return refuse(
            ConnAckReasonCode.BAD_AUTHENTICATION_METHOD, "enhanced authentication is not supported"
        )
    if len(connect.client_id) > CLIENT_ID_LENGTH_MAX:
        return refuse(
            ConnAckReasonCode.CLIENT_ID_NOT_VALID,
            f"a client id has at most {CLIENT_ID_LENGTH_MAX} characters",
        )
    return connect


def _refusal_of_level(level: int | None) -> Refusal | None:
    if level is None:
        return Refusal("the first packet is no CONNECT")
    reason = f"protocol level {level}: {BROKER_ROAD}"
    if level < MQTT_5:
        return Refusal(reason, REFUSED_OLD)
    if level > MQTT_5:
        return refuse(ConnAckReasonCode.UNSUPPORTED_PROTOCOL_VERSION, reason)
    return None


def refuse(code: ConnAckReasonCode, reason: str, packet_max_bytes: int | None = None) -> Refusal:
    """Return the refusal of a client, in words where it takes packets that long."""
    answer = ConnAckPacket(reason_code=code, reason_str=reason).write()
    if packet_max_bytes is not None and len(answer) > packet_max_bytes:
        answer = ConnAckPacket(reason_code=code).write()
    return Refusal(reason, answer)


def accept(connect: ConnectPacket, assigned_client_id: str, keep_alive_s: int) -> bytes:
    """Return the CONNACK of a client that is taken; one without an id of its own gets `assigned_client_id`.

    A keep-alive that is not the client's own is imposed on it.
    """
    notes: list[tuple[str, str]] = []
    if connect.will is not None:
        notes.append(("note", "the will is ignored: this is an ingest endpoint, not a broker"))
    if connect.session_expiry_interval:
        notes.append(("note", "no session is kept: what was not acknowledged must be sent again"))
    answer = _connack(connect, assigned_client_id, keep_alive_s, notes)
    if connect.max_packet_size is not None and len(answer) > connect.max_packet_size:
        answer = _connack(connect, assigned_client_id, keep_alive_s, [])
    return answer


def _connack(
    connect: ConnectPacket,
    assigned_client_id: str,
    keep_alive_s: int,
    notes: list[tuple[str, str]],
) -> bytes:
    return ConnAckPacket(
        session_expiry_interval=0,
        assigned_client_id=None if connect.client_id else assigned_client_id,
        server_keep_alive=None if keep_alive_s == connect.keep_alive else keep_alive_s,
        receive_max=RECEIVE_MAX,
        topic_alias_max=0,
        max_qos=QoS.AT_LEAST_ONCE,
        retain_available=False,
        max_packet_size=PACKET_MAX_BYTES,
        wildcard_subscription_available=False,
        subscription_id_available=False,
        shared_subscription_available=False,
        user_properties=notes,
    ).write()
