"""Readings that were set aside are released and confirmed by an auditor's ruling, from then on and never before."""

import time
from pathlib import Path
from typing import Any

import pytest
from in_process import phusong
from surveys import SITES, survey_rows

from phusong.dashboards.commands.replaying import state_of
from phusong.verifier.placing import Horizon
from phusong.verifier.snapshot import write_snapshot

pytestmark = pytest.mark.slow

AS_OF = ("--as-of", "2021-12-31")
AUDITOR = ("--name", "Lê Thị Mai", "--role", "auditor", "--text", "Checked on the spot.")
IMPRECISE_M = 900


def survey(data: Path, name: str, rows: str) -> None:
    file = data / f"{name}.csv"
    file.write_text(rows)
    command = ("import", file, "--format", "csv", "--operator", "viettel", "--source", name)
    phusong(*command, "--data", data)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A site surveyed whole by phones that did not know well where they were, and rows that say nothing at all."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "sites.csv").write_text(SITES, encoding="utf-8")
    phusong("registry", "add", "sites", data / "sites.csv", "--data", data)
    lines = survey_rows(-90, 22.8, 104.98).splitlines()
    imprecise = [line.replace(",8,LTE", f",{IMPRECISE_M},LTE") for line in lines[1:]]
    silly = [lines[1].replace(",-90", ",-20"), lines[2].replace("T08:", "T09:")]
    survey(data, "walk", "\n".join([lines[0], *imprecise, *silly]) + "\n")
    return data


def verdict(data: Path, *more: object) -> tuple[str, int]:
    found = phusong(
        *("coverage", "--site", "HG-1", *AS_OF, "--format", "json", "--data", data, *more),
        status=None,
    ).document["sites"][0]
    return found["verdict"], found["counts"]["raw"]


def quarantined(data: Path) -> list[dict[str, Any]]:
    ran = phusong("journal", "quarantine", "--limit", 0, "--format", "json", "--data", data)
    entries: list[dict[str, Any]] = ran.document["entries"]
    return entries


def moment() -> str:
    """Return a time after all that was entered and before all that will be."""
    time.sleep(0.01)
    text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
    millisecond = time.time_ns() // 1_000_000 % 1000
    time.sleep(0.01)
    return f"{text}.{millisecond:03d}+00:00"


def test_what_is_released_counts_from_then_on_and_never_before(data: Path) -> None:
    assert verdict(data) == ("INSUFFICIENT", 1)
    before = moment()

    ran = phusong("ruling", "release", "--site", "HG-1", *AUDITOR, "--data", data)

    assert "readings released" in ran.out
    verdict_now, count = verdict(data)
    assert verdict_now == "COVERED"
    assert verdict(data, "--known-at", before) == ("INSUFFICIENT", 1)
    released = [e for e in quarantined(data) if e["ruling"].startswith("released by R")]
    assert len(released) == count - 1
    assert {e["reason"] for e in released} == {"POSITION_INACCURATE"}
    phusong("audit", "verify", data)


def test_a_release_is_taken_back_and_what_is_confirmed_is_marked(data: Path) -> None:
    phusong("ruling", "release", "--site", "HG-1", *AUDITOR, "--data", data)
    phusong("ruling", "confirm", "--site", "HG-1", "--device", 222, *AUDITOR, "--data", data)

    verdict_now, count = verdict(data)

    assert verdict_now != "COVERED", "one device is not enough"
    ruled = [entry["ruling"].split(" by ")[0] for entry in quarantined(data)]
    assert ruled.count("confirmed") == ruled.count("released") == count - 1
    listed = phusong("ruling", "list", "--format", "json", "--data", data).document["rulings"]
    assert [(one["act"], one["holding_count"]) for one in listed] == [
        ("RELEASED", count - 1),
        ("CONFIRMED", count - 1),
    ]
    assert "Lê Thị Mai, auditor" in phusong("ruling", "list", "--data", data).out


def test_readings_are_named_one_by_one(data: Path) -> None:
    entry = next(e for e in quarantined(data) if e["reason"] == "POSITION_INACCURATE")
    name = f"{entry['sequence']}/{entry['envelope']}/{entry['row']}"

    phusong("ruling", "release", "--reading", name, *AUDITOR, "--data", data)
    again = phusong("ruling", "release", "--reading", name, *AUDITOR, "--data", data)

    assert "all ruled so before" in again.out
    assert [e["row"] for e in quarantined(data) if e["ruling"]] == [entry["row"]]
    listed = phusong("ruling", "list", "--format", "json", "--data", data).document["rulings"]
    assert len(listed) == 1


def test_a_dry_run_enters_nothing(data: Path) -> None:
    ran = phusong("ruling", "release", "--site", "HG-1", "--dry-run", *AUDITOR, "--data", data)

    assert "POSITION_INACCURATE\tHG-1\t221" in ran.out
    assert phusong("ruling", "list", "--format", "json", "--data", data).document["rulings"] == []


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        (("--reading", "2/0/432"), 1, "LEVEL_OUT_OF_RANGE, which no ruling changes"),
        (("--reading", "2/0/433"), 1, "counts already"),
        (("--reading", "999/0/0"), 1, "no signal reading of this journal"),
        (("--reading", "2/0"), 2, "expected SEQUENCE/ENVELOPE/ROW"),
        (("--reading", "2/0/1", "--site", "HG-1"), 2, "leave the other options out"),
        (("--reason", "TRUNCATED"), 2, "stays unreadable"),
        (("--site", "XX"), 2, "no site 'XX' is registered"),
        (("--site", "HG-2"), 1, "no reading that was set aside is meant by: site HG-2"),
        ((), 2, "which readings?"),
        (("--device", 11, "--device", 12), 2, "one --device"),
    ],
)
def test_what_cannot_be_ruled_on_is_refused_with_what_to_do(
    made: Path, options: tuple[object, ...], status: int, words: str
) -> None:
    ran = phusong("ruling", "release", *options, *AUDITOR, "--data", made, status=status)

    assert words in ran.err
    assert phusong("ruling", "list", "--format", "json", "--data", made).document["rulings"] == []


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same data, to be refused on."""
    made: Path = data.__wrapped__(tmp_path_factory.mktemp("refused"))  # type: ignore[attr-defined]
    return made


def test_a_snapshot_made_before_a_ruling_does_not_outlive_it(data: Path) -> None:
    state = state_of(data, Horizon())
    write_snapshot(data, state)
    phusong("ruling", "release", "--site", "HG-1", *AUDITOR, "--data", data)

    assert verdict(data)[0] == "COVERED"

    write_snapshot(data, state_of(data, Horizon()))
    assert verdict(data)[0] == "COVERED"


def test_what_the_plausibility_screen_set_aside_can_be_released(tmp_path: Path) -> None:
    """A phone that was in two provinces within a minute: one of its readings cannot be, says the screen."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "sites.csv").write_text(SITES, encoding="utf-8")
    phusong("registry", "add", "sites", data / "sites.csv", "--data", data)
    rows = survey_rows(-90, 22.8, 104.98)
    survey(data, "walk", rows)
    survey(data, "other", rows.splitlines()[0] + "\n" + _elsewhere(rows) + "\n")
    implied = [e for e in quarantined(data) if e["reason"] == "SPEED_IMPLIED"]
    assert implied

    phusong("ruling", "release", "--reason", "SPEED_IMPLIED", *AUDITOR, "--data", data)

    ruled = [e["ruling"] for e in quarantined(data) if e["reason"] == "SPEED_IMPLIED"]
    assert all(words.startswith("released by R") for words in ruled)
    assert len(ruled) == len(implied)
    rows = phusong(
        *("coverage", "--site", "HG-2", *AS_OF, "--format", "json", "--data", data), status=None
    ).document["sites"]
    assert sum(row["counts"]["raw"] for row in rows) == 1


def _elsewhere(rows: str) -> str:
    """Return the first reading, a minute later and 60 km away."""
    fields = rows.splitlines()[1].split(",")
    fields[1:4] = ["2021-12-01T08:01:30+07:00", "23.3600000", "105.3100000"]
    return ",".join(fields)
