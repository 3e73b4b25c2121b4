"""Which dashboards there are, and their files."""

import json

from phusong.dashboards.boards.coverage import coverage
from phusong.dashboards.boards.health import health
from phusong.dashboards.boards.intake import intake
from phusong.dashboards.boards.panels import Json
from phusong.dashboards.boards.quota import quota


def dashboards() -> dict[str, Json]:
    """Return every dashboard by the name of its file."""
    return {f"{found['uid']}.json": found for found in (intake(), coverage(), quota(), health())}


def file_text(dashboard: Json) -> str:
    """Return a dashboard as its file has it."""
    return json.dumps(dashboard, ensure_ascii=False, indent=1) + "\n"
