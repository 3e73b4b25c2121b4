"""The product as its users meet it: the installed command and a running service."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PHUSONG = Path(sys.executable).parent / "phusong"
READY_TIMEOUT_S = 240  # the first start compiles every kernel


@dataclass
class Ran:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


def phusong(*arguments: object, status: int | None = 0) -> Ran:
    """Run the command and check how it ended."""
    done = subprocess.run(
        [PHUSONG, *map(str, arguments)], capture_output=True, text=True, timeout=300, check=False
    )
    ran = Ran(done.returncode, done.stdout, done.stderr)
    assert status is None or ran.status == status, ran
    return ran


class Served:
    """A running service."""

    def __init__(self, process: "subprocess.Popen[str]", ports: dict[str, Any]) -> None:
        self.process = process
        self.mqtt_port = int(ports["mqtt_port"])
        self.grpc_port = int(ports["grpc_port"])
        self.http_port = int(ports["http_port"])

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


@contextmanager
def serving(
    data: Path,
    *arguments: object,
    open_loopback: bool = True,
    command: Sequence[object] = (PHUSONG,),
) -> Iterator[Served]:
    """Run `phusong serve` on free ports until the context ends; clients of this machine need no credential.

    `command` may be one that runs phusong, such as strace.
    """
    is_run_by_another = len(command) > 1
    command = [
        *command,
        "serve",
        "--data",
        data,
        "--mqtt-port",
        0,
        "--grpc-port",
        0,
        "--http-port",
        0,
        *(["--open-loopback"] if open_loopback else []),
    ]
    with (data.parent / f"{data.name}.stderr").open("w") as errors:
        process = subprocess.Popen(
            [*map(str, command), *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
            start_new_session=is_run_by_another,
        )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line, (data.parent / f"{data.name}.stderr").read_text()
        yield Served(process, json.loads(line))
    finally:
        if process.poll() is None:
            if is_run_by_another:  # who is killed does not take along what it runs
                os.killpg(process.pid, signal.SIGKILL)
            process.kill()
        process.wait()
        process.stdout.close()
