from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from phusong.collector.importing import payloads
from phusong.collector.importing.options import ImportRefused
from phusong.v1.telemetry_pb2 import RAT_LTE, RECORD_TYPE_START
from reference.importing import imported, row_count, signal_readings

HEADER = "device_key,observed_time_ms,rat,serving_plmn,latitude_deg,rsrp_dbm"
GOOD = "7,1633046400000,LTE,452-04,21.5,-100.5"


def write(folder, *lines, name="file.csv"):
    path = folder / name
    path.write_text("\n".join(lines) + "\n")
    return path


def signal(folder, *lines, **options):
    batches, bad_rows, notes = imported(write(folder, *lines), **options)
    return [row for batch in batches for row in batch.signal_readings], bad_rows, notes


moments = st.datetimes(
    datetime.fromisoformat("2019-01-01"), datetime.fromisoformat("2023-01-01")
).map(lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000))
zones = st.integers(-12 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m)))
times = st.one_of(
    st.integers(0, 2**41).map(str),
    st.builds(lambda moment, zone: moment.replace(tzinfo=zone).isoformat(), moments, zones),
    moments.map(datetime.isoformat),  # without a zone: refused
    st.sampled_from(["soon", "", "2021-02-30T00:00:00Z"]),
)
keys = st.one_of(
    st.integers(-(2**63), 2**64 - 1).map(str),
    st.integers(0, 2**64 - 1).map(hex),
    st.sampled_from(["", "-", "null", "twelve"]),
)
levels = st.one_of(st.integers(-1600, 0).map(lambda n: str(n / 8)), st.sampled_from(["", "x"]))
rows = st.tuples(
    keys,
    times,
    st.sampled_from(["LTE", "lte", "NR", "GSM", "UMTS", "WIMAX", ""]),
    st.sampled_from(["452-04", "45204", "", "-"]),
    levels,
    levels,
)


@pytest.mark.slow
@settings(
    max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(st.lists(rows, max_size=12))
def test_a_file_is_read_as_the_standard_library_reads_it(tmp_path, cells):
    path = write(tmp_path, HEADER, *map(",".join, cells))
    expected, bad_lines = signal_readings(path)

    batches, bad_rows, _ = imported(path, "signal-csv")

    assert [row for batch in batches for row in batch.signal_readings] == expected
    assert [row.line for row in bad_rows] == bad_lines


@pytest.mark.slow
@settings(
    max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(st.integers(1, 40), st.integers(1, 9))
def test_payloads_may_be_cut_anywhere(tmp_path, count, rows_max):
    lines = [f"{key},1633046400000,LTE,452-04,21.5,-100.5" for key in range(1, count + 1)]
    path = write(tmp_path, HEADER, *lines)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(payloads, "PAYLOAD_ROWS_MAX", rows_max)
        batches, _, _ = imported(path)

    assert [batch.sequence for batch in batches] == list(range(1, -(-count // rows_max) + 1))
    assert max(map(row_count, batches)) <= rows_max
    assert [row.device_key for batch in batches for row in batch.signal_readings] == list(
        range(1, count + 1)
    )


def test_the_same_content_has_the_same_identity_whatever_the_file_is_called(tmp_path):
    first, _, _ = imported(write(tmp_path, HEADER, GOOD, name="a.csv"))
    again, _, _ = imported(write(tmp_path, HEADER, GOOD, name="b.csv"))
    other, _, _ = imported(write(tmp_path, HEADER, GOOD, GOOD, name="c.csv"))

    assert first == again
    assert 0 < first[0].boot_epoch < 2**63
    assert first[0].boot_epoch != other[0].boot_epoch


def test_a_time_without_a_zone_is_refused_with_what_is_expected(tmp_path):
    _, bad_rows, _ = signal(tmp_path, HEADER, "7,2021-10-01T07:00:00,LTE,452-04,21.5,-100")

    assert [(row.line, row.reason) for row in bad_rows] == [(2, "NOT_A_TIME")]
    assert "with a zone" in bad_rows[0].detail


def test_a_time_without_a_zone_is_local_time_where_the_caller_names_the_zone(tmp_path):
    readings, _, _ = signal(
        tmp_path, HEADER, "7,2021-10-01 07:00,LTE,,21.5,-100", timezone="Asia/Ho_Chi_Minh"
    )

    assert readings[0].observed_time_ms == 1633046400000


def test_a_moment_that_a_clock_change_repeated_or_skipped_is_refused(tmp_path):
    repeated, skipped = "2021-10-31T02:30:00", "2021-03-28T02:30:00"

    _, bad_rows, _ = signal(
        tmp_path,
        HEADER,
        f"7,{repeated},LTE,,21.5,-100",
        f"7,{skipped},LTE,,21.5,-100",
        timezone="Europe/Paris",
    )

    assert [row.reason for row in bad_rows] == ["NOT_A_TIME", "NOT_A_TIME"]


@pytest.mark.parametrize("text", ["LTE", "lte", "RAT_LTE", "rat_lte", "3", "4G"])
def test_a_word_has_short_and_long_names_and_its_number(tmp_path, text):
    readings, _, _ = signal(tmp_path, HEADER, f"7,1633046400000,{text},452-04,21.5,-100")

    assert readings[0].rat == RAT_LTE


@pytest.mark.parametrize(
    ("text", "key"), [("-1", 2**64 - 1), ("18446744073709551615", 2**64 - 1), ("0xFF", 255)]
)
def test_a_key_is_64_bits_signed_unsigned_or_hexadecimal(tmp_path, text, key):
    readings, _, _ = signal(tmp_path, HEADER, f"{text},1633046400000,LTE,,21.5,-100")

    assert readings[0].device_key == key


def test_a_time_column_needs_no_unit_in_its_name(tmp_path):
    readings, _, _ = signal(
        tmp_path, "device_key,Observed_Time,rat,rsrp_dbm", "7,2021-10-01T00:00:00Z,LTE,-100"
    )

    assert readings[0].observed_time_ms == 1633046400000


def test_rows_go_to_the_operator_and_source_they_name(tmp_path):
    batches, bad_rows, _ = imported(
        write(
            tmp_path,
            HEADER + ",operator,source",
            GOOD + ",mobifone,probe-1",
            GOOD + ",,",
            GOOD + ",mobifone,probe-1",
            GOOD + ",Not A Slug,probe-1",
        ),
        source="campaign",
    )

    assert [(batch.operator, batch.source, row_count(batch)) for batch in batches] == [
        ("mobifone", "probe-1", 2),
        ("viettel", "campaign", 1),
    ]
    assert [batch.sequence for batch in batches] == [1, 1]
    assert [row.reason for row in bad_rows] == ["UNKNOWN_VALUE"]


def test_unknown_columns_are_ignored_and_named_once(tmp_path):
    readings, _, notes = signal(tmp_path, HEADER + ",colour", GOOD + ",red", GOOD + ",blue")

    assert len(readings) == 2
    assert notes == ["file.csv: columns not read: colour"]


def test_a_missing_column_is_named_with_those_that_were_found(tmp_path):
    with pytest.raises(
        ImportRefused, match="missing column observed_time_ms; found: device_key, rat"
    ):
        imported(write(tmp_path, "device_key,rat,rsrp_dbm", "7,LTE,-100"), "signal-csv")


def test_two_columns_of_one_field_are_refused(tmp_path):
    with pytest.raises(ImportRefused, match="are both observed_time_ms"):
        imported(write(tmp_path, HEADER + ",observed_time", GOOD + ",1"))


def test_an_operator_must_be_named_somewhere(tmp_path):
    with pytest.raises(ImportRefused, match="--operator"):
        imported(write(tmp_path, HEADER, GOOD), operator="")


def test_the_caller_names_what_the_file_does_not(tmp_path):
    readings, _, _ = signal(
        tmp_path, "observed_time_ms,rat,rsrp_dbm", "1,LTE,-100", device="9", plmn="452-04",
        format_name="signal-csv",
    )  # fmt: skip

    assert (readings[0].device_key, readings[0].serving_plmn) == (9, "452-04")


def test_an_empty_counter_is_not_zero_bytes_but_a_session_that_starts_has_none(tmp_path):
    batches, bad_rows, _ = imported(
        write(
            tmp_path,
            "subscriber_key,observed_time_ms,uplink_bytes,downlink_bytes,record_type",
            "7,1633046400000,,,START",
            "7,1633046400001,5,,INTERIM",
        )
    )

    assert [row.record_type for row in batches[0].usage_readings] == [RECORD_TYPE_START]
    assert [(row.line, row.reason) for row in bad_rows] == [(3, "COLUMN_MISSING")]


def test_gigawords_of_zero_are_known_and_empty_ones_are_not(tmp_path):
    batches, _, _ = imported(
        write(
            tmp_path,
            "subscriber_key,observed_time_ms,uplink_bytes,downlink_bytes,uplink_gigawords,counter_width_bits",
            "7,1633046400000,5,6,0,32",
            "7,1633046400000,5,6,,32",
        )
    )

    known, unknown = batches[0].usage_readings
    assert known.HasField("uplink_gigawords")
    assert not unknown.HasField("uplink_gigawords")


@pytest.mark.parametrize("counter", ["-5", "18446744073709551616", "1e9", "1.5", "0x10", "1_000"])
def test_a_counter_that_is_no_whole_number_of_64_bits_is_refused(tmp_path, counter):
    _, bad_rows, _ = imported(
        write(
            tmp_path,
            "subscriber_key,observed_time_ms,uplink_bytes,downlink_bytes",
            f"7,1633046400000,{counter},0",
        )
    )

    assert [row.reason for row in bad_rows] == ["NOT_A_NUMBER"]
    assert f"uplink_bytes: '{counter}'" in bad_rows[0].detail
    assert "downlink_bytes=0" in bad_rows[0].row


def test_seconds_in_a_column_of_milliseconds_are_remarked_on(tmp_path):
    _, _, notes = signal(tmp_path, HEADER, "7,1633046400,LTE,,21.5,-100")

    assert any("seconds" in note for note in notes)
