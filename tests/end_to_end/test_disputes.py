"""A verdict is disputed, rebutted and ended through the real command and a real service; everything shows it."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from in_process import phusong
from surveys import SITES, survey_rows

from phusong.verifier.disputes.limits import DEFAULT_FILE
from running import PHUSONG, Ran, serving

pytestmark = pytest.mark.slow

AS_OF = ("--as-of", "2021-12-31")
VILLAGE = ("--name", "Vàng A Sình", "--role", "village head")
OPERATOR = ("--name", "Viettel Hà Giang", "--role", "operator")
AUDITOR = ("--name", "Kiểm toán khu vực", "--role", "auditor")
SAID = ("--text", "No signal above the school.")
ROOT = Path(__file__).parents[2]


def begin(data: Path) -> None:
    (data / "sites.csv").write_text(SITES, encoding="utf-8")
    phusong("registry", "add", "sites", data / "sites.csv", "--data", data)


def survey(data: Path, source: str, rows: str) -> None:
    file = data / f"{source}.csv"
    file.write_text(rows)
    command = ("import", file, "--format", "csv", "--operator", "viettel", "--source", source)
    phusong(*command, "--data", data)


def long_limits(data: Path) -> None:
    """Let a verdict of 2021 be disputed whatever the year of the test."""
    text = (ROOT / "verifier" / "disputes" / DEFAULT_FILE).read_text(encoding="utf-8")
    file = data.parent / "limits.toml"
    file.write_text(text.replace("limit_days = 90", "limit_days = 36500"), encoding="utf-8")
    phusong("registry", "add", "disputes", file, "--data", data)


def filed(data: Path, *more: object, status: int = 0) -> Ran:
    return phusong(
        *("dispute", "file", "--site", "HG-1", "--operator", "viettel", *AS_OF, *VILLAGE, *SAID),
        *("--evidence-file", data / "village.csv", "--data", data, *more),
        status=status,
    )


def name_of(ran: Ran) -> str:
    return ran.out.split(":", 1)[0]


def row(data: Path, *more: object) -> dict[str, Any]:
    ran = phusong(
        *("coverage", "--site", "HG-1", *AS_OF, "--format", "json", "--data", data, *more),
        status=None,
    )
    found: dict[str, Any] = ran.document["sites"][0]
    return found


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A site that an operator measured well everywhere, and one phone of the village once and nowhere."""
    data = tmp_path / "data"
    data.mkdir()
    begin(data)
    long_limits(data)
    survey(data, "good", survey_rows(-90, 22.8, 104.98))
    lines = survey_rows(-130, 22.8, 104.98).splitlines()
    village = [line.replace("221,", "99,", 1) for line in lines[1:] if line.startswith("221,")][:20]
    survey(data, "village", "\n".join([lines[0], *village]) + "\n")
    return data


def test_a_dispute_from_filing_to_decision(data: Path) -> None:
    before = row(data)
    dispute = name_of(filed(data))

    _shows_everywhere(data, dispute, before)
    _both_sides_are_judged_alike(data, dispute)
    _is_decided_for_the_operator(data, dispute)
    phusong("audit", "verify", data)


def _shows_everywhere(data: Path, dispute: str, before: dict[str, Any]) -> None:
    marked = row(data)
    assert marked["overlay"] == "DISPUTED"
    assert [mark["dispute"] for mark in marked["disputes"]] == [dispute]
    assert marked | {"overlay": None, "disputes": []} == before, "the verdict itself is untouched"
    assert row(data, "--known-at", "2022-01-01")["overlay"] is None
    table = phusong("coverage", "--site", "HG-1", *AS_OF, "--data", data, status=None).out
    assert "Tranh chấp · DISPUTED" in table
    text = phusong("coverage", *AS_OF, "--format", "csv", "--data", data, status=None).out
    flat = next(csv.DictReader(io.StringIO(text.lstrip("\ufeff"))))
    assert (flat["overlay"], flat["disputes"]) == ("DISPUTED", f"{dispute} OPEN")
    status = phusong(
        *("programme", "status", *AS_OF, "--format", "json", "--data", data), status=None
    ).document
    assert status["obligations"][0]["verdicts"] == {"DISPUTED": 1}


def _both_sides_are_judged_alike(data: Path, dispute: str) -> None:
    rebuttal = (*OPERATOR, "--text", "Measured on three days.", "--device", 221, "--device", 222)
    phusong("dispute", "rebut", dispute, *rebuttal, "--data", data)

    page = phusong("dispute", "show", dispute, *AS_OF, "--format", "json", "--data", data).document

    sides = page["sides"]
    assert 0 < sides["filer"]["counts"]["raw"] <= 20
    assert sides["respondent"]["verdict"] == "COVERED"
    assert (
        sides["whole"]["counts"]["raw"]
        == sides["filer"]["counts"]["raw"] + sides["respondent"]["counts"]["raw"]
    )
    assert page["dispute"]["state"] == "REBUTTED"
    table = phusong("dispute", "show", dispute, *AS_OF, "--data", data).out
    assert "của bên khiếu nại · the filer's" in table


def _is_decided_for_the_operator(data: Path, dispute: str) -> None:
    decision = ("--for", "respondent", *AUDITOR, "--text", "One phone, twenty readings.")
    phusong("dispute", "decide", dispute, *decision, "--data", data)

    assert row(data)["overlay"] is None
    assert [mark["state"] for mark in row(data)["disputes"]] == ["DISMISSED"]
    ran = phusong("dispute", "concede", dispute, *OPERATOR, *SAID, "--data", data, status=1)
    assert "CLOSED" in ran.err
    listed = phusong("dispute", "list", "--format", "json", "--data", data).document
    assert [found["state"] for found in listed["disputes"]] == ["DISMISSED"]


def test_silence_counts_for_the_filer_once_the_limit_has_passed(data: Path) -> None:
    dispute = name_of(filed(data))

    listed = phusong(
        "dispute", "list", "--known-at", "2100-01-01", "--format", "json", "--data", data
    ).document

    assert [
        (found["dispute"], found["state"], found["in_favour_of"]) for found in listed["disputes"]
    ] == [(dispute, "LAPSED", "filer")]
    assert row(data, "--known-at", "2100-01-01")["overlay"] == "DISPUTED"


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        (("--site", "XX"), 2, "no site 'XX' is registered"),
        (("--operator", "mobifone"), 2, "it has viettel LTE"),
        (("--as-of", "1990-01-01"), 1, "FILED_LATE"),
        (("--evidence-file", "/nowhere.csv"), 2, "/nowhere.csv"),
        (("--name", " "), 2, "name: 0 characters"),
        (("--source", "viettel/nobody", "--device", "x"), 2, "expected a device key"),
    ],
)
def test_a_filing_that_cannot_be_is_refused_with_what_to_do(
    made: Path, change: tuple[object, ...], status: int, words: str
) -> None:
    ran = filed(made, *change, status=status)

    assert words in ran.err
    assert phusong("dispute", "list", "--format", "json", "--data", made).document["disputes"] == []


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site and a small survey, to be refused on."""
    data = tmp_path_factory.mktemp("refused") / "data"
    data.mkdir()
    begin(data)
    survey(data, "village", survey_rows(-90, 22.8, 104.98))
    return data


def test_evidence_that_is_not_in_the_journal_is_none(made: Path) -> None:
    (made / "other.csv").write_text(survey_rows(-91, 22.8, 104.98))

    ran = phusong(
        *("dispute", "file", "--site", "HG-1", "--operator", "viettel", *VILLAGE, *SAID),
        *("--evidence-file", made / "other.csv", "--data", made),
        status=1,
    )

    assert "Import them first" in ran.err


KILLED_AFTER_THE_ENTRY = """
import os, signal, sys
from phusong.dashboards.commands import app, dispute

dispute.entered_as = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
sys.argv = ["phusong", *sys.argv[1:]]
app.run()
"""


def test_a_command_killed_before_its_answer_is_entered_once(data: Path) -> None:
    command = [
        *("dispute", "file", "--site", "HG-1", "--operator", "viettel", *AS_OF, *VILLAGE, *SAID),
        *("--evidence-file", str(data / "village.csv"), "--data", str(data)),
    ]
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_AFTER_THE_ENTRY, *command],
        capture_output=True,
        timeout=300,
        check=False,
    )
    assert killed.returncode == -9, killed.stderr

    again = filed(data)

    assert "counts once" in again.out
    listed = phusong("dispute", "list", "--format", "json", "--data", data).document
    assert [found["dispute"] for found in listed["disputes"]] == [name_of(again)]
    assert listed["refused"] == []


def test_of_two_at_once_through_a_running_service_the_journal_decides(data: Path) -> None:
    with serving(data) as served:
        filings = at_once(
            *[
                [
                    *("dispute", "file", "--site", "HG-1", "--operator", "viettel", *AS_OF),
                    *(*VILLAGE, *SAID, "--evidence-file", data / "village.csv", "--data", data),
                ]
            ]
            * 2
        )
        dispute = name_of(filings[0])
        answers = at_once(
            *[
                [
                    *("dispute", "rebut", dispute, "--name", name, "--role", "operator"),
                    *("--text", "It is covered.", "--device", 221, "--data", data),
                ]
                for name in ("Viettel Hà Giang", "Viettel")
            ]
        )
        served.stop()

    assert [(ran.status, name_of(ran)) for ran in filings] == [(0, dispute)] * 2
    assert sorted(ran.status for ran in answers) == [0, 1]
    assert any("REBUTTED_ALREADY" in ran.err for ran in answers)
    listed = phusong("dispute", "list", "--format", "json", "--data", data).document
    assert [found["state"] for found in listed["disputes"]] == ["REBUTTED"]


def at_once(*commands: list[object]) -> list[Ran]:
    running = [
        subprocess.Popen(
            [PHUSONG, *map(str, command)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for command in commands
    ]
    ended = [(process, *process.communicate(timeout=300)) for process in running]
    return [Ran(process.returncode, out, err) for process, out, err in ended]


def test_a_report_without_its_dispute_is_found_false(data: Path, tmp_path: Path) -> None:
    filed(data)
    report = phusong("coverage", *AS_OF, "--format", "json", "--data", data, status=None).document
    file = tmp_path / "report.json"
    file.write_text(json.dumps(report), encoding="utf-8")
    phusong("audit", "verify", data, "--report", file)
    for found in report["sites"]:
        del found["overlay"], found["disputes"]
    file.write_text(json.dumps(report), encoding="utf-8")

    ran = phusong("audit", "verify", data, "--report", file, status=3)

    assert "overlay: published 'nothing', recomputed 'DISPUTED'" in ran.out
