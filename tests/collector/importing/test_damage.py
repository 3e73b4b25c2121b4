"""Whatever is in a file: rows, refused rows, or a refusal of the file; never anything else."""

import contextlib
import gzip

import polars as pl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from phusong.collector.importing.fields import usage_shape
from phusong.collector.importing.formats import FORMATS
from phusong.collector.importing.options import ImportFailed, ImportRefused
from reference.importing import imported

HEADERS = (
    b"device_key,observed_time_ms,rat,rsrp_dbm,serving_plmn,operator",
    b"subscriber_key;observed_time;uplink_bytes;downlink_bytes;session",
    b"plmn\tcell_identity\tobserved_time_ms\trat\trsrp_histogram_count\tsite_code",
    b"Timestamp,Longitude,Latitude,NetworkMode,RSRP,Operatorname,RAWCELLID,NODEHEX,CELLHEX,LACHEX",
    b"capture_ts,status_type,event_ts,acct_delay_s,in_octets32,in_giga,out_octets32",
)
cells = st.one_of(
    st.sampled_from(
        [b"", b"-", b"7", b"-5", b"-200", b"18446744073709551616", b"1e400", b"nan", b"inf", b"\x00", b"\xff\xfe",
         b'"', b'"a,b"', b"2021-10-01T07:00:00+99:99", b"2021-13-01T00:00:00Z", b"9999999999999999", b"0x", b"0xfg",
         b"452-04", b"LTE", b"5G", b"1 2 99999999999", b"x" * 300, "Đà".encode(), b"0" * 25, b"+1"]
    ),
    st.binary(max_size=6),
)  # fmt: skip
bodies = st.lists(
    st.tuples(st.lists(cells, min_size=1, max_size=11), st.sampled_from([b",", b";", b"\t"])).map(
        lambda row: row[1].join(row[0])
    ),
    max_size=8,
)
ends = st.sampled_from([b"\n", b"\r\n"])


def fate(path, format_name):
    with contextlib.suppress(ImportRefused, ImportFailed):
        imported(path, format_name)


SETTINGS = settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)


@pytest.mark.slow
@SETTINGS
@given(st.sampled_from(HEADERS), bodies, ends, st.sampled_from(FORMATS))
def test_no_text_file_is_an_exception_to_its_reader(tmp_path, header, body, end, format_name):
    path = tmp_path / "file.csv"
    path.write_bytes(end.join([header, *body]))

    fate(path, format_name)


@SETTINGS
@given(st.binary(max_size=200))
@example(b"PAR1")
@example(b"PAR1\0\0\0\0PAR1")
@example(b"\x1f\x8b")
@example(gzip.compress(b""))
@example(gzip.compress(gzip.compress(b"a,b\n1,2\n")))
@example(b"\0" * 100_000)
def test_no_bytes_are_an_exception_to_their_reader(tmp_path, content):
    path = tmp_path / "file"
    path.write_bytes(content)

    fate(path, "auto")


# Few, because each file is first read in a process of its own.
@settings(SETTINGS, max_examples=25)
@given(st.integers(0, 10**6), st.integers(0, 255))
@example(50, 1)  # makes the library ask for 2^61 bytes
def test_no_flipped_byte_of_a_parquet_file_is_an_exception_to_its_reader(tmp_path, place, byte):
    path = tmp_path / "file.parquet"
    frame = pl.DataFrame(
        {
            "device_key": [1, 2],
            "observed_time_ms": [1, 2],
            "rat": ["LTE"] * 2,
            "rsrp_dbm": [-90.0] * 2,
        }
    )
    frame.write_parquet(path)
    content = bytearray(path.read_bytes())
    content[place % len(content)] = byte
    path.write_bytes(content)

    fate(path, "auto")


@pytest.mark.parametrize("name", usage_shape().fields)
@pytest.mark.parametrize(
    "column",
    [pl.Series([b"\xff"]), pl.Series([{"x": 1}]), pl.Series([[[1]]]), pl.Series([2.5e300])],
)
def test_parquet_columns_of_wrong_types_refuse_their_rows(tmp_path, name, column):
    path = tmp_path / "file.parquet"
    good = {
        "subscriber_key": [7],
        "observed_time_ms": [1],
        "uplink_bytes": [1],
        "downlink_bytes": [1],
    }
    pl.DataFrame(good | {name: column}).write_parquet(path)

    batches, bad_rows, _ = imported(path, "usage-parquet")

    # A text is what such a value looks like; everything else cannot be read from it.
    assert len(batches) + len(bad_rows) == 1
    assert name == "session" or bad_rows[0].detail.startswith(name)


def test_null_bytes_negative_counters_and_2_to_64_are_rows_refused_with_their_line(tmp_path):
    path = tmp_path / "file.csv"
    path.write_bytes(
        b"subscriber_key,observed_time_ms,uplink_bytes,downlink_bytes\r\n"
        b"1,1,\x00,1\r\n"
        b"1,1,-5,1\r\n"
        b"1,1,18446744073709551616,1\r\n"
        b"1,1,1,1\r\n"
    )

    batches, bad_rows, _ = imported(path)

    assert [(row.line, row.reason) for row in bad_rows] == [(n, "NOT_A_NUMBER") for n in (2, 3, 4)]
    assert len(batches[0].usage_readings) == 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"a:b:c\n1:2:3\n", "do not tell"),
        (b"device_key observed_time_ms rat\n", "do not tell"),
    ],
)
def test_a_file_that_is_no_table_is_refused_with_what_was_found(tmp_path, content, reason):
    path = tmp_path / "file.csv"
    path.write_bytes(content)

    with pytest.raises(ImportRefused, match=reason):
        imported(path)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ImportRefused, match="no such file"):
        imported(tmp_path / "none.csv")
