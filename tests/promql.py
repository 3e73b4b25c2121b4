"""What an expression of PromQL asks for, as far as ours go; whether it is one is promtool's to say."""

import re
import subprocess
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
# What Prometheus itself adds to a scrape, and to what a rule says.
SCRAPE_LABELS = {"job", "instance"}
ALERT_LABELS = {"alertname", "alertstate", "severity", *SCRAPE_LABELS}
WORDS = {
    *("sum", "rate", "increase", "changes", "delta", "deriv", "predict_linear", "absent", "bool"),
    *("avg_over_time", "min_over_time", "max_over_time", "without", "by", "on", "ignoring", "max"),
    *("and", "or", "unless", "offset", "histogram_quantile", "label_replace", "vector", "topk"),
    *("count", "abs", "min", "clamp_min", "time", "group_left", "scalar"),
}


def promtool(*arguments: object) -> str:
    """Run promtool, which must be content."""
    done = subprocess.run(
        ["promtool", *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def documented_labels() -> dict[str, set[str]]:
    """Return every sample name of docs/metrics.md, which a test keeps equal to the code, with its labels."""
    page = (ROOT / "docs" / "metrics.md").read_text()
    found = {}
    for name, labels, meaning in re.findall(
        r"^\| `(\w+)` \|([^|]*)\|([^|]*)\|", page, re.MULTILINE
    ):
        known = set(re.findall(r"`(\w+)`", labels)) | SCRAPE_LABELS
        if meaning.lstrip().startswith("histogram"):
            found |= {f"{name}_bucket": known | {"le"}, f"{name}_count": known}
        else:
            found[name] = known
    return found | {"up": SCRAPE_LABELS, "ALERTS": ALERT_LABELS}


def recorded_labels(rules: list[dict[str, str]]) -> dict[str, set[str]]:
    """Return what the rules record; what is kept of labels is what aggregation left, so only the scrape's can be relied on."""
    return {rule["record"]: SCRAPE_LABELS for rule in rules if "record" in rule}


def rules_of(file: Path) -> list[dict[str, str]]:
    """Return every rule of a file."""
    return [rule for group in yaml.safe_load(file.read_text())["groups"] for rule in group["rules"]]


def selectors(expression: str) -> list[tuple[str, dict[str, str]]]:
    """Return each metric of an expression with what it asks of labels."""
    texts = re.sub(r'label_replace\((.*?), "[^"]*", "[^"]*", "[^"]*", "[^"]*"\)', r"\1", expression)
    bare = re.sub(r"\b(?:without|by|on|ignoring) ?\([^)]*\)|\[[\w:]+\]", "", texts)
    return [
        (name, dict(re.findall(r'(\w+)(?:=~|!~|!=|=)"([^"]*)"', asked)))
        for name, asked in re.findall(r"(?<![\w.])([a-zA-Z_:][\w:]*)(?:\{([^}]*)\})?", bare)
        if name not in WORDS
    ]


def grouped_labels(expression: str) -> set[str]:
    """Return the labels that an expression keeps, drops or matches by."""
    kept = re.findall(r"\b(?:without|by|on|ignoring) ?\(([^)]*)\)", expression)
    return {label for labels in kept for label in re.findall(r"\w+", labels)}
