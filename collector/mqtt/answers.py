"""Which MQTT reason code says what became of a payload or a subscription. Pure."""

import numpy as np

from phusong.collector.mqtt.codec import (
    PubAckPacket,
    PubAckReasonCode,
    SubAckReasonCode,
)
from phusong.collector.receipts import Committed
from phusong.collector.topics import decisions_topic
from phusong.kernels.columns import Int64Column
from phusong.kernels.publishes import write_pubacks
from phusong.kernels.reject import TAKEN, Reject, reason_name

PUBACK_BYTES = 4

CODE_OF_REJECT = {
    Reject.BAD_TOPIC: PubAckReasonCode.TOPIC_NAME_INVALID,
    Reject.BAD_SOURCE: PubAckReasonCode.TOPIC_NAME_INVALID,
    Reject.BAD_OPERATOR: PubAckReasonCode.TOPIC_NAME_INVALID,
    Reject.SOURCE_MISMATCH: PubAckReasonCode.NOT_AUTHORIZED,
    Reject.UNKNOWN_SOURCE: PubAckReasonCode.NOT_AUTHORIZED,
    Reject.CREDENTIAL_MISSING: PubAckReasonCode.NOT_AUTHORIZED,
    Reject.CREDENTIAL_UNKNOWN: PubAckReasonCode.NOT_AUTHORIZED,
    Reject.OPERATOR_FORBIDDEN: PubAckReasonCode.NOT_AUTHORIZED,
    Reject.TOPIC_FORBIDDEN: PubAckReasonCode.NOT_AUTHORIZED,
    Reject.SEQUENCE_UNTRACKED: PubAckReasonCode.QUOTA_EXCEEDED,
}


def puback(
    packet_id: int, reject: int, *, with_reason: bool, packet_max_bytes: int | None
) -> bytes:
    """Return the acknowledgement of one journalled message; it must not be sent again, whatever the code."""
    if reject == TAKEN:
        return PubAckPacket(packet_id).write()
    code = CODE_OF_REJECT.get(Reject(reject), PubAckReasonCode.PAYLOAD_FORMAT_INVALID)
    reason = reason_name(reject) if with_reason else None
    answer = PubAckPacket(packet_id, reason_code=code, reason_str=reason).write()
    if packet_max_bytes is not None and len(answer) > packet_max_bytes:
        answer = PubAckPacket(packet_id, reason_code=code).write()
    return answer


def pubacks(
    packet_id: Int64Column,
    committed: Committed,
    *,
    with_reason: bool,
    packet_max_bytes: int | None,
) -> bytes:
    """Return the acknowledgements of messages committed together, in order; packet id 0 is QoS 0."""
    reject = committed.judgement.reject[committed.first : committed.last]
    if not reject.any():
        out = np.empty(PUBACK_BYTES * len(packet_id), np.uint8)
        return out[: write_pubacks(packet_id, out)].tobytes()
    pairs = zip(packet_id.tolist(), reject.tolist(), strict=True)
    return b"".join(
        puback(number, why, with_reason=with_reason, packet_max_bytes=packet_max_bytes)
        for number, why in pairs
        if number
    )


def refusal_of_filter(pattern: str, operator: str) -> SubAckReasonCode | None:
    """Return why a client of an operator ("" when it named none) may not subscribe, None when it may."""
    if pattern.startswith("$share/"):
        return SubAckReasonCode.SHARED_SUBSCRIPTIONS_NOT_SUPPORTED
    if "+" in pattern or "#" in pattern:
        return SubAckReasonCode.WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED
    if not operator or pattern != decisions_topic(operator):
        return SubAckReasonCode.NOT_AUTHORIZED
    return None
