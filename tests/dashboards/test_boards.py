"""The dashboards: that files and source are equal, that Grafana's own schema takes them, and that what they ask for exists."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard
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

from phusong.dashboards.boards.files import dashboards, file_text
from phusong.dashboards.boards.panels import (
    BAD,
    BETWEEN,
    GOOD,
    GRID_WIDTH,
    PALE_GOOD,
    PALE_UNKNOWN,
    UNKNOWN,
)
from phusong.dashboards.commands.export import BOARD_FILES, PROVISIONING_FILES, RULE_FILES, app

FOLDER = ROOT / "dashboards" / "grafana"
BOARDS = dashboards()
PANELS = [
    pytest.param(panel, id=f"{board['uid']}: {panel['title']}")
    for board in BOARDS.values()
    for panel in board["panels"]
    if panel["type"] != "row"
]
CORE_PANELS = {"bargauge", "row", "stat", "state-timeline", "table", "timeseries"}
COLOURS = {GOOD, BAD, BETWEEN, UNKNOWN, PALE_GOOD, PALE_UNKNOWN}
UNITS = {
    *("Bps", "bytes", "cps", "dateTimeAsIso", "dtdurations", "none", "percentunit", "s", "short"),
}  # fmt: skip
# What Grafana's Prometheus data source and its variables know, and its published schema of dashboards does not.
BEYOND_SCHEMA = {
    ".annotations.list[].textFormat",
    ".annotations.list[].titleFormat",
    ".templating.list[].definition",
    ".id",  # null: Grafana gives it
}


def expressions(panel: dict[str, Any]) -> list[str]:
    """Return what a panel asks, with Grafana's variables filled in."""
    return [
        target["expr"].replace("$__rate_interval", "5m").replace("$instance", ".*")
        for target in panel["targets"]
    ]


def lost(given: Any, taken: Any, path: str = "") -> Iterator[str]:
    """Yield the places of a document that did not come back."""
    if isinstance(given, dict):
        for name, value in given.items():
            if not isinstance(taken, dict) or name not in taken:
                yield f"{path}.{name}"
            else:
                yield from lost(value, taken[name], f"{path}.{name}")
    elif isinstance(given, list):
        assert len(given) == len(taken), path
        for one, other in zip(given, taken, strict=True):
            yield from lost(one, other, f"{path}[]")
    elif given != taken:
        yield path


def test_the_files_are_what_the_source_says() -> None:
    assert {path.name for path in FOLDER.glob("*.json")} == set(BOARDS) == set(BOARD_FILES)
    for name, board in BOARDS.items():
        assert (FOLDER / name).read_text() == file_text(board), "run `make dashboards`"


@pytest.mark.parametrize("name", BOARDS)
def test_grafanas_published_schema_takes_every_field(name) -> None:
    plugins.register_default_plugins()
    given = json.loads((FOLDER / name).read_text())

    taken = json.loads(json.dumps(Dashboard.from_json(given), cls=JSONEncoder))

    assert set(lost(given, taken)) <= BEYOND_SCHEMA


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_a_dashboard_loads_as_it_is(board) -> None:
    assert board["id"] is None
    assert f"{board['uid']}.json" in BOARDS
    assert [v["name"] for v in board["templating"]["list"]] == ["datasource", "instance"]
    assert board["templating"]["list"][0]["type"] == "datasource"
    uids = {match["uid"] for match in found(board, "datasource")}
    assert uids == {"${datasource}"}
    assert {panel["type"] for panel in board["panels"]} <= CORE_PANELS
    assert "__inputs" not in board


def found(document: Any, name: str) -> Iterator[Any]:
    """Yield every value under a name, however deep."""
    if isinstance(document, dict):
        if isinstance(document.get(name), dict):
            yield document[name]
        for value in document.values():
            yield from found(value, name)
    elif isinstance(document, list):
        for value in document:
            yield from found(value, name)


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_panels_fill_rows_and_do_not_overlap(board) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + dx, at["y"] + dy) for dx in range(at["w"]) for dy in range(at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= GRID_WIDTH
        taken |= cells
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    height = max(y for _, y in taken) + 1
    assert len(taken) == GRID_WIDTH * height, "no holes"


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_colours_are_the_projects(board) -> None:
    text = json.dumps(board)

    assert set(re.findall(r"#[0-9A-Fa-f]{6}\b", text)) <= COLOURS
    modes = {mode["mode"] for mode in found(board, "color")}
    assert modes <= {"fixed", "shades", "thresholds"}, "palettes have red beside green"


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_says_what_it_shows_in_which_unit_and_where_to_read_on(panel) -> None:
    runbook = (ROOT / "docs" / "runbooks.md").read_text()
    units = {
        *(each["value"] for o in panel["fieldConfig"]["overrides"] for each in o["properties"] if each["id"] == "unit"),
        panel["fieldConfig"]["defaults"].get("unit"),
    } - {None}  # fmt: skip

    assert panel["description"].endswith(".")
    assert panel["type"] == "state-timeline" or units
    assert units <= UNITS
    for link in panel.get("links", []):
        page, _, section = link["url"].partition("#")
        assert page == "docs/runbooks.md"
        assert f"\n## {section}\n" in runbook.lower(), link["title"]


@pytest.mark.slow
def test_promtool_understands_every_query(tmp_path) -> None:
    asked = sorted({e for param in PANELS for e in expressions(param.values[0])})
    rules = [{"record": f"panel:{k}", "expr": e} for k, e in enumerate(asked)]
    file = tmp_path / "panels.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))

    assert f"{len(asked)} rules found" in promtool("check", "rules", file)


@pytest.mark.parametrize("panel", PANELS)
def test_what_a_panel_asks_for_exists(panel) -> None:
    rules = rules_of(ROOT / "dashboards" / "prometheus" / "phusong.rules.yml")
    known = documented_labels() | recorded_labels(rules)
    every_label = set().union(*known.values())

    for expression in expressions(panel):
        for name, asked in selectors(expression):
            assert name in known, name
            assert set(asked) <= known[name], (name, asked)
        assert grouped_labels(expression) <= every_label
        legend = set(re.findall(r"{{(\w+)}}", json.dumps(panel["targets"])))
        assert legend <= every_label


def test_exported_dashboards_come_with_all_that_they_need(tmp_path) -> None:
    ran = CliRunner().invoke(
        app,
        ["dashboards", str(tmp_path), "--runbooks", "https://w.example/r", "--target", "p.example:1",
         "--prometheus", "http://prom.example:9090"],
    )  # fmt: skip

    assert ran.exit_code == 0, ran.output
    names = {*BOARD_FILES, *RULE_FILES, *(f"provisioning/{name}" for name in PROVISIONING_FILES)}
    written = {
        path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()
    }
    assert written == names
    for name in BOARD_FILES:
        text = (tmp_path / name).read_text()
        assert "docs/runbooks.md" not in text
        assert json.loads(text.replace("https://w.example/r", "docs/runbooks.md")) == BOARDS[name]
    provisioning = {
        name: yaml.safe_load((tmp_path / "provisioning" / name).read_text())
        for name in PROVISIONING_FILES
    }
    (source,) = provisioning["datasource.yml"]["datasources"]
    assert source["url"] == "http://prom.example:9090"
    (provider,) = provisioning["dashboards.yml"]["providers"]
    assert Path(provider["options"]["path"]) == tmp_path
    scraped = yaml.safe_load((tmp_path / "prometheus.yml").read_text())["scrape_configs"]
    assert scraped[0]["static_configs"] == [{"targets": ["p.example:1"]}]
