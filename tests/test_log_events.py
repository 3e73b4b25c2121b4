"""Every line of the log names its event, and the documentation knows every event."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "operating.md"
LEVELS = {"debug", "info", "warning", "error", "critical", "log", "exception"}
# Said by people's programs, not by the service.
FOREIGN = {"dashboards/demo"}


def log_calls() -> Iterator[tuple[str, ast.Call]]:
    """Yield every call that logs, and where it stands."""
    for room in ("collector", "verifier", "dashboards"):
        for path in sorted((ROOT / room).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            if any(name.startswith(f"{folder}/") for folder in FOREIGN):
                continue
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Attribute)
                    and node.func.attr in LEVELS
                    and "log" in ast.unparse(node.func.value).lower()
                ):
                    yield f"{name}:{node.lineno}", node


def events_of(call: ast.Call) -> set[str]:
    """Return the events a call may name, written out."""
    extra = next((k.value for k in call.keywords if k.arg == "extra"), None)
    if not isinstance(extra, ast.Dict):
        return set()
    return {
        value.value
        for key, value in zip(extra.keys, extra.values, strict=True)
        if isinstance(key, ast.Constant)
        and key.value == "event"
        and isinstance(value, ast.Constant)
    }


def documented() -> set[str]:
    rows = re.findall(r"^\| (`[a-z_`, ]+`) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`([a-z_]+)`", row)}


def test_every_line_names_its_event() -> None:
    calls = dict(log_calls())

    assert len(calls) > 30
    assert [place for place, call in calls.items() if len(events_of(call)) != 1] == []


def test_the_page_and_the_code_know_the_same_events() -> None:
    assert documented() == {event for _, call in log_calls() for event in events_of(call)}
