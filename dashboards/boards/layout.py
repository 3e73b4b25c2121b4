"""A dashboard of panels: what all of ours have, and where each panel lies."""

from collections.abc import Sequence

from phusong.dashboards.boards.panels import BAD, DATASOURCE, GRID_WIDTH, HERE, Json

SCHEMA_VERSION = 39  # of Grafana 10.4; later ones migrate it by themselves


def dashboard(uid: str, title: str, description: str, panels: Sequence[Json]) -> Json:
    """Return a dashboard with its panels laid out from left to right and down."""
    return {
        "id": None,
        "uid": uid,
        "title": title,
        "description": description,
        "tags": ["phusong"],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "annotations": {"list": [_alert_marks()]},
        "links": [
            {
                "type": "dashboards",
                "title": "Phusong",
                "tags": ["phusong"],
                "asDropdown": True,
                "includeVars": True,
                "keepTime": True,
                "targetBlank": False,
                "icon": "external link",
                "tooltip": "",
                "url": "",
            }
        ],
        "templating": {"list": _variables()},
        "panels": _laid_out(panels),
    }


def _variables() -> list[Json]:
    instance = "label_values(phusong_build_info, instance)"
    return [
        {
            "name": "datasource",
            "label": "Prometheus",
            "type": "datasource",
            "query": "prometheus",
            "hide": 0,
            "includeAll": False,
            "multi": False,
            "refresh": 1,
        },
        {
            "name": "instance",
            "label": "Phusong",
            "type": "query",
            "datasource": DATASOURCE,
            "query": {"query": instance, "refId": "instance"},
            "definition": instance,
            "hide": 0,
            "includeAll": True,
            "allValue": ".*",
            "multi": True,
            "refresh": 2,
            "sort": 1,
        },
    ]


def _alert_marks() -> Json:
    """Return what marks the times at which an alert of ours fired."""
    return {
        "name": "Alerts",
        "datasource": DATASOURCE,
        "enable": True,
        "iconColor": BAD,
        "expr": f'ALERTS{{alertname=~"Phusong.+", alertstate="firing", {HERE}}}',
        "titleFormat": "{{alertname}}",
        "textFormat": "{{severity}}",
    }


def _laid_out(panels: Sequence[Json]) -> list[Json]:
    found: list[Json] = []
    x = y = row_height = 0
    for number_of_panel, panel in enumerate(panels, 1):
        width, height = panel["gridPos"]["w"], panel["gridPos"]["h"]
        if x + width > GRID_WIDTH:
            x, y, row_height = 0, y + row_height, 0
        place = {"x": x, "y": y, "w": width, "h": height}
        found.append(panel | {"id": number_of_panel, "gridPos": place})
        x, row_height = x + width, max(row_height, height)
    return found
