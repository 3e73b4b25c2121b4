"""The body of a frame, against the official library both ways, and damaged in every way we can think of."""

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phusong.kernels.frame import (
    CHAIN_START,
    Frame,
    FrameDamaged,
    PayloadKind,
    Route,
    Transport,
    chain_hash,
    decode_frame,
    encode_envelope_head,
    encode_route,
)
from phusong.v1 import journal_pb2

texts = st.text(max_size=20)
routes = st.dictionaries(
    st.integers(0, 2**32 - 1),
    st.builds(Route, texts, texts, texts, st.sampled_from(Transport), st.sampled_from(PayloadKind)),
    min_size=1,
    max_size=5,
)
payloads = st.lists(st.binary(max_size=300), max_size=10)

ROUTE = Route("viettel", "probe-1", "", Transport.MQTT, PayloadKind.BATCH)


def encode(routes: dict[int, Route], envelopes: list[tuple[int, bytes]]) -> bytes:
    parts = [encode_route(number, route) for number, route in routes.items()]
    for number, payload in envelopes:
        parts += [encode_envelope_head(number, len(payload)), payload]
    return b"".join(parts)


def envelopes_of(frame: Frame) -> list[tuple[int, bytes]]:
    return [
        (int(number), frame.buffer[offset : offset + length].tobytes())
        for number, offset, length in zip(frame.route, frame.offset, frame.length, strict=True)
    ]


def official(routes: dict[int, Route], envelopes: list[tuple[int, bytes]]) -> bytes:
    return journal_pb2.JournalFrame(
        routes=[
            journal_pb2.Route(number=number, **route._asdict()) for number, route in routes.items()
        ],
        envelopes=[journal_pb2.Envelope(route=number, payload=p) for number, p in envelopes],
    ).SerializeToString()


@st.composite
def frames(draw: st.DrawFn) -> tuple[dict[int, Route], list[tuple[int, bytes]]]:
    table = draw(routes)
    numbers = st.sampled_from(sorted(table))
    return table, draw(st.lists(st.tuples(numbers, st.binary(max_size=300)), max_size=10))


@settings(deadline=None)  # the first call compiles
@given(frames())
def test_a_frame_is_written_as_the_official_library_writes_it(frame) -> None:
    assert encode(*frame) == official(*frame)


@settings(deadline=None)  # the first call compiles
@given(frames())
def test_a_frame_of_the_official_library_is_read(frame) -> None:
    table, envelopes = frame

    decoded = decode_frame(official(table, envelopes))

    assert decoded.routes == table
    assert envelopes_of(decoded) == envelopes


def test_an_empty_frame_has_no_payloads() -> None:
    frame = decode_frame(b"")

    assert frame.routes == {}
    assert envelopes_of(frame) == []


def test_envelopes_may_stand_before_their_routes() -> None:
    body = encode({}, [(7, b"payload")]) + encode_route(7, ROUTE)

    assert envelopes_of(decode_frame(body)) == [(7, b"payload")]


def test_columns_are_writable_so_that_kernels_compile_once() -> None:
    frame = decode_frame(encode({1: ROUTE}, [(1, b"x")]))

    assert frame.buffer.flags.writeable
    assert {column.dtype for column in (frame.route, frame.offset, frame.length)} == {
        np.dtype(np.int64)
    }


def test_fields_of_a_newer_writer_are_skipped() -> None:
    newer = b"\x9a\x06\x03new\xa3\x06\x08\x01\xa4\x06"  # field 99 a text, field 100 a group
    envelope = b"\x08\x01" + newer + b"\x12\x01x"
    route = encode_route(1, ROUTE)
    content = route[2:] + newer

    frame = decode_frame(
        newer
        + b"\x0a"
        + bytes([len(content)])
        + content
        + b"\x12"
        + bytes([len(envelope)])
        + envelope
    )

    assert frame.routes == {1: ROUTE}
    assert envelopes_of(frame) == [(1, b"x")]


def test_transport_and_kind_of_a_newer_writer_stay_numbers() -> None:
    newer = ROUTE._replace(transport=77, kind=88)

    assert decode_frame(encode_route(3, newer)).routes == {3: newer}


@pytest.mark.parametrize(
    "body",
    [
        b"\x0a",
        b"\x12\x05ab",
        b"\x12\x02\x08\x80",
        b"\x12\x03\x12\x05a",
        b"\x0a\x02\x12\x05",
        b"\x00",
        b"\x17",
        b"\x12\x04\x00\x00\x00\x00",
        b"\x0a\x03\xff\xff\xff",
        b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\xfb\x07\x08\x01",
    ],
    ids=bytes.hex,
)
def test_a_body_that_is_not_protobuf_is_damaged(body: bytes) -> None:
    with pytest.raises(FrameDamaged):
        decode_frame(body)


def test_an_envelope_without_its_route_is_damaged() -> None:
    with pytest.raises(FrameDamaged, match="names a route"):
        decode_frame(encode({1: ROUTE}, [(2, b"x")]))


def test_a_route_given_twice_is_damaged() -> None:
    with pytest.raises(FrameDamaged, match="route 1 is given twice"):
        decode_frame(encode_route(1, ROUTE) * 2)


def test_a_route_that_is_not_utf8_is_damaged() -> None:
    with pytest.raises(FrameDamaged, match="not UTF-8"):
        decode_frame(b"\x0a\x04\x12\x02\xc3\x28")


@settings(deadline=None)  # the first call compiles
@given(frames(), st.data())
def test_a_cut_frame_never_passes_for_the_whole(frame, data) -> None:
    body = encode(*frame)
    cut = data.draw(st.integers(0, len(body)))

    try:
        decoded = decode_frame(body[:cut])
    except FrameDamaged:
        return
    assert envelopes_of(decoded) == frame[1][: len(decoded.route)]
    assert len(decoded.route) < len(frame[1]) or cut == len(body) or not frame[1]


@settings(deadline=None)  # the first call compiles
@given(st.binary(max_size=100) | frames().map(lambda frame: encode(*frame)), st.data())
def test_damaged_bytes_give_what_the_official_library_gives_or_are_refused(body, data) -> None:
    mutable = bytearray(body)
    for _ in range(data.draw(st.integers(0, 3)) if body else 0):
        mutable[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))

    try:
        decoded = decode_frame(bytes(mutable))
    except FrameDamaged:
        return
    expected = journal_pb2.JournalFrame.FromString(bytes(mutable))
    assert envelopes_of(decoded) == [(e.route, e.payload) for e in expected.envelopes]
    assert decoded.routes == {
        r.number: Route(
            r.operator, r.source, r.principal, r.transport & 0xFFFFFFFF, r.kind & 0xFFFFFFFF
        )
        for r in expected.routes
    }


def test_the_chain_is_sha256_of_everything_an_auditor_needs() -> None:
    chain = chain_hash(CHAIN_START, 1, 1_633_046_400_000, b"body")

    assert (
        chain
        == hashlib.sha256(
            bytes(32) + (1).to_bytes(8, "big") + (1_633_046_400_000).to_bytes(8, "big") + b"body"
        ).digest()
    )


@pytest.mark.parametrize(
    "other",
    [
        chain_hash(b"\x01" * 32, 1, 2, b"body"),
        chain_hash(CHAIN_START, 2, 2, b"body"),
        chain_hash(CHAIN_START, 1, 3, b"body"),
        chain_hash(CHAIN_START, 1, 2, b"bodies"),
    ],
)
def test_any_difference_changes_the_chain(other: bytes) -> None:
    assert other != chain_hash(CHAIN_START, 1, 2, b"body")
