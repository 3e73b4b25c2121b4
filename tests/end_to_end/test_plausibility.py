"""Readings that cannot be: taken with a receipt, listed with a reason, and no evidence."""

from pathlib import Path

from surveys import add_sites

from running import phusong

HEADER = "device_key,observed_time_ms,latitude_deg,longitude_deg,position_accuracy_m,rat,serving_plmn,rsrp_dbm\n"
# Ten seconds from Bản Máy to Lũng Cú and back, 70 km.
ROWS = """5,2021-12-01T08:00:00+07:00,22.8002,104.9802,8,LTE,452-04,-90
5,2021-12-01T08:00:10+07:00,23.3602,105.3102,8,LTE,452-04,-91
5,2021-12-01T08:00:20+07:00,22.8002,104.9802,8,LTE,452-04,-92
"""


def test_a_reading_no_traveller_made_is_listed_and_is_no_evidence(tmp_path: Path) -> None:
    add_sites(tmp_path)
    file = tmp_path / "walk.csv"
    file.write_text(HEADER + ROWS)
    phusong("import", file, "--format", "csv", "--operator", "viettel", "--data", tmp_path)

    listed = phusong("journal", "quarantine", "--data", tmp_path, "--format", "json").document
    ran = phusong("coverage", "--data", tmp_path, "--as-of", "2021-12-02", "--format", "json")
    report = ran.document

    assert listed["by_reason"] == {"SPEED_IMPLIED": 1}
    (entry,) = listed["entries"]
    assert (entry["kind"], entry["row"], entry["reason"]) == ("signal", 1, "SPEED_IMPLIED")
    assert report["quarantined"] == {"SPEED_IMPLIED": 1}
    counts = {
        (row["site_code"], row["operator"]): (row["counts"]["raw"], row["counts"]["quarantined"])
        for row in report["sites"]
    }
    assert (counts["HG-1", "viettel"], counts["HG-2", "viettel"]) == ((2, 0), (0, 1))
