"""Panels and dashboards as Grafana's JSON, from what differs between them. Nothing outside Grafana's core, no map.

Colours mean what they mean everywhere in Phusong: blue is well, vermilion is not, yellow is in between, grey is not known; never
red against green. Where a colour means nothing, series are shades of blue.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

GOOD, BAD, BETWEEN, UNKNOWN = "#1B6CA8", "#B8350B", "#F2C14E", "#767676"
PALE_GOOD, PALE_UNKNOWN = "#7FB2D9", "#B5B5B5"

RUNBOOKS = "docs/runbooks.md"  # replaced by the address that `phusong export dashboards --runbooks` is given
GRID_WIDTH = 24
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
HERE = 'instance=~"$instance"'
PER_S = "[$__rate_interval]"

Json = dict[str, Any]


class Query(NamedTuple):
    """An expression and how its series are called; `colour` where it has one meaning."""

    expression: str
    legend: str
    colour: str = ""


class Line(NamedTuple):
    """Where a value stops being good."""

    at: float
    colour: str = BAD


def series(
    title: str,
    description: str,
    unit: str,
    queries: Sequence[Query],
    *,
    runbook: str = "",
    lines: Sequence[Line] = (),
    is_stacked: bool = False,
    names: Mapping[str, str] | None = None,
    width: int = 12,
    height: int = 8,
    span_max: float | None = None,
) -> Json:
    """Return a graph over time. names: colours by name of a series. span_max: the end of the axis."""
    custom: Json = {
        "drawStyle": "line",
        "lineWidth": 1,
        "fillOpacity": 25 if is_stacked else 5,
        "showPoints": "never",
        "spanNulls": False,
        "stacking": {"group": "A", "mode": "normal" if is_stacked else "none"},
        "thresholdsStyle": {"mode": "line" if lines else "off"},
        "axisSoftMin": 0,
    }
    defaults: Json = {
        "unit": unit,
        "color": {"mode": "shades", "fixedColor": GOOD},
        "custom": custom,
        "thresholds": _thresholds(GOOD, lines),
    }
    if span_max is not None:
        defaults["max"] = span_max
    panel = _panel("timeseries", title, description, queries, runbook=runbook, size=(width, height))
    panel["fieldConfig"] = {"defaults": defaults, "overrides": _colours(queries, names or {})}
    panel["options"] = {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    return panel


def number(
    title: str,
    description: str,
    unit: str,
    query: Query,
    *,
    runbook: str = "",
    lines: Sequence[Line] = (),
    start: str = GOOD,
    texts: Mapping[str, tuple[str, str]] | None = None,
    width: int = 4,
    height: int = 4,
) -> Json:
    """Return the last value, large. start: the colour below the first line. texts: what is shown for a value, and its colour."""
    panel = _panel("stat", title, description, [query], runbook=runbook, size=(width, height))
    panel["fieldConfig"] = {
        "defaults": {
            "unit": unit,
            "color": {"mode": "thresholds"},
            "thresholds": _thresholds(start, lines),
            "mappings": _mappings(texts or {}),
        },
        "overrides": [],
    }
    panel["options"] = {
        "colorMode": "value",
        "graphMode": "area",
        "justifyMode": "auto",
        "orientation": "auto",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "textMode": "auto",
    }
    return panel


def bars(
    title: str,
    description: str,
    unit: str,
    queries: Sequence[Query],
    *,
    runbook: str = "",
    lines: Sequence[Line] = (),
    start: str = GOOD,
    span_max: float | None = None,
    width: int = 12,
    height: int = 8,
) -> Json:
    """Return the last values as bars."""
    panel = _panel(
        "bargauge", title, description, queries, runbook=runbook, size=(width, height), at_once=True
    )
    defaults: Json = {
        "unit": unit,
        "color": {"mode": "thresholds"},
        "min": 0,
        "thresholds": _thresholds(start, lines),
    }
    if span_max is not None:
        defaults["max"] = span_max
    panel["fieldConfig"] = {"defaults": defaults, "overrides": _colours(queries, {})}
    panel["options"] = {
        "displayMode": "basic",
        "orientation": "horizontal",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "showUnfilled": True,
        "valueMode": "color",
    }
    return panel


def states(
    title: str,
    description: str,
    query: Query,
    texts: Mapping[str, tuple[str, str]],
    *,
    runbook: str = "",
    width: int = 12,
    height: int = 8,
) -> Json:
    """Return how states followed each other. texts: what is shown for a value, and its colour."""
    panel = _panel(
        "state-timeline", title, description, [query], runbook=runbook, size=(width, height)
    )
    panel["fieldConfig"] = {
        "defaults": {
            "color": {"mode": "thresholds"},
            "custom": {"fillOpacity": 80, "lineWidth": 0},
            "mappings": _mappings(texts),
            "thresholds": _thresholds(UNKNOWN, ()),
        },
        "overrides": [],
    }
    panel["options"] = {
        "alignValue": "center",
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "mergeValues": True,
        "rowHeight": 0.8,
        "showValue": "auto",
        "tooltip": {"mode": "single", "sort": "none"},
    }
    return panel


def table(
    title: str,
    description: str,
    columns: Mapping[str, tuple[str, str]],
    *,
    runbook: str = "",
    width: int = 24,
    height: int = 8,
) -> Json:
    """Return the last values as a table, a row for each set of labels. columns: expression and unit by heading."""
    queries = [Query(expression, "") for expression, _ in columns.values()]
    panel = _panel(
        "table", title, description, queries, runbook=runbook, size=(width, height), at_once=True
    )
    for target in panel["targets"]:
        target["format"] = "table"
    values = {f"Value #{ref}": heading for ref, heading in zip(_refs(), columns, strict=False)}
    panel["transformations"] = [
        {"id": "merge", "options": {}},
        {
            "id": "organize",
            "options": {
                "excludeByName": {"Time": True},
                "renameByName": values,
                "indexByName": {},
            },
        },
    ]
    overrides = [
        {
            "matcher": {"id": "byName", "options": heading},
            "properties": [{"id": "unit", "value": unit}],
        }
        for heading, (_, unit) in columns.items()
    ]
    panel["fieldConfig"] = {
        "defaults": {"custom": {"align": "auto", "cellOptions": {"type": "auto"}}},
        "overrides": overrides,
    }
    panel["options"] = {"cellHeight": "sm", "showHeader": True}
    return panel


def heading(title: str) -> Json:
    """Return the heading of a row of panels."""
    return {
        "type": "row",
        "title": title,
        "collapsed": False,
        "panels": [],
        "gridPos": {"w": GRID_WIDTH, "h": 1},
    }


def _panel(
    kind: str,
    title: str,
    description: str,
    queries: Sequence[Query],
    *,
    runbook: str,
    size: tuple[int, int],
    at_once: bool = False,
) -> Json:
    width, height = size
    panel: Json = {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": DATASOURCE,
        "gridPos": {"w": width, "h": height},
        "targets": [
            {
                "refId": ref,
                "datasource": DATASOURCE,
                "expr": query.expression,
                "legendFormat": query.legend or "__auto",
                "instant": at_once,
                "range": not at_once,
            }
            for ref, query in zip(_refs(), queries, strict=False)
        ],
    }
    if runbook:
        url = f"{RUNBOOKS}#{runbook.lower()}"
        panel["links"] = [{"title": f"Runbook: {runbook}", "url": url, "targetBlank": True}]
    return panel


def _refs() -> Sequence[str]:
    return "ABCDEFGHIJKLMNOP"


def _thresholds(start: str, lines: Sequence[Line]) -> Json:
    steps: list[Json] = [{"color": start, "value": None}]
    steps += [{"color": line.colour, "value": line.at} for line in lines]
    return {"mode": "absolute", "steps": steps}


def _mappings(texts: Mapping[str, tuple[str, str]]) -> list[Json]:
    if not texts:
        return []
    options = {
        value: {"text": text, "color": colour, "index": index}
        for index, (value, (text, colour)) in enumerate(texts.items())
    }
    return [{"type": "value", "options": options}]


def _colours(queries: Sequence[Query], names: Mapping[str, str]) -> list[Json]:
    """Return the colours of queries that have one, and of series by their names."""
    of_queries = [
        _colour("byFrameRefID", ref, query.colour)
        for ref, query in zip(_refs(), queries, strict=False)
        if query.colour
    ]
    return of_queries + [_colour("byName", name, colour) for name, colour in names.items()]


def _colour(matcher: str, options: str, colour: str) -> Json:
    value = {"mode": "fixed", "fixedColor": colour}
    return {
        "matcher": {"id": matcher, "options": options},
        "properties": [{"id": "color", "value": value}],
    }
