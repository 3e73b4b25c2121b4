"""`phusong audit verify` on what the commands themselves have made."""

import json
import sqlite3
from pathlib import Path

import pytest

from running import phusong

pytestmark = pytest.mark.slow

SITES = """site_code,name,province_code,list,operators,part,latitude_deg,longitude_deg,radius_m
HG-1,Bản Máy,02,283,viettel,centre,22.8000,104.9800,150
HG-2,Lũng Cú,02,1910,viettel;vinaphone,centre,23.3600,105.3100,150
"""
USAGE = """subscriber_key,session,observed_time_ms,received_time_ms,uplink_bytes,downlink_bytes,traffic_class
77,s1,2021-10-01T08:00:00+07:00,2021-10-01T08:00:01+07:00,0,0,METERED
77,s1,2021-10-01T09:00:00+07:00,2021-10-01T09:00:01+07:00,1000000000,3500000000,METERED
"""


@pytest.fixture
def filled(data: Path) -> Path:
    for name, content in (("sites.csv", SITES), ("usage.csv", USAGE)):
        (data / name).write_text(content)
    phusong("registry", "add", "sites", data / "sites.csv", "--data", data)
    phusong(
        "import", data / "usage.csv", "--format", "csv", "--operator", "viettel", "--data", data
    )
    return data


def report(data: Path, name: str, *arguments: object) -> Path:
    path = data / f"{name}.json"
    path.write_text(phusong(*arguments, "--data", data, "--format", "json").out)
    return path


def test_a_journal_its_key_and_its_reports_hold_together(filled: Path) -> None:
    coverage = report(filled, "coverage", "coverage", "--as-of", "2021-12-31")
    quota = report(filled, "quota", "quota", "--day", "2021-10-01")
    one = report(filled, "one", "quota", "--day", "2021-10-01", "--sim", "77")

    for path in (coverage, quota, one):
        ran = phusong("audit", "verify", filled, "--report", path)
        assert "chain holds: 2 frames" in ran.out
        assert "equals the one recomputed" in ran.out
    assert "PRIVATE" not in ran.out + ran.err


def test_a_report_stays_true_when_the_journal_grows(filled: Path) -> None:
    path = report(filled, "quota", "quota", "--day", "2021-10-01")
    (filled / "more.csv").write_text(USAGE.replace("77,s1", "78,s2"))
    phusong(
        "import", filled / "more.csv", "--format", "csv", "--operator", "viettel", "--data", filled
    )

    phusong("audit", "verify", filled, "--report", path)


def test_a_report_that_was_made_prettier_is_found_out(filled: Path) -> None:
    path = report(filled, "quota", "quota", "--day", "2021-10-01")
    document = json.loads(path.read_text())
    assert document["sims"][0]["used_bytes"] == 4_500_000_000
    document["sims"][0]["used_bytes"] = 3_900_000_000
    path.write_text(json.dumps(document))

    ran = phusong("audit", "verify", filled, "--report", path, status=3)

    assert "sims.77.used_bytes: published 3900000000, recomputed 4500000000" in ran.out


def test_a_verdict_that_was_changed_is_shown_as_reports_write_it(filled: Path) -> None:
    path = report(filled, "coverage", "coverage")
    document = json.loads(path.read_text())
    document["sites"][0]["verdict"] = "COVERED"
    path.write_text(json.dumps(document))

    ran = phusong("audit", "verify", filled, "--report", path, status=3)

    assert "verdict: published 'COVERED', recomputed 'UNTESTED'" in ran.out


def test_a_changed_frame_is_named_and_no_figure_is_made_of_it(filled: Path) -> None:
    database = sqlite3.connect(filled / "journal" / "segment-00000001.sqlite")
    database.execute("UPDATE frame SET received_time_ms = received_time_ms - 1 WHERE sequence = 2")
    database.commit()
    database.close()

    ran = phusong("audit", "verify", filled, status=1)

    assert "damaged: segment-00000001.sqlite, sequence 2" in ran.out


def test_usage_errors_say_what_is_expected(filled: Path, tmp_path: Path) -> None:
    assert "holds no journal" in phusong("audit", "verify", tmp_path / "none", status=2).err
    missing = phusong("audit", "verify", filled, "--public-key", tmp_path / "no.pub", status=2)
    assert "no public key" in missing.err
    secret = filled / "keys" / "journal.key"
    wrong = phusong("audit", "verify", filled, "--public-key", secret, status=2)
    assert "PRIVATE" not in wrong.err
    (tmp_path / "r.json").write_text("{}")
    assert (
        "as_of" in phusong("audit", "verify", filled, "--report", tmp_path / "r.json", status=2).err
    )
