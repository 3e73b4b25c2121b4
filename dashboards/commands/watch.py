"""`make watch`: Prometheus with our rules beside a demo that is running, until Ctrl-C. A way to look, not a way to operate."""

import json
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from phusong.dashboards.commands.exits import FAILED, USAGE, fail, say
from phusong.dashboards.commands.export import write_rules

# As `phusong demo` and the service name them; importing those takes a second.
DATA_DEFAULT = Path("demo-data")
READY_FILE = "serve.json"
PORT = 9090
# So that a graph has something to show after half a minute.
SCRAPE_EVERY_S = 5
READY_WITHIN_S = 60.0
STOP_WITHIN_S = 20.0
LOOK_AT = (
    ("rows accepted a second", "sum by (operator) (rate(phusong_collector_accepted_rows_total[1m]))"),
    ("site rows by verdict", "sum by (verdict) (phusong_sites)"),
    ("verified share of the target", "phusong_obligation_verified_ratio"),
    ("SIMs by state", 'phusong_quota_sims{day="yesterday"}'),
)  # fmt: skip


def watch(data: Path) -> None:
    """Run Prometheus on the service of a data folder; return when it was told to stop and has."""
    http_port = _http_port(data)
    port = _free_port()
    with tempfile.TemporaryDirectory(prefix="phusong-watch-") as name:
        folder = Path(name)
        configure(folder, f"127.0.0.1:{http_port}")
        with (folder / "log").open("w") as log:
            process = subprocess.Popen(  # noqa: S603  (our own arguments)
                prometheus_command(folder, port),
                stdout=log,
                stderr=log,
                # Ctrl-C is for us, who then stop it in its own time.
                start_new_session=True,
            )
        try:
            _wait_until_ready(process, port, folder / "log")
            _say_where_to_look(port, http_port)
            process.wait()
            fail(f"prometheus ended by itself:\n{_last_words(folder / 'log')}", FAILED)
        except KeyboardInterrupt:
            say("\nstopping Prometheus; the demo goes on")
        finally:
            _stop(process)


def configure(folder: Path, target: str) -> None:
    """Write what Prometheus is started with: rules, and a configuration that looks often."""
    write_rules(folder, target=target)
    file = folder / "prometheus.yml"
    file.write_text(
        re.sub(r"(_interval): 15s", rf"\1: {SCRAPE_EVERY_S}s", file.read_text("utf-8")), "utf-8"
    )


def prometheus_command(folder: Path, port: int) -> list[str]:
    """Return how Debian's Prometheus is started on a folder."""
    return [
        "prometheus",
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]


def _http_port(data: Path) -> int:
    try:
        ready = json.loads((data / READY_FILE).read_text("utf-8"))
    except FileNotFoundError:
        fail(
            f"no service runs in {data}. Start `make demo` in another terminal, wait until it says where its metrics are,"
            " and then `make watch` here.",
            USAGE,
        )
    return int(ready["http_port"])


def _free_port() -> int:
    """Return Prometheus' own port, or any free one where something listens there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", PORT))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_ready(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline_s = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline_s:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    fail(f"prometheus did not start:\n{_last_words(log)}", FAILED)


def _say_where_to_look(port: int, http_port: int) -> None:
    say(
        f"Prometheus scrapes http://127.0.0.1:{http_port}/metrics every {SCRAPE_EVERY_S} s:\n"
        f"  alerts   http://127.0.0.1:{port}/alerts      what each means: docs/runbooks.md\n"
        f"  targets  http://127.0.0.1:{port}/targets"
    )
    for title, expression in LOOK_AT:
        query = urllib.parse.urlencode(
            {"g0.expr": expression, "g0.tab": 0, "g0.range_input": "15m"}
        )
        say(f"  {title}:\n    http://127.0.0.1:{port}/graph?{query}")
    say(
        "Dashboards for Grafana: phusong export dashboards DIR. Ctrl-C stops Prometheus; nothing of it is kept."
    )


def _last_words(log: Path) -> str:
    return "\n".join(log.read_text("utf-8").splitlines()[-5:])


def _stop(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    watch(Path(sys.argv[1]) if len(sys.argv) > 1 else DATA_DEFAULT)
