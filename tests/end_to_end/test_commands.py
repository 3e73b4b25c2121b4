"""Commands on a folder: what they print, and how they end."""

import csv
import io
import json
from pathlib import Path

import pytest
from surveys import SITES, add_sites, import_survey

from running import phusong

pytestmark = pytest.mark.slow


def test_a_surveyed_site_is_covered_and_another_is_not(data: Path) -> None:
    add_sites(data)
    import_survey(data, "good", -90, 22.8, 104.98)
    import_survey(data, "bad", -130, 23.36, 105.31)

    ran = phusong(
        *("coverage", "--data", data, "--as-of", "2021-12-31", "--format", "json"), status=3
    )

    verdicts = {(row["site_code"], row["operator"]): row for row in ran.document["sites"]}
    assert verdicts["HG-1", "viettel"]["verdict"] == "COVERED", verdicts["HG-1", "viettel"]
    assert verdicts["HG-2", "viettel"]["verdict"] == "NOT_COVERED"
    assert verdicts["HG-2", "vinaphone"]["verdict"] == "UNTESTED"
    assert ran.document["policy"]["id"] == "plan3667-mobile-internet"
    assert verdicts["HG-1", "viettel"]["median_level_dbm"] == -90


def test_the_answer_as_of_a_date_before_the_survey_is_untested(data: Path) -> None:
    add_sites(data)
    import_survey(data, "good", -90, 22.8, 104.98)

    ran = phusong("coverage", "--data", data, "--as-of", "2021-11-30", "--format", "json")

    assert {row["verdict"] for row in ran.document["sites"]} == {"UNTESTED"}


def test_the_same_file_twice_changes_nothing(data: Path) -> None:
    add_sites(data)
    import_survey(data, "good", -90, 22.8, 104.98)
    once = phusong("coverage", "--data", data, "--as-of", "2021-12-31", "--format", "json").document
    import_survey(data, "good", -90, 22.8, 104.98)

    twice = phusong(
        "coverage", "--data", data, "--as-of", "2021-12-31", "--format", "json"
    ).document

    assert twice["sites"] == once["sites"]
    assert twice["journal"] != once["journal"]


def test_csv_starts_with_a_byte_order_mark_for_excel(data: Path) -> None:
    add_sites(data)

    ran = phusong("coverage", "--data", data, "--format", "csv")

    assert ran.out.startswith("\ufeff")
    rows = list(csv.DictReader(io.StringIO(ran.out[1:])))
    assert rows[0]["name"] == "Nhà văn hoá thôn Bản Máy"
    assert rows[0]["verdict"] == "UNTESTED"


USAGE = """subscriber_key,session,observed_time_ms,received_time_ms,uplink_bytes,downlink_bytes,traffic_class
77,s1,2021-10-01T08:00:00+07:00,2021-10-01T08:00:01+07:00,0,0,METERED
77,s1,2021-10-01T09:00:00+07:00,2021-10-01T09:00:01+07:00,1000000000,3500000000,METERED
77,s1,2021-10-01T09:00:00+07:00,2021-10-01T09:00:01+07:00,1000000000,3500000000,METERED
77,z1,2021-10-01T09:00:00+07:00,2021-10-01T09:00:01+07:00,5,7,ZERO_RATED
78,s1,2021-10-01T09:00:00+07:00,2021-10-01T09:00:01+07:00,10,20,METERED
78,s1,2021-10-01T09:30:00+07:00,2021-10-01T09:30:01+07:00,-1,20,METERED
"""


def import_usage(data: Path) -> None:
    file = data / "usage.csv"
    file.write_text(USAGE)
    phusong("import", file, "--format", "csv", "--operator", "viettel", "--data", data)


def test_usage_is_metered_per_sim_and_day_and_the_sums_reconcile(data: Path) -> None:
    import_usage(data)

    document = phusong("quota", "--data", data, "--day", "2021-10-01", "--format", "json").document

    sims = {row["sim"]: row for row in document["sims"]}
    assert sims["77"]["used_bytes"] == 4_500_000_000
    assert sims["77"]["zero_rated_bytes"] == 12
    assert sims["77"]["thresholds_crossed"] == [50, 80, 100]
    assert sims["77"]["crossed_time"] == "2021-10-01T02:00:00.000Z"
    assert sims["78"]["used_bytes"] == 30
    totals = document["totals"]
    parts = ("counted", "duplicate", "stale", "rejected", "quarantined")
    assert totals["received"] == sum(totals[part] for part in parts)
    assert document["quota_bytes"] == 2**32


def test_quarantine_lists_what_is_not_counted_with_its_reason(data: Path) -> None:
    import_usage(data)

    document = phusong("journal", "quarantine", "--data", data, "--format", "json").document

    assert sum(document["by_reason"].values()) == 1, document
    assert document["entries"][0]["operator"] == "viettel"


def test_the_journal_says_how_far_it_goes_and_that_its_chain_holds(data: Path) -> None:
    import_usage(data)

    stat = phusong("journal", "stat", "--data", data, "--format", "json").document

    assert stat["sequence"] >= 1
    assert stat["received"] == stat["taken"] + stat["duplicate"] + sum(stat["refused"].values())
    assert stat["chain"] in phusong("journal", "verify", "--data", data).out


def test_a_snapshot_is_only_a_cache(data: Path) -> None:
    import_usage(data)
    question = ("quota", "--data", data, "--day", "2021-10-01", "--format", "json")
    whole = phusong(*question).document
    for file in data.glob("snapshot/*"):
        file.write_bytes(file.read_bytes()[:100])

    again = phusong(*question).document

    assert again["sims"] == whole["sims"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("coverage", "--data", "nowhere"),
        ("coverage", "--as-of", "yesterday"),
        ("quota", "--data", "nowhere", "--day", "01/10/2021"),
        ("nonsense",),
        ("coverage", "--format", "xml"),
        ("registry", "add", "sites", "nowhere.csv"),
        ("check-config", "nowhere.toml"),
        ("serve", "-c", "nowhere.toml"),
    ],
)
def test_wrong_use_ends_with_status_2_and_a_reason(arguments: tuple[str, ...]) -> None:
    ran = phusong(*arguments, status=2)

    assert ran.err
    assert "Traceback" not in ran.err


def test_a_register_with_errors_is_not_added_and_every_error_is_named(data: Path) -> None:
    file = data / "sites.csv"
    file.write_text(SITES.replace("104.9800", "1049.8").replace("23.3600", "north"))

    ran = phusong("registry", "add", "sites", file, "--data", data, status=2)

    assert "sites.csv:2:" in ran.err
    assert "sites.csv:3:" in ran.err
    assert not (data / "journal").exists()


def test_check_config_names_where_each_value_comes_from(data: Path) -> None:
    file = data / "phusong.toml"
    file.write_text("mqtt_port = 2883\n")
    assert "mqtt_port = 2883" in phusong("check-config", file, "--data", data).out
    file.write_text("mqtt_port = 'many'\nquota = 3\n")

    ran = phusong("check-config", file, status=2)

    assert "mqtt_port" in ran.err
    assert "quota" in ran.err


def test_version_is_one_line_and_with_a_folder_says_how_far_its_journal_goes(data: Path) -> None:
    assert phusong("version").out.startswith("phusong 0.")
    import_usage(data)

    chain = phusong("journal", "stat", "--data", data, "--format", "json").document["chain"]
    assert chain in phusong("version", "--data", data).out


def test_doctor_looks_at_this_machine(data: Path) -> None:
    ran = phusong("doctor", "--data", data, status=None)

    assert ran.status in {0, 1}
    assert "fsync" in ran.out


def test_reports_are_json_without_surprises(data: Path) -> None:
    add_sites(data)

    document = phusong("coverage", "--data", data, "--format", "json").document

    about = {"as_of", "known_at", "policy", "software", "journal"}
    assert set(document) == about | {"sites", "any_operator", "other_claims", "quarantined"}
    assert json.dumps(document, allow_nan=False)


def test_the_programme_says_what_is_verified_and_what_is_unproven(data: Path) -> None:
    add_sites(data)
    import_survey(data, "good", -90, 22.8, 104.98)
    import_survey(data, "bad", -130, 23.36, 105.31)

    ran = phusong(
        *("programme", "status", "--data", data, "--as-of", "2022-01-05", "--format", "json")
    )

    standing = {row["id"]: row for row in ran.document["obligations"]}
    # HG-1 was surveyed in December: covered, and nobody knows about September.
    assert standing["coverage-283"]["verified_count"] == 1
    assert standing["coverage-283"]["verified_by_deadline_count"] == 0
    assert standing["coverage-283"]["unproven_count"] == 282
    # HG-2 has a second operator of whom nothing is known: not refuted.
    assert standing["coverage-1910"]["verdicts"] == {"UNTESTED": 1}
    assert {row["standing"] for row in standing.values()} == {"UNPROVEN", "RUNNING"}
    assert ran.document["provinces"] == [
        {
            "province_code": "02",
            "name": "Hà Giang",
            "list": name,
            "listed_count": 1,
            "verified_count": verified,
            "refuted_count": 0,
            "verdicts": {verdict: 1},
        }
        for name, verified, verdict in (("1910", 0, "UNTESTED"), ("283", 1, "COVERED"))
    ]


def test_a_promise_proven_broken_ends_with_its_own_status(data: Path) -> None:
    file = data / "sites.csv"
    file.write_text(SITES.replace("viettel;vinaphone", "viettel"))
    phusong("registry", "add", "sites", file, "--data", data)
    import_survey(data, "bad", -130, 23.36, 105.31)

    command = ("programme", "status", "--data", data, "--as-of", "2022-01-05")
    ran = phusong(*command, "--provinces", "2025", status=3)

    assert "NOT_MET" in ran.out
    assert "08 Tuyên Quang" in ran.out
