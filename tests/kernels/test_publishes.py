"""Plain PUBLISH packets, found without a codec."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from mqtt5 import PingReqPacket, PubAckPacket, PublishPacket, QoS

from phusong.kernels.frame import encode_envelope_head
from phusong.kernels.publishes import (
    ENVELOPE_HEAD_MAX_BYTES,
    find_publishes,
    new_publishes,
    write_envelopes,
    write_pubacks,
)
from reference.publishes import plain_publishes

topics = st.sampled_from(["a", "b", "phusong/v1/viettel/pgw-1/batch", "ph\u00fa/s\u00f3ng"])
payloads = st.one_of(
    st.binary(max_size=20), st.sampled_from([b"", bytes(127), bytes(128), bytes(17000)])
)
plain = st.one_of(
    st.builds(PublishPacket, topics, payloads),
    st.builds(
        PublishPacket,
        topics,
        payloads,
        qos=st.just(QoS.AT_LEAST_ONCE),
        packet_id=st.integers(1, 65535),
        duplicate=st.booleans(),
    ),
)
others = st.sampled_from(
    [
        PingReqPacket(),
        PublishPacket("a", b"x", qos=QoS.EXACTLY_ONCE, packet_id=1),
        PublishPacket("a", b"x", retain=True),
        PublishPacket("a", b"x", content_type="y"),
        PublishPacket("", b"x", topic_alias=3),
    ]
)
streams = st.lists(st.one_of(plain, plain, plain, others), max_size=12).map(
    lambda packets: b"".join(packet.write() for packet in packets)
)


def run(data, count_max=64):
    buffer = np.frombuffer(bytearray(data), np.uint8)
    found = new_publishes(count_max)
    count, position = find_publishes(buffer, 0, found)
    rows = []
    for i in range(count):
        topic = slice(found.topic_offset[i], found.topic_offset[i] + found.topic_length[i])
        payload = slice(found.payload_offset[i], found.payload_offset[i] + found.payload_length[i])
        rows.append((data[topic].decode(), int(found.packet_id[i]), data[payload]))
    runs = found.topic_run[:count].tolist()
    return rows, data[position:], runs


@settings(deadline=None)
@given(streams)
def test_matches_the_codec_of_the_whole_protocol(data):
    rows, rest, runs = run(data)

    assert (rows, rest) == plain_publishes(data)
    changes = [i for i in range(1, len(rows)) if rows[i][0] != rows[i - 1][0]]
    assert [i for i in range(1, len(runs)) if runs[i] != runs[i - 1]] == changes


@settings(deadline=None)
@given(streams, st.integers(0, 400))
def test_bytes_may_be_cut_anywhere(data, cut):
    whole, rest, _ = run(data)

    first, held, _ = run(data[:cut])
    second, rest_after, _ = run(held + data[cut:])

    assert first + second == whole
    assert rest_after == rest


@settings(deadline=None)
@given(st.binary(max_size=60).map(lambda tail: b"\x32" + tail))
def test_any_bytes_are_read_within_their_bounds(data):
    rows, rest, _ = run(data)

    assert len(rest) + sum(len(payload) for _, _, payload in rows) <= len(data)


def test_room_for_fewer_packets_ends_the_run_early():
    data = PublishPacket("a", b"x").write() * 3

    rows, rest, _ = run(data, count_max=2)

    assert (len(rows), rest) == (2, PublishPacket("a", b"x").write())


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 2**32 - 1), payloads), max_size=8))
def test_envelopes_are_what_the_frame_encoder_writes(envelopes):
    buffer = np.frombuffer(bytearray(b"".join(payload for _, payload in envelopes)), np.uint8)
    length = np.array([len(payload) for _, payload in envelopes], np.int64)
    offset = np.cumsum(length) - length
    route = np.array([number for number, _ in envelopes], np.int64)
    out = np.zeros(int(length.sum()) + ENVELOPE_HEAD_MAX_BYTES * len(envelopes), np.uint8)
    out_offset = np.zeros(len(envelopes), np.int64)

    size = write_envelopes(buffer, route, offset, length, out, out_offset)

    expected = b"".join(
        encode_envelope_head(number, len(payload)) + payload for number, payload in envelopes
    )
    assert out[:size].tobytes() == expected
    for (_, payload), start in zip(envelopes, out_offset.tolist(), strict=True):
        assert expected[start : start + len(payload)] == payload


@settings(deadline=None)
@given(st.lists(st.integers(0, 65535), max_size=20))
def test_pubacks_are_what_the_codec_writes(packet_ids):
    out = np.zeros(4 * len(packet_ids), np.uint8)

    size = write_pubacks(np.array(packet_ids, np.int64), out)

    assert out[:size].tobytes() == b"".join(PubAckPacket(i).write() for i in packet_ids if i)
