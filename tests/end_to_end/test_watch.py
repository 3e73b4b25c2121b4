"""`make watch`, for real: Debian's Prometheus beside the demo, every rule and every panel asked."""

import json
import math
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest
from prometheus import Prometheus, wait_until
from promql import recorded_labels, rules_of, selectors

from phusong.dashboards.boards.files import dashboards
from running import PHUSONG, serving

# A first start compiles every kernel.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
WATCH = (sys.executable, "-m", "phusong.dashboards.commands.watch")
# Series that begin with their first event, and those of a broker, which the demo has none of.
NOT_IN_DEMO = {
    "phusong_broker_received_messages_total",
    "phusong_broker_acknowledged_messages_total",
    "phusong_broker_lost_sessions_total",
    "phusong_door_refused_total",
    "phusong_door_held_total",
    "ALERTS",
}


@contextmanager
def said(
    command: tuple[object, ...], until: str, statuses: tuple[int, ...] = (0,)
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run a command, wait until it has said something on stderr, and stop it well."""
    with subprocess.Popen(
        [*map(str, command)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1", "PHUSONG_SITE_METRICS": "true"},
        start_new_session=True,
    ) as process:
        assert process.stderr is not None
        words = ""
        try:
            while line := process.stderr.readline():
                words += line
                if until in line:
                    break
            assert until in words, words
            yield process, words
        finally:
            process.send_signal(signal.SIGINT)
            try:
                rest = process.communicate(timeout=60)[1]
            finally:
                process.kill()
            assert process.returncode in statuses, words + rest


def queries() -> Iterator[tuple[str, str]]:
    """Yield every panel's queries, with Grafana's variables filled in as Grafana would."""
    for board in dashboards().values():
        for panel in board["panels"]:
            for target in panel.get("targets", ()):
                expression = target["expr"].replace("$__rate_interval", "1h")
                name = f"{board['uid']}: {panel['title']} {target['refId']}"
                yield name, expression.replace("$instance", ".*")


def devices(words: str) -> Callable[[], None]:
    """Return what sends another batch to the demo and something that is none: it sends nothing more by itself."""
    port = re.search(r"MQTT 5 on 127\.0\.0\.1:(\d+)", words)
    assert port is not None
    numbers = count(1)

    def send() -> None:
        batch = json.dumps({"sequence": str(next(numbers))})
        for payload in (batch, "garbage"):
            subprocess.run(
                [
                    *("mosquitto_pub", "-V", "mqttv5", "-q", "1", "-p", port[1]),
                    *("-t", "phusong/v1/viettel/watcher/batch/json", "-m", payload),
                ],
                check=True,
                capture_output=True,
                timeout=60,
            )

    return send


def has_value(prometheus: Prometheus, expression: str) -> bool:
    return any(not math.isnan(value) for value in prometheus.values(expression))


def test_every_rule_and_every_panel_of_the_demo_has_its_figures(tmp_path: Path) -> None:
    data = tmp_path / "demo"
    demo = (PHUSONG, "demo", "--sites", 20, "--sims", 300, "--data", data)
    with (
        # Whether it agrees with its truth (status 1) is for its own test to say.
        said(demo, "serving until Ctrl-C", (0, 1)) as (_, words),
        said((*WATCH, data), "Ctrl-C stops Prometheus") as (_, told),
    ):
        found = re.search(r"http://127\.0\.0\.1:(\d+)/alerts", told)
        assert found is not None
        prometheus = Prometheus(int(found[1]))
        wait_until(lambda: {rule["health"] for rule in prometheus.rules()} == {"ok"})
        wait_until(lambda: prometheus.values("instance:phusong_verifier_late:ratio_time6h"))
        empty = dict(queries())
        send = devices(words)

        def fill() -> bool:
            send()
            time.sleep(1)
            for name in [name for name, asked in empty.items() if has_value(prometheus, asked)]:
                del empty[name]
            return not empty

        try:
            wait_until(fill)
        except AssertionError:
            pytest.fail(f"panels without a figure: {empty}")
        series = prometheus.ask("series", **{"match[]": '{job="phusong"}'})
        health = {rule["name"]: rule["health"] for rule in prometheus.rules()}
        sites_url = re.search(r"http://\S+/metrics", words)
        assert sites_url is not None
        with urllib.request.urlopen(f"{sites_url[0]}/sites", timeout=30) as response:
            sites = response.read().decode()

    assert "make watch" in words
    assert set(health.values()) == {"ok"}
    labels: dict[str, set[str]] = {}
    for each in series:
        labels.setdefault(each["__name__"], set()).update(each)
    recorded = set(recorded_labels(rules_of(ROOT / "dashboards/prometheus/phusong.rules.yml")))
    for name, expression in queries():
        for metric, asked in selectors(expression):
            if metric not in NOT_IN_DEMO:
                assert metric in labels, (name, metric)
                assert metric in recorded or set(asked) <= labels[metric], (name, metric, asked)
    rows = [line for line in sites.splitlines() if line.startswith("phusong_site_verdict{")]
    assert len({re.search(r'site="([^"]+)"', row)[1] for row in rows}) == 20  # type: ignore[index]


def test_without_a_demo_it_says_what_to_do(tmp_path: Path) -> None:
    done = subprocess.run(
        [*WATCH, tmp_path], capture_output=True, text=True, check=False, timeout=60
    )

    assert done.returncode == 2
    assert "Start `make demo`" in done.stderr
    assert "Traceback" not in done.stderr


def test_series_per_site_are_off_unless_asked_for(data: Path) -> None:
    with serving(data) as served:
        url = f"http://127.0.0.1:{served.http_port}/metrics/sites"
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(url, timeout=30)
        told = refused.value.read().decode()

    assert refused.value.code == 404
    assert "--site-metrics" in told
