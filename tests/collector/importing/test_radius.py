import pytest

from phusong.collector.importing.options import ImportRefused
from phusong.v1.telemetry_pb2 import (
    COUNTER_KIND_CUMULATIVE,
    RECORD_TYPE_INTERIM,
    RECORD_TYPE_START,
    RECORD_TYPE_STOP,
)
from reference.importing import imported

HEADER = (
    "capture_ts,radius_id,status_type,event_ts,acct_delay_s,in_octets32,in_giga,out_octets32,out_giga,"
    "session_time_s,terminate_cause"
)
START = "1633046400.390482,47,1,1633046410,0,,,,,,"
INTERIM = "1633046410.5,48,3,1633046420,2,169089,0,5698836,1,10,"
STOP = "1633046420,49,2,1633046430,0,200000,,6000000,,20,1"


def records(folder, *lines, header=HEADER, name="records.csv", **options):
    path = folder / name
    path.write_text("\n".join([header, *lines]) + "\n")
    batches, bad_rows, notes = imported(path, "radius", **options)
    return [row for batch in batches for row in batch.usage_readings], bad_rows, notes


def test_an_interim_record_becomes_a_reading_and_input_is_uplink(tmp_path):
    (reading,), _, _ = records(tmp_path, INTERIM)

    assert (reading.uplink_bytes, reading.downlink_bytes) == (169089, 5698836)
    assert (reading.uplink_gigawords, reading.downlink_gigawords) == (0, 1)
    assert reading.counter_width_bits == 32
    assert reading.counter_kind == COUNTER_KIND_CUMULATIVE
    assert reading.observed_time_ms == 1633046420000
    assert reading.received_time_ms == 1633046410500
    assert reading.reporting_delay_ms == 2000
    assert reading.session_time_ms == 10000


def test_fractions_of_a_second_are_cut_not_rounded(tmp_path):
    (reading,), _, _ = records(tmp_path, START.replace(".390482", ".999999"))

    assert reading.received_time_ms == 1633046400999


def test_a_start_without_octets_is_taken_and_an_interim_without_is_not(tmp_path):
    readings, (bad_row,), _ = records(tmp_path, START, INTERIM.replace("169089", ""))

    assert [reading.record_type for reading in readings] == [RECORD_TYPE_START]
    assert (bad_row.reason, bad_row.line) == ("COLUMN_MISSING", 3)
    assert bad_row.detail.startswith("in_octets32")


def test_gigawords_that_are_not_given_are_not_known(tmp_path):
    (reading,), _, _ = records(tmp_path, STOP)

    assert not reading.HasField("uplink_gigawords")
    assert not reading.HasField("downlink_gigawords")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("1", RECORD_TYPE_START),
        ("2", RECORD_TYPE_STOP),
        ("3", RECORD_TYPE_INTERIM),
        ("Interim-Update", RECORD_TYPE_INTERIM),
        ("Alive", RECORD_TYPE_INTERIM),
    ],
)
def test_the_status_types_are_those_of_the_rfc(tmp_path, text, kind):
    (reading,), _, _ = records(tmp_path, INTERIM.replace(",3,", f",{text},", 1))

    assert reading.record_type == kind


@pytest.mark.parametrize("text", ["7", "Accounting-On", ""])
def test_other_status_types_are_refused(tmp_path, text):
    readings, (bad_row,), _ = records(tmp_path, INTERIM.replace(",3,", f",{text},", 1))

    assert not readings
    assert (bad_row.reason, bad_row.detail.split(":")[0]) == ("UNKNOWN_VALUE", "status_type")


def test_a_file_without_keys_is_one_session_of_one_nameless_subscriber(tmp_path):
    first, _, _ = records(tmp_path, START, INTERIM)
    other, _, _ = records(tmp_path, START, STOP, name="other.csv")

    assert len({(row.subscriber_key, row.session) for row in first}) == 1
    assert first[0].subscriber_key != 0
    assert first[0].subscriber_key != other[0].subscriber_key
    assert first[0].session != other[0].session


def test_keys_come_from_the_caller_or_from_columns(tmp_path):
    (said,), _, _ = records(tmp_path, INTERIM, subscriber="0x10", session="s-1")
    (own,), _, _ = records(
        tmp_path, INTERIM + ",9,wifi-9", header=HEADER + ",subscriber_key,session"
    )

    assert (said.subscriber_key, said.session) == (16, "s-1")
    assert (own.subscriber_key, own.session) == (9, "wifi-9")


def test_two_sessions_that_nothing_tells_apart_are_remarked_on_once(tmp_path):
    _, _, notes = records(tmp_path, START, INTERIM, START, START)

    assert sum("several sessions" in note for note in notes) == 1


def test_a_table_without_its_columns_is_refused(tmp_path):
    with pytest.raises(ImportRefused, match="missing column event_ts, in_octets32, out_octets32"):
        records(tmp_path, "1", header="status_type")
