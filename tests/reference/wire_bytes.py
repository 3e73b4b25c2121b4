"""Bytes of the wire, drawn by hypothesis: fields in any order, repeated, unknown, in long forms, and damaged."""

import struct
from typing import Any

from google.protobuf.descriptor import FieldDescriptor as F
from hypothesis import strategies as st

from phusong.v1 import telemetry_pb2

BATCH = telemetry_pb2.Batch.DESCRIPTOR

edge_ints = st.sampled_from(
    [0, 1, 127, 128, 16383, 16384, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1]
)
ints = edge_ints | st.integers(0, 2**64 - 1) | st.integers(0, 300)
plmns = st.sampled_from(["", "45204", "452-04", "520-001", "520 01", "4520", "452é04", "00000"])
texts = st.text(max_size=30) | plmns
unknown_numbers = st.integers(27, 40) | st.integers(41, 2**29 - 1)


def varint(value: int, extra_bytes: int = 0) -> bytes:
    """Return a varint, up to `extra_bytes` longer than it need be."""
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    for _ in range(min(extra_bytes, 10 - len(encoded))):
        encoded[-1] |= 0x80
        encoded.append(0)
    return bytes(encoded)


def tagged(number: int, wire_type: int, content: bytes = b"") -> bytes:
    return varint(number << 3 | wire_type) + content


def delimited(number: int, content: bytes) -> bytes:
    return tagged(number, 2, varint(len(content)) + content)


varints = st.builds(varint, ints, st.integers(0, 9))
scalars = st.one_of(
    st.builds(lambda n, v: tagged(n, 0, v), unknown_numbers, varints),
    st.builds(lambda n, v: tagged(n, 1, v), unknown_numbers, st.binary(min_size=8, max_size=8)),
    st.builds(delimited, unknown_numbers, st.binary(max_size=20)),
    st.builds(lambda n, v: tagged(n, 5, v), unknown_numbers, st.binary(min_size=4, max_size=4)),
)
unknown_fields = st.recursive(
    scalars,
    lambda inner: st.builds(
        lambda n, fields: tagged(n, 3) + b"".join(fields) + tagged(n, 4),
        unknown_numbers,
        st.lists(inner, max_size=3),
    ),
    max_leaves=5,
)


def known_field(field: Any) -> st.SearchStrategy[bytes]:
    if field.is_repeated:  # the histogram, packed or not
        bins = st.lists(varints, max_size=10).map(b"".join)
        return st.builds(delimited, st.just(field.number), bins) | varints.map(
            lambda value: tagged(field.number, 0, value)
        )
    if field.type == F.TYPE_STRING:
        return texts.map(lambda text: delimited(field.number, text.encode()))
    if field.type in (F.TYPE_FIXED64, F.TYPE_DOUBLE):
        values = st.floats().map(lambda value: struct.pack("<d", value)) | st.binary(
            min_size=8, max_size=8
        )
        return values.map(lambda value: tagged(field.number, 1, value))
    if field.type == F.TYPE_FLOAT:
        values = st.floats(width=32).map(lambda value: struct.pack("<f", value))
        return values.map(lambda value: tagged(field.number, 5, value))
    return varints.map(lambda value: tagged(field.number, 0, value))


def messages(descriptor: Any) -> st.SearchStrategy[bytes]:
    fields = st.one_of(*(known_field(f) for f in descriptor.fields))
    return st.lists(fields | fields | fields | unknown_fields, max_size=20).map(b"".join)


own_fields = st.one_of(*(known_field(f) for f in BATCH.fields if not f.is_repeated))
row_fields = st.one_of(
    *(
        messages(f.message_type).map(lambda content, number=f.number: delimited(number, content))
        for f in BATCH.fields
        if f.is_repeated
    )
)
payloads = st.lists(row_fields | row_fields | own_fields | unknown_fields, max_size=8).map(b"".join)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A payload with some bytes flipped, cut out, put in or copied elsewhere."""
    payload = bytearray(draw(payloads))
    for _ in range(draw(st.integers(1, 4))):
        first, second = sorted(draw(st.tuples(*[st.integers(0, len(payload))] * 2)))
        change = draw(st.sampled_from(["flip", "cut", "insert", "splice", "end"]))
        if change == "flip" and first < len(payload):
            payload[first] ^= 1 << draw(st.integers(0, 7))
        elif change == "cut":
            del payload[first : min(second, first + 5)]
        elif change == "insert":
            payload[first:first] = draw(st.binary(max_size=4))
        elif change == "splice":
            payload[second:second] = payload[first : first + 20]
        elif change == "end":
            del payload[second:]
    return bytes(payload)
