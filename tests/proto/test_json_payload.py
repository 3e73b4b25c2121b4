"""JSON batches: what hands and small devices may write, and that nothing they write is an exception."""

import json
import math

import pytest
from google.protobuf import json_format
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from phusong.kernels.reject import Reject
from phusong.v1.json_payload import batch_from_json
from phusong.v1.telemetry_pb2 import Batch
from reference.wire_bytes import payloads

LARGEST_FLOAT = "3.4028235e+38"


def batch(payload: bytes | str) -> Batch:
    encoded = batch_from_json(payload if isinstance(payload, bytes) else payload.encode())
    assert isinstance(encoded, bytes)
    return Batch.FromString(encoded)


@settings(deadline=None)
@given(payloads)
def test_what_the_official_library_writes_is_read(payload: bytes) -> None:
    written = json_format.MessageToJson(Batch.FromString(payload))
    # The largest float has a shorter form that is larger, which the library writes and does not read.
    assume(LARGEST_FLOAT not in written)

    # As JSON again: it has one NaN where floats have many, and no place for unknown fields.
    assert json_format.MessageToJson(batch(written)) == written


def test_numbers_of_64_bits_may_be_texts() -> None:
    read = batch('{"bootEpoch": "18446744073709551615", "sequence": 7}')

    assert (read.boot_epoch, read.sequence) == (2**64 - 1, 7)


def test_names_may_be_those_of_the_proto() -> None:
    read = batch('{"signal_readings": [{"device_key": "5", "rsrp_dbm": -97.5}]}')

    assert read.signal_readings[0].device_key == 5
    assert read.signal_readings[0].rsrp_dbm == -97.5


@pytest.mark.parametrize(
    ("written", "read"), [('"RAT_LTE"', 3), ("3", 3), ("77", 77), ('"RAT_6G"', 0)]
)
def test_enums_are_names_or_numbers(written: str, read: int) -> None:
    assert batch(f'{{"signalReadings": [{{"rat": {written}}}]}}').signal_readings[0].rat == read


@pytest.mark.parametrize(
    ("written", "read"), [('"NaN"', math.nan), ('"Infinity"', math.inf), ('"-Infinity"', -math.inf)]
)
def test_what_is_no_number_is_a_text(written: str, read: float) -> None:
    (row,) = batch(f'{{"signalReadings": [{{"rsrpDbm": {written}}}]}}').signal_readings

    assert row.rsrp_dbm == read or (math.isnan(row.rsrp_dbm) and math.isnan(read))


def test_unknown_fields_are_skipped() -> None:
    deep = "[" * 200 + "]" * 200

    assert batch(f'{{"source": "a", "colour": {deep}, "usageReadings": [{{"x": 1}}]}}') == Batch(
        source="a", usage_readings=[{}]
    )


@pytest.mark.parametrize(
    "payload",
    [
        "",
        "null",
        "1",
        "[]",
        '"source"',
        '["source"]',
        "[[1]]",
        '{"source": "a"} x',
        '{"source": "a", "source": "b"}',
        '{"source": 1}',
        r'{"source": "\ud800"}',
        '{"bootEpoch": -1}',
        '{"bootEpoch": 1.5}',
        '{"bootEpoch": 1e400}',
        '{"bootEpoch": NaN}',
        '{"bootEpoch": 18446744073709551616}',
        '{"bootEpoch": "0x10"}',
        '{"bootEpoch": ' + "9" * 5000 + "}",
        '{"bootEpoch": "' + "9" * 5000 + '"}',
        '{"x": ' + "9" * 5000 + "}",
        '{"x": ' + "[" * 100_000 + "]" * 100_000 + "}",
        '{"x": ' * 100_000,
        "{" * 1_000_000,
        '{"signalReadings": {}}',
        '{"signalReadings": [null]}',
        '{"signalReadings": [["rat"]]}',
        '{"signalReadings": [{"rsrpDbm": 1e39}]}',
        '{"signalReadings": [{"rsrpDbm": Infinity}]}',
        '{"signalReadings": [{"rat": 99999999999}]}',
        '{"cellReports": [{"rsrpHistogramCount": [1, -3]}]}',
        '{"[phusong.v1.x]": {}}',
        "\ufeff{}",
    ],
    ids=lambda payload: payload[:40],
)
def test_what_is_no_json_batch_is_refused(payload: str) -> None:
    assert batch_from_json(payload.encode()) is Reject.NOT_JSON


def test_bytes_that_are_no_utf8_are_refused() -> None:
    assert batch_from_json(b'{"source": "\xc3\x28"}') is Reject.NOT_UTF8


def test_the_limit_is_that_of_protobuf_payloads() -> None:
    largest = b"{" + b" " * (1024 * 1024 - 2) + b"}"

    assert batch_from_json(largest) == b""
    assert batch_from_json(largest + b" ") is Reject.TOO_LARGE


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [f.json_name for f in Batch.DESCRIPTOR.fields] + ["rat", "rsrpDbm", "x", "@type"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)


@settings(deadline=None)
@given(json_values.map(json.dumps), st.data())
def test_no_text_is_an_exception(text: str, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(text)))
    put_in = data.draw(st.text(alphabet='{}[]",:\\u0dNa-1e', max_size=3))

    for payload in (text, text[:cut] + put_in + text[cut:], text[:cut]):
        assert isinstance(batch_from_json(payload.encode()), bytes | Reject)


@given(st.binary(max_size=50))
def test_no_bytes_are_an_exception(payload: bytes) -> None:
    assert isinstance(batch_from_json(payload), bytes | Reject)
