"""Rules and alerts: that promtool likes and passes them, that each alert is tested and explained, and that what they ask for exists."""

import re

import pytest
import yaml
from promql import (
    ROOT,
    documented_labels,
    grouped_labels,
    promtool,
    recorded_labels,
    rules_of,
    selectors,
)
from typer.testing import CliRunner

from phusong.collector.counts import COMMIT_SECONDS_EDGES
from phusong.collector.signing import LATE_S
from phusong.dashboards.commands.export import RUNBOOKS, app
from phusong.dashboards.verifier_lag import LAG_MAX_S
from phusong.kernels.frame import Transport
from phusong.kernels.reject import Reject
from phusong.verifier.coverage.records import Verdict
from phusong.verifier.quota.enforcement_counts import EDGES_MS, STAGES

FOLDER = ROOT / "dashboards" / "prometheus"
RULES_FILE = FOLDER / "phusong.rules.yml"
TEST_FILES = sorted((FOLDER / "tests").glob("*.yml"))
RULES = rules_of(RULES_FILE)
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}
RUNBOOK = (ROOT / RUNBOOKS).read_text()
PARAGRAPHS = ("What it means", "What to look at", "What to do")
# The unit tests of a rule file take seconds of promtool; nothing of ours runs meanwhile.
pytestmark = pytest.mark.slow


def test_promtool_finds_nothing_to_say_about_the_rules() -> None:
    out = promtool("check", "rules", "--lint=all", "--lint-fatal", RULES_FILE)

    assert f"{len(RULES)} rules found" in out


@pytest.mark.parametrize("file", TEST_FILES, ids=lambda file: file.stem)
def test_alerts_fire_stay_silent_and_end_as_their_tests_say(file) -> None:
    assert "SUCCESS" in promtool("test", "rules", file)


@pytest.mark.parametrize("alert", ALERTS)
def test_each_alert_is_shown_silent_then_firing_for_some_then_over(alert) -> None:
    tests = [
        test for file in TEST_FILES for test in yaml.safe_load(file.read_text())["tests"]
        if test["name"] == alert
    ]  # fmt: skip
    assert len(tests) == 1
    cases = [case for case in tests[0]["alert_rule_test"] if case["alertname"] == alert]
    firing = [{each["exp_labels"]["instance"] for each in case["exp_alerts"]} for case in cases]
    given = {re.search(r'instance="(\w+)"', each["series"])[1] for each in tests[0]["input_series"]}

    assert not firing[0]
    assert any(firing)
    assert not firing[-1]
    assert given - set().union(*firing), "some instance must stay just below the line"


@pytest.mark.parametrize("alert", ALERTS)
def test_each_alert_says_what_to_do(alert) -> None:
    rule = ALERTS[alert]

    assert alert.startswith("Phusong")
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    assert rule["annotations"]["runbook_url"] == f"{RUNBOOKS}#{alert.lower()}"
    section = RUNBOOK.split(f"\n## {alert}\n")[1].split("\n## ")[0]
    assert re.findall(r"^\*\*(.+?)\.\*\*", section, re.MULTILINE) == list(PARAGRAPHS)


def test_no_runbook_is_of_an_alert_that_does_not_exist() -> None:
    assert set(re.findall(r"^## (Phusong\w+)$", RUNBOOK, re.MULTILINE)) == set(ALERTS)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.get("alert") or rule["record"])
def test_what_a_rule_asks_for_exists(rule) -> None:
    known = documented_labels() | recorded_labels(RULES)

    found = selectors(rule["expr"])

    assert found
    for name, asked in found:
        assert name in known, name
        assert set(asked) <= known[name], (name, asked)
    assert grouped_labels(rule["expr"]) <= set().union(*known.values())


def test_values_of_labels_are_those_of_the_code() -> None:
    doors = (ROOT / "docs" / "doors.md").read_text()
    values = {
        "part": {"intake", "journal", "verifier", "broker"},
        "le": {
            *map(str, COMMIT_SECONDS_EDGES),
            *(str(edge_ms / 1000) for edge_ms in EDGES_MS),
        },
        "stage": set(STAGES),
        "transport": {transport.name.lower() for transport in Transport},
        "verdict": set(Verdict),
        "job": {"phusong"},
    }
    for rule in RULES:
        for name, asked in selectors(rule["expr"]):
            for label, value in asked.items():
                of_a_door = name == "phusong_door_refused_total"
                for one in value.split("|"):
                    if label != "reason":
                        assert one in values[label], (label, one)
                    elif of_a_door:
                        assert f"`{one}`" in doors, one
                    else:
                        assert one in Reject.__members__, one


def test_every_way_of_going_beyond_a_credential_is_watched() -> None:
    expected = {r.name for r in Reject if "FORBIDDEN" in r.name or "CREDENTIAL" in r.name}

    for _, asked in selectors(ALERTS["PhusongBeyondCredential"]["expr"]):
        assert not asked or set(asked["reason"].split("|")) == expected


def test_lines_are_where_the_service_draws_them() -> None:
    (late,) = (r for r in RULES if r.get("record") == "instance:phusong_verifier_late:bool")

    assert late["expr"].endswith(f"> bool {LAG_MAX_S:.0f}")
    assert ALERTS["PhusongHeadNotSigned"]["expr"].endswith(f"> {LATE_S:.0f}")


def test_exported_rules_and_configurations_are_whole_and_point_to_the_runbooks(tmp_path) -> None:
    ran = CliRunner().invoke(
        app, ["rules", str(tmp_path / "new"), "--runbooks", "https://w.example/r"]
    )

    assert ran.exit_code == 0, ran.output
    for name in ("prometheus.yml", "prometheus-tls.yml"):
        assert f"{len(RULES)} rules found" in promtool("check", "config", tmp_path / "new" / name)
    exported = (tmp_path / "new" / RULES_FILE.name).read_text()
    assert exported == RULES_FILE.read_text().replace(f"{RUNBOOKS}#", "https://w.example/r#")


def test_without_an_address_the_rules_are_exported_as_they_are(tmp_path) -> None:
    ran = CliRunner().invoke(app, ["rules", str(tmp_path)])

    assert ran.exit_code == 0
    assert (tmp_path / RULES_FILE.name).read_bytes() == RULES_FILE.read_bytes()


@pytest.mark.parametrize("address", ["https://w.example/a b", "x#y", 'x"', "x\ny"])
def test_an_address_that_would_break_the_file_is_refused(tmp_path, address) -> None:
    ran = CliRunner().invoke(app, ["rules", str(tmp_path), "--runbooks", address])

    assert ran.exit_code == 2
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made_is_said(tmp_path) -> None:
    (tmp_path / "file").write_text("")

    ran = CliRunner().invoke(app, ["rules", str(tmp_path / "file" / "folder")])

    assert ran.exit_code == 2
    assert "file/folder" in ran.output
