import pytest

from phusong.collector.importing.gnettrack import operator_slug, plmn_of_operator
from phusong.collector.importing.options import ImportRefused
from phusong.v1.telemetry_pb2 import (
    RAT_GSM,
    RAT_LTE,
    RAT_NR,
    RAT_UMTS,
    SERVICE_STATE_NO_SERVICE,
)
from reference.importing import imported

HEADER = (
    "Timestamp,Longitude,Latitude,Speed,Operatorname,CellID,NetworkMode,RSRP,RSRQ,SNR,CQI,RSSI,DL_bitrate,"
    "UL_bitrate,State,PINGAVG,PINGMIN,PINGMAX,PINGSTDEV,PINGLOSS,CELLHEX,NODEHEX,LACHEX,RAWCELLID,NRxRSRP,NRxRSRQ"
)
LTE = {
    "Timestamp": "2021.10.01_07.30.00", "Longitude": "105.3621", "Latitude": "23.2794", "Speed": "18",
    "Operatorname": "Viettel", "CellID": "1", "NetworkMode": "LTE", "RSRP": "-97", "RSRQ": "-11", "SNR": "9.0",
    "CQI": "11", "RSSI": "-68", "DL_bitrate": "8400", "UL_bitrate": "2100", "State": "D", "PINGAVG": "41.5",
    "PINGMIN": "-", "PINGMAX": "-", "PINGSTDEV": "-", "PINGLOSS": "-", "CELLHEX": "1", "NODEHEX": "18E85",
    "LACHEX": "5001", "RAWCELLID": "26117377", "NRxRSRP": "-109.0", "NRxRSRQ": "-16.0",
}  # fmt: skip
LTE["RAWCELLID"] = str(0x18E85 * 256 + 1)
UMTS = LTE | {
    "NetworkMode": "HSPA+", "RSRP": "-79", "RSRQ": "-2", "SNR": "-", "CELLHEX": "7729", "NODEHEX": "12D",
    "LACHEX": "4E20", "RAWCELLID": str(0x12D * 65536 + 0x7729), "NRxRSRP": "-51.0",
}  # fmt: skip


def log(folder, *rows, name="log.csv", **options):
    path = folder / name
    lines = [",".join(row[column] for column in HEADER.split(",")) for row in rows]
    path.write_text("\n".join([HEADER, *lines]) + "\n")
    batches, bad_rows, notes = imported(path, **({"operator": ""} | options))
    return [row for batch in batches for row in batch.signal_readings], bad_rows, notes


def test_an_lte_row_becomes_a_reading_with_its_units_turned(tmp_path):
    (reading,), _, _ = log(tmp_path, LTE)

    assert reading.rat == RAT_LTE
    assert (reading.rsrp_dbm, reading.rsrq_db, reading.sinr_db) == (-97, -11, 9)
    assert reading.observed_time_ms == 1633073400000  # 07:30 UTC
    assert reading.speed_m_per_s == 5
    assert (reading.download_bits_per_s, reading.upload_bits_per_s) == (8_400_000, 2_100_000)
    assert reading.latency_ms == 41.5
    assert (reading.cell_identity, reading.tac) == (0x18E85 * 256 + 1, 0x5001)
    assert reading.serving_plmn == "452-04"


def test_the_level_of_a_3g_row_is_of_no_kind_we_know(tmp_path):
    (reading,), _, _ = log(tmp_path, UMTS)

    assert reading.rat == RAT_UMTS
    for field in ("rsrp_dbm", "ss_rsrp_dbm", "rscp_dbm", "rxlev_dbm", "rsrq_db", "sinr_db", "tac"):
        assert not reading.HasField(field)
    assert reading.cell_identity == 0x12D * 65536 + 0x7729


def test_the_level_of_a_5g_row_is_ss_rsrp_and_the_neighbours_is_left(tmp_path):
    (reading,), _, _ = log(tmp_path, LTE | {"NetworkMode": "5G", "RSRP": "-102"})

    assert reading.rat == RAT_NR
    assert reading.ss_rsrp_dbm == -102
    assert not reading.HasField("rsrp_dbm")


def test_a_sentinel_is_passed_on_for_the_screen_to_refuse(tmp_path):
    (reading,), _, _ = log(tmp_path, LTE | {"RSRP": "-200", "SNR": "-30.0"})

    assert (reading.rsrp_dbm, reading.sinr_db) == (-200, -30)


def test_a_row_between_two_networks_keeps_no_level(tmp_path):
    # The identity is already that of a 3G cell, cut up as if it were LTE's.
    between = UMTS | {
        "NetworkMode": "LTE", "RSRP": "-114", "RSRQ": "-17", "LACHEX": "0", "CELLHEX": "29", "NODEHEX": "12D77",
    }  # fmt: skip

    (reading,), _, _ = log(tmp_path, between)

    assert reading.rat == RAT_LTE
    assert not reading.HasField("rsrp_dbm")
    assert not reading.HasField("cell_identity")


def test_the_identity_of_the_network_before_is_not_of_this_row(tmp_path):
    stale = UMTS | {key: LTE[key] for key in ("CELLHEX", "NODEHEX", "LACHEX", "RAWCELLID")}

    (reading,), _, _ = log(tmp_path, stale)

    assert not reading.HasField("cell_identity")


def test_the_bit_rate_of_an_idle_row_is_no_test(tmp_path):
    (reading,), _, _ = log(tmp_path, LTE | {"State": "I", "DL_bitrate": "0", "UL_bitrate": "0"})

    assert not reading.HasField("download_bits_per_s")
    assert not reading.HasField("upload_bits_per_s")


def test_no_service_is_a_reading_too(tmp_path):
    (reading,), _, _ = log(tmp_path, LTE | {"NetworkMode": "No service", "RSRP": "-"})

    assert reading.service_state == SERVICE_STATE_NO_SERVICE
    assert reading.rat == 0


@pytest.mark.parametrize(
    ("mode", "rat"),
    [("EDGE", RAT_GSM), ("UMTS", RAT_UMTS), ("HSUPA", RAT_UMTS), ("lte", RAT_LTE), ("NR", RAT_NR)],
)
def test_modes_are_technologies(tmp_path, mode, rat):
    (reading,), _, _ = log(tmp_path, LTE | {"NetworkMode": mode})

    assert reading.rat == rat


@pytest.mark.parametrize("mode", ["WiMAX", "-"])
def test_a_mode_that_nobody_knows_is_refused(tmp_path, mode):
    readings, (bad_row,), _ = log(tmp_path, LTE | {"NetworkMode": mode})

    assert not readings
    assert bad_row.reason == "UNKNOWN_VALUE"
    assert bad_row.detail.startswith("NetworkMode: ")


def test_times_are_utc_unless_the_caller_says_otherwise_and_it_is_said(tmp_path):
    _, _, notes = log(tmp_path, LTE)
    (reading,), _, notes_with_zone = log(tmp_path, LTE, timezone="Asia/Ho_Chi_Minh")

    assert any("UTC" in note for note in notes)
    assert not any("UTC" in note for note in notes_with_zone)
    assert reading.observed_time_ms == 1633073400000 - 7 * 3_600_000


def test_two_logs_of_a_source_are_no_two_devices_unless_the_caller_says_so(tmp_path):
    def key(name, **options):
        return log(tmp_path, LTE, name=name, **options)[0][0].device_key

    assert key("a.csv") == key("b.csv") != 0
    assert key("a.csv", source="car-1") != key("a.csv", source="car-2")
    assert key("a.csv", device="log") != key("b.csv", device="log")
    assert key("a.csv", device="77") == 77


def test_the_operator_is_in_the_log_or_named_by_the_caller(tmp_path):
    (reading,), _, _ = log(tmp_path, LTE | {"Operatorname": "Vodafone IE"}, plmn="272-01")
    _, (bad_row,), _ = log(tmp_path, LTE | {"Operatorname": "-"})

    assert reading.serving_plmn == "272-01"
    assert (bad_row.reason, bad_row.detail.split(" ")[0]) == ("UNKNOWN_VALUE", "Operatorname")


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Viettel Telecom", "viettel"),
        ("I-Telecom", "itelecom"),
        ("VN VINAPHONE", "vn-vinaphone"),
        ("VinaPhone", "vinaphone"),
        ("Điện thoại", "dien-thoai"),
        ("B", "b"),
        ("///", ""),
    ],
)
def test_an_operators_name_becomes_its_slug(name, slug):
    assert operator_slug(name) == slug


def test_only_operators_of_vietnam_have_a_known_code():
    assert plmn_of_operator("mobifone") == "452-01"
    assert plmn_of_operator("b") == ""


def test_what_is_no_number_is_refused_under_the_logs_own_name(tmp_path):
    rows = [
        LTE | {column: "?"} for column in ("RSRP", "Speed", "DL_bitrate", "LACHEX", "Timestamp")
    ]

    readings, bad_rows, _ = log(tmp_path, *rows)

    assert not readings
    assert [row.detail.split(":")[0] for row in bad_rows] == [
        "RSRP", "Speed", "DL_bitrate", "LACHEX", "Timestamp",
    ]  # fmt: skip


def test_a_log_without_its_columns_is_refused(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("Timestamp,NetworkMode\n")

    with pytest.raises(ImportRefused, match="missing column Longitude, Latitude, RSRP"):
        imported(path, "gnettrack")
