import struct

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from phusong.kernels.wire_encode import (
    BYTES,
    FIXED32,
    FIXED64,
    TEXT_LENGTH_BITS,
    VARINT,
    RowFields,
    RowValues,
    encode_payload_rows,
)
from phusong.v1.telemetry_pb2 import Batch, UsageReading

# Fields of every form: fixed64, text, varints with a one-byte and with a two-byte tag.
NAMES = ("subscriber_key", "session", "uplink_bytes", "session_time_ms")
FORMS = (FIXED64, BYTES, VARINT, VARINT)
FIELDS = RowFields(
    np.array(
        [
            UsageReading.DESCRIPTOR.fields_by_name[name].number << 3 | form
            for name, form in zip(NAMES, FORMS, strict=True)
        ],
        np.int64,
    )
)
ROW_TAG = Batch.USAGE_READINGS_FIELD_NUMBER << 3 | BYTES

usage_rows = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "subscriber_key": st.integers(1, 2**64 - 1),
            "session": st.text("aZ-é漢", min_size=1, max_size=20),
            "uplink_bytes": st.integers(1, 2**64 - 1),
            "session_time_ms": st.integers(-(2**63), 2**63 - 1),
        },
    ),
    max_size=8,
)


def values_of(rows):
    value = np.zeros((len(rows), len(NAMES)), np.int64)
    is_present = np.zeros((len(rows), len(NAMES)), np.bool_)
    text = b""
    for r, row in enumerate(rows):
        for name, given_value in row.items():
            k = NAMES.index(name)
            is_present[r, k] = True
            if FORMS[k] == BYTES:
                encoded = given_value.encode()
                value[r, k] = len(text) << TEXT_LENGTH_BITS | len(encoded)
                text += encoded
            else:
                value[r, k] = np.uint64(given_value % 2**64).astype(np.int64)
    return RowValues(value, is_present, np.frombuffer(bytearray(text), np.uint8).copy())


def encode(rows):
    out, end = encode_payload_rows(
        FIELDS, values_of(rows), np.arange(len(rows), dtype=np.int64), ROW_TAG
    )
    return out.tobytes(), end


@settings(deadline=None)  # the first example waits for the compiler
@given(usage_rows)
def test_the_bytes_are_those_of_the_official_library(rows):
    expected = Batch(usage_readings=[UsageReading(**row) for row in rows])

    assert encode(rows)[0] == expected.SerializeToString(deterministic=True)


@settings(deadline=None)  # the first example waits for the compiler
@given(usage_rows, st.integers(0, 8))
def test_rows_may_be_cut_into_payloads_anywhere(rows, cut):
    cut = min(cut, len(rows))

    whole, end = encode(rows)

    boundary = end[cut - 1] if cut else 0
    assert whole[:boundary] == encode(rows[:cut])[0]
    assert whole[boundary:] == encode(rows[cut:])[0]


@settings(deadline=None)  # the first example waits for the compiler
@given(usage_rows)
def test_only_the_named_rows_are_written_in_the_order_named(rows):
    named = np.arange(len(rows), dtype=np.int64)[::-2].copy()

    out, _ = encode_payload_rows(FIELDS, values_of(rows), named, ROW_TAG)

    assert out.tobytes() == encode([rows[r] for r in named])[0]


def test_a_float_keeps_its_bits():
    fields = RowFields(np.array([10 << 3 | FIXED32], np.int64))
    bits = int(np.float32(-101.5).view(np.uint32))
    values = RowValues(
        np.array([[bits]], np.int64), np.ones((1, 1), np.bool_), np.empty(0, np.uint8)
    )

    out, _ = encode_payload_rows(fields, values, np.zeros(1, np.int64), 4 << 3 | BYTES)

    assert out.tobytes() == bytes([0x22, 5, 0x55]) + struct.pack("<f", -101.5)
