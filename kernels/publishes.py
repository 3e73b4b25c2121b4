"""The plain PUBLISH packets of MQTT 5 in a run of bytes, found and turned into journal envelopes. No sockets, no texts.

Plain is what telemetry sends: QoS 0 or 1, not retained, no properties. Anything else stops the run, and a codec
of the whole protocol reads it. A message costs about 20 ns here and 1.5 µs through objects.
"""

from typing import NamedTuple

import numpy as np

from phusong.kernels.columns import ByteColumn, Int, Int64Column
from phusong.kernels.jit import kernel

PUBLISH_QOS_0 = 0x30
PUBLISH_QOS_1 = 0x32
PUBLISH_QOS_1_AGAIN = 0x3A
PLAIN = (PUBLISH_QOS_0, PUBLISH_QOS_1, PUBLISH_QOS_1_AGAIN)

# A remaining length has at most four bytes of seven bits.
LENGTH_BYTES_MAX = 4

# Bytes of an envelope before its payload: two tags of one byte, three varints of at most five, a tag.
ENVELOPE_HEAD_MAX_BYTES = 18


class Publishes(NamedTuple):
    """One row per packet. `topic_run` numbers runs of packets with the same topic, from 0."""

    topic_run: Int64Column
    topic_offset: Int64Column
    topic_length: Int64Column
    packet_id: Int64Column  # 0 for QoS 0
    payload_offset: Int64Column
    payload_length: Int64Column


def new_publishes(count_max: int) -> Publishes:
    """Return room for packets."""
    return Publishes(*(np.zeros(count_max, np.int64) for _ in Publishes._fields))


@kernel
def is_same_topic(
    buffer: ByteColumn, offset: Int, length: Int, other_offset: Int, other_length: Int
) -> bool:
    """Tell whether two stretches of the buffer hold the same bytes."""
    if length != other_length:
        return False
    for i in range(length):
        if buffer[offset + i] != buffer[other_offset + i]:
            return False
    return length == other_length


@kernel
def find_publishes(buffer: ByteColumn, start: int, found: Publishes) -> tuple[int, Int]:
    """Find the whole plain PUBLISH packets that stand one after another from `start` on.

    Returns how many, and where the first byte stands that is not theirs.
    """
    position: Int = start
    end = len(buffer)
    count = 0
    while position < end and count < len(found.packet_id):
        first = buffer[position]
        if first not in PLAIN:
            break
        remaining: Int = 0
        is_complete = False
        at: Int = position + 1
        for i in range(LENGTH_BYTES_MAX):
            if at >= end:
                break
            byte = np.int64(buffer[at])
            remaining |= (byte & 0x7F) << np.int64(7 * i)
            at += 1
            if byte < 0x80:
                # 0 in a further byte says nothing, and a length must be as short as it can be (MQTT-1.5.5-1).
                is_complete = byte != 0 or i == 0
                break
        if not is_complete or end - at < remaining:
            break
        packet_end = at + remaining
        if remaining < 3:
            break
        topic_length = np.int64(buffer[at]) << 8 | np.int64(buffer[at + 1])
        topic_offset = at + 2
        at = topic_offset + topic_length
        packet_id: Int = 0
        if first != PUBLISH_QOS_0:
            if at + 2 > packet_end:
                break
            packet_id = np.int64(buffer[at]) << 8 | np.int64(buffer[at + 1])
            at += 2
            if packet_id == 0:
                break
        if topic_length == 0 or at >= packet_end or buffer[at] != 0:
            break
        run: Int = 0
        if count > 0:
            run = found.topic_run[count - 1]
            if not is_same_topic(
                buffer,
                topic_offset,
                topic_length,
                found.topic_offset[count - 1],
                found.topic_length[count - 1],
            ):
                run += 1
        found.topic_run[count] = run
        found.topic_offset[count] = topic_offset
        found.topic_length[count] = topic_length
        found.packet_id[count] = packet_id
        found.payload_offset[count] = at + 1
        found.payload_length[count] = packet_end - at - 1
        count += 1
        position = packet_end
    return count, position


@kernel
def varint_bytes(value: Int) -> int:
    """Return how many bytes a varint takes."""
    size = 1
    while value >= 0x80:
        value >>= 7
        size += 1
    return size


@kernel
def write_varint(out: ByteColumn, position: int, value: Int) -> int:
    """Write a varint and return the position behind it."""
    while value >= 0x80:
        out[position] = value & 0x7F | 0x80
        value >>= 7
        position += 1
    out[position] = value
    return position + 1


@kernel
def write_envelopes(
    buffer: ByteColumn,
    route: Int64Column,
    payload_offset: Int64Column,
    payload_length: Int64Column,
    out: ByteColumn,
    out_offset: Int64Column,
) -> int:
    """Write the payloads as envelopes of a journal frame; return how many bytes, and where each payload lies in them.

    The bytes are those of `kernels.frame.encode_envelope_head` and the payload. `out` has room for
    ENVELOPE_HEAD_MAX_BYTES more than every payload.
    """
    assert len(route) == len(payload_offset)
    assert len(route) == len(payload_length)
    assert len(route) == len(out_offset)
    position = 0
    for i in range(len(route)):
        length = payload_length[i]
        content = 1 + varint_bytes(route[i])
        if length > 0:
            content += 1 + varint_bytes(length) + length
        out[position] = 0x12  # JournalFrame.envelopes
        position = write_varint(out, position + 1, content)
        out[position] = 0x08  # Envelope.route
        position = write_varint(out, position + 1, route[i])
        if length > 0:
            out[position] = 0x12  # Envelope.payload
            position = write_varint(out, position + 1, length)
        out_offset[i] = position
        start = payload_offset[i]
        for k in range(length):
            out[position + k] = buffer[start + k]
        position += length
    return position


@kernel
def write_pubacks(packet_id: Int64Column, out: ByteColumn) -> int:
    """Write a PUBACK with success for every packet id that is not 0, four bytes each; return how many bytes."""
    assert len(out) >= 4 * len(packet_id)
    position = 0
    for i in range(len(packet_id)):
        if packet_id[i] == 0:
            continue
        out[position] = 0x40
        out[position + 1] = 2
        out[position + 2] = packet_id[i] >> 8
        out[position + 3] = packet_id[i] & 0xFF
        position += 4
    return position
