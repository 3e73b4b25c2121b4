"""What the decoder refuses, where exactly its limits lie, and what its callers may rely on."""

import numpy as np
import pytest
from google.protobuf.message import DecodeError

from phusong.kernels.columns import INT_MISSING, Decoded
from phusong.kernels.reject import Reject
from phusong.kernels.wire.decode import PAYLOAD_MAX_BYTES, ROW_COUNT_MAX, decode_payloads
from phusong.v1.telemetry_pb2 import Batch
from reference.wire_bytes import delimited, tagged, varint

ROW = delimited(5, tagged(4, 0, varint(1)))


def decode(*payloads: bytes) -> Decoded:
    length = np.array([len(payload) for payload in payloads], np.int64)
    buffer = np.frombuffer(bytearray(b"".join(payloads)), np.uint8)
    return decode_payloads(buffer, np.cumsum(length) - length, length)


def reason(payload: bytes) -> Reject | int:
    (reject,) = decode(payload).payloads.reject
    return Reject(reject) if reject else 0


def filled_to(byte_count: int) -> bytes:
    """Return one row and an unknown field that make a payload of so many bytes."""
    rest = byte_count - len(ROW) - 2 - 3
    return ROW + tagged(99, 2, varint(rest)) + bytes(rest)


def test_the_limits_are_those_the_proto_states() -> None:
    assert PAYLOAD_MAX_BYTES == 2**20
    assert ROW_COUNT_MAX == 16_384


def test_a_payload_may_have_as_many_bytes_as_the_limit_and_none_more() -> None:
    assert len(filled_to(PAYLOAD_MAX_BYTES)) == PAYLOAD_MAX_BYTES
    assert reason(filled_to(PAYLOAD_MAX_BYTES)) == 0
    assert reason(filled_to(PAYLOAD_MAX_BYTES + 1)) == Reject.TOO_LARGE


def test_a_payload_may_have_as_many_rows_as_the_limit_over_all_kinds() -> None:
    third = ROW_COUNT_MAX // 3
    rows = delimited(4, b"") * third + delimited(6, b"") * third
    rows += delimited(5, b"") * (ROW_COUNT_MAX - 2 * third)

    assert reason(rows) == 0
    assert reason(rows + delimited(4, b"")) == Reject.TOO_MANY_ROWS


@pytest.mark.parametrize("wire_type", [1, 2, 3, 4, 5])
def test_a_known_field_of_another_wire_type_is_another_schema(wire_type: int) -> None:
    assert reason(delimited(5, tagged(7, wire_type, bytes(9)))) == Reject.MISTYPED
    assert reason(ROW + tagged(3, wire_type, bytes(9))) == Reject.MISTYPED


@pytest.mark.parametrize("behind_bytes", [0, 1, 8, 30])
@pytest.mark.parametrize("field_0", [b"\x02\x00", b"\x00\x01", b"\x80\x00\x01", b"\x82\x00\x00"])
def test_field_number_0_is_malformed_wherever_it_stands(field_0: bytes, behind_bytes: int) -> None:
    row = b"\x09" + bytes(8) + field_0
    payload = b"\x2a" + bytes([len(row)]) + row + b"\x2a\x00" * behind_bytes
    with pytest.raises(DecodeError):
        Batch.FromString(payload)

    assert reason(payload) == Reject.MALFORMED


@pytest.mark.parametrize("number", [4, 5, 6])
def test_rows_of_another_wire_type_are_another_schema(number: int) -> None:
    assert reason(tagged(number, 0, b"\x01")) == Reject.MISTYPED


@pytest.mark.parametrize("wire_type", [6, 7])
def test_wire_types_that_do_not_exist_are_malformed(wire_type: int) -> None:
    assert reason(ROW + bytes([2 << 3 | wire_type, 0])) == Reject.MALFORMED
    assert reason(delimited(5, bytes([6 << 3 | wire_type, 0]) + bytes(20))) == Reject.MALFORMED


@pytest.mark.parametrize(("depth", "expected"), [(100, 0), (101, Reject.MALFORMED)])
def test_unknown_groups_nest_as_deep_as_protobuf_allows(depth: int, expected: int) -> None:
    groups = tagged(99, 3) * depth + tagged(99, 4) * depth
    one_less = tagged(99, 3) * (depth - 1) + tagged(99, 4) * (depth - 1)

    assert reason(ROW + groups) == expected
    assert reason(delimited(5, one_less)) == expected


def test_a_mebibyte_of_open_groups_is_refused_at_once() -> None:
    assert reason(tagged(99, 3) * (PAYLOAD_MAX_BYTES // 2)) == Reject.MALFORMED


def test_a_field_never_reaches_into_the_next_row_or_payload() -> None:
    row = tagged(1, 1, b"\x01" * 7)  # a fixed64 with one byte missing
    varint_cut = tagged(6, 0, b"\xff" * 5)

    assert reason(delimited(5, row) + ROW * 10) == Reject.TRUNCATED
    assert reason(delimited(5, varint_cut) + ROW * 10) == Reject.TRUNCATED
    assert decode(delimited(5, row)[:-1], ROW).payloads.reject.tolist() == [Reject.TRUNCATED, 0]


def test_a_damaged_payload_leaves_no_trace_in_its_neighbours() -> None:
    every_field = delimited(
        5, tagged(4, 0, b"\x07") + tagged(5, 0, b"\x09") + tagged(9, 0, b"\x02")
    )
    damaged = every_field * 3 + delimited(5, b"\x37")

    usage = decode(ROW, damaged, ROW).usage

    assert usage.payload_row.tolist() == [0, 2]
    assert usage.sequence.tolist() == [1, 1]
    assert usage.interval_start_time_ms.tolist() == [INT_MISSING] * 2
    assert usage.uplink_gigawords.tolist() == [INT_MISSING] * 2


def test_rows_of_different_kinds_are_numbered_apart() -> None:
    decoded = decode(ROW + delimited(4, b"") + ROW, ROW)

    assert decoded.usage.payload_row.tolist() == [0, 0, 1]
    assert decoded.usage.row.tolist() == [0, 1, 0]
    assert decoded.signal.row.tolist() == [0]


def test_more_rows_than_are_filled_at_once_hold_what_absent_fields_hold() -> None:
    decoded = decode(*[delimited(4, b"") * 1000] * 3)

    assert len(decoded.signal.row) == 3000
    assert not decoded.signal.device_key.any()
    assert np.isnan(decoded.signal.rsrp_dbm).all()
    assert (decoded.signal.pci == INT_MISSING).all()


def test_columns_are_writable_and_contiguous() -> None:
    decoded = decode(delimited(4, b"") * 5 + ROW + delimited(6, b""))

    for columns in (decoded.payloads, decoded.signal, decoded.usage, decoded.cells):
        for name, column in columns._asdict().items():
            assert column.flags.writeable, name
            assert column.flags.c_contiguous, name
            assert column.dtype in (np.int64, np.float64), name


def test_no_payloads_give_no_rows() -> None:
    decoded = decode()

    assert [len(columns[0]) for columns in decoded[:4]] == [0, 0, 0, 0]


def test_a_read_only_buffer_is_read_too() -> None:
    buffer = np.frombuffer(ROW, np.uint8)

    decoded = decode_payloads(buffer, np.zeros(1, np.int64), np.array([len(ROW)]))

    assert decoded.usage.sequence.tolist() == [1]


def test_one_payload_may_lie_in_several_places_of_the_list() -> None:
    batch = Batch(source="a", usage_readings=[{"sequence": 3}]).SerializeToString()
    buffer = np.frombuffer(bytearray(batch), np.uint8)

    decoded = decode_payloads(buffer, np.zeros(3, np.int64), np.full(3, len(batch)))

    assert decoded.usage.sequence.tolist() == [3, 3, 3]


@pytest.mark.parametrize(("offset", "length"), [(-1, 2), (0, -1), (0, 99), (99, 1)])
def test_a_payload_outside_the_buffer_is_our_own_bug(offset: int, length: int) -> None:
    buffer = np.frombuffer(bytearray(ROW), np.uint8)

    with pytest.raises(AssertionError):
        decode_payloads(buffer, np.array([offset]), np.array([length]))
