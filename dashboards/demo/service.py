"""The service under the demo: its folder, its process, and when it has caught up."""

import asyncio
import fcntl
import json
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from phusong.collector.road import open_road
from phusong.dashboards.commands.registry import READERS, Registry
from phusong.dashboards.demo import season
from phusong.kernels.frame import PayloadKind, Route, Transport
from phusong.v1.journal_pb2 import RegistryEntry

MARKER = ".phusong-demo"
MARKER_TEXT = "phusong demo writes and deletes this folder. Keep nothing of your own in it.\n"

# The same interpreter, whatever the command is called here and wherever it is installed.
PHUSONG = (sys.executable, "-c", "from phusong.dashboards.commands import main; main()")

POLL_S = 0.1
# A first start compiles every kernel on a slow machine.
READY_WITHIN_S = 300.0
CAUGHT_UP_WITHIN_S = 300.0
STOP_WITHIN_S = 30.0


class DemoFailed(Exception):
    """The demo cannot go on; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the doors of a running service are, on loopback."""

    mqtt: int
    grpc: int
    http: int

    def url(self, path: str) -> str:
        """Return the address of a page."""
        return f"http://127.0.0.1:{self.http}{path}"


def renew_folder(data: Path) -> None:
    """Make `data` an empty demo folder; raise DemoFailed when it is somebody's, or in use."""
    if data.exists() and not data.is_dir():
        raise DemoFailed(f"{data} is not a folder; choose another with --data")
    if data.is_dir() and any(data.iterdir()):
        if not (data / MARKER).is_file():
            raise DemoFailed(
                f"{data} is not empty and was not made by `phusong demo` (no {MARKER} in it), so it is left"
                " alone; choose another folder with --data"
            )
        lock = data / "journal" / "writer.lock"
        if lock.exists() and _is_held(lock):
            raise DemoFailed(
                f"another demo is running in {data}; stop it, or choose another --data"
            )
        shutil.rmtree(data)
    data.mkdir(parents=True, exist_ok=True)
    (data / MARKER).write_text(MARKER_TEXT, encoding="utf-8")


def _is_held(lock: Path) -> bool:
    with lock.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@contextmanager
def running_service(data: Path) -> Iterator[tuple[Ports, "subprocess.Popen[str]"]]:
    """Run `phusong serve` on free ports of loopback and on the demo's clock; stop it cleanly at the end."""
    arguments = ("serve", "--data", str(data), "--clock-start", season.CLOCK_START.isoformat())
    ports = (
        "--mqtt-port",
        "0",
        "--grpc-port",
        "0",
        "--http-port",
        "0",
        "--open-loopback",
        "--log-format",
        "human",
    )
    with subprocess.Popen(  # noqa: S603  (our own interpreter and arguments)
        (*PHUSONG, *arguments, *ports),
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        # Ctrl-C is for the demo, which then stops the service in its own time.
        start_new_session=True,
    ) as process:
        try:
            yield _read_ports(process), process
        finally:
            stop(process)


def stop(process: "subprocess.Popen[str]") -> None:
    """End the service as an operator would; raise DemoFailed when it does not end well."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        status = process.wait(STOP_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        raise DemoFailed(f"the service did not stop within {STOP_WITHIN_S:g} s") from None
    if status != 0:
        raise DemoFailed(f"the service ended with status {status}")


def _read_ports(process: "subprocess.Popen[str]") -> Ports:
    assert process.stdout is not None
    line = process.stdout.readline()  # serve prints one line, when it is ready, or ends
    if not line:
        raise DemoFailed("the service did not start; what it said stands above")
    ready = json.loads(line)
    return Ports(ready["mqtt_port"], ready["grpc_port"], ready["http_port"])


async def wait_until_caught_up(ports: Ports) -> None:
    """Return when the verifier has taken in all that the journal holds."""
    deadline_s = time.monotonic() + CAUGHT_UP_WITHIN_S
    while time.monotonic() < deadline_s:
        metrics = await asyncio.to_thread(_read_metrics, ports.url("/metrics"))
        written = metrics.get("phusong_journal_sequence")
        applied = metrics.get("phusong_verifier_applied_sequence")
        if written is not None and written == applied:
            return
        await asyncio.sleep(POLL_S)
    raise DemoFailed(f"the verifier did not catch up within {CAUGHT_UP_WITHIN_S:g} s")


def _read_metrics(url: str) -> dict[str, float]:
    """Return the samples without labels of a /metrics page; none while it cannot be read."""
    try:
        with urllib.request.urlopen(url, timeout=10) as page:  # noqa: S310  (always http, on loopback)
            lines = page.read().decode().splitlines()
    except (urllib.error.URLError, TimeoutError):
        return {}
    samples = (line.split(" ") for line in lines if line and not line.startswith("#"))
    return {words[0]: float(words[1]) for words in samples if "{" not in words[0]}


async def add_registries(data: Path, paths: dict[str, Path], clock: Callable[[], int]) -> None:
    """Journal the registries as `phusong registry add` does, but known since the demo's clock."""
    route = Route("", "registry", "", Transport.SERVICE, PayloadKind.REGISTRY)
    async with open_road(data, clock) as road:
        for registry, path in paths.items():
            content = path.read_bytes()
            errors = READERS[Registry(registry)](content)
            assert not isinstance(errors, list), errors
            entry = RegistryEntry(registry=registry, file=path.name, content=content)
            await road.submit(route, entry.SerializeToString())
