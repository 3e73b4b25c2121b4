"""A running Prometheus, Debian's, asked by its API."""

import json
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from brokers import free_port

WAIT_S = 240


class Prometheus:
    """A running one, asked by its API."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/api/v1"

    def ask(self, path: str, **parameters: str) -> Any:
        query = urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(f"{self.url}/{path}?{query}", timeout=30) as response:
            return json.load(response)["data"]

    def values(self, expression: str) -> list[float]:
        found = self.ask("query", query=expression)["result"]
        return [float(each["value"][1]) for each in found]

    def rules(self) -> list[dict[str, Any]]:
        return [rule for group in self.ask("rules")["groups"] for rule in group["rules"]]


@contextmanager
def watching(folder: Path) -> Iterator[Prometheus]:
    """Run Prometheus with the configuration of a folder until the context ends."""
    port = free_port()
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [
                *("prometheus", f"--config.file={folder / 'prometheus-tls.yml'}"),
                *(
                    f"--storage.tsdb.path={folder / 'tsdb'}",
                    f"--web.listen-address=127.0.0.1:{port}",
                ),
            ],
            stdout=log,
            stderr=log,
        )
    try:
        yield Prometheus(port)
    finally:
        process.kill()
        process.wait()


def wait_until(holds: Callable[[], object]) -> None:
    deadline_s = time.monotonic() + WAIT_S
    while True:
        try:
            if holds():
                return
        except OSError:  # Prometheus does not listen yet
            pass
        assert time.monotonic() < deadline_s, "waited in vain"
        time.sleep(0.2)
