"""`phusong doctor`: what is wrong with this machine for this service, and how to mend it."""

import fcntl
import os
import resource
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from phusong.collector.admission.listener import listening_sockets
from phusong.dashboards.commands.configuration import Configuration, read_configuration
from phusong.dashboards.commands.door_tables import is_open_to_network, tls_flaws
from phusong.dashboards.commands.exits import FAILED, USAGE, say
from phusong.kernels.jit import CACHE_FOLDER, is_compiled

# A day of a million SIMs at one reading a minute is about 60 GB of journal; below this a day may not fit.
DISK_FREE_MIN_BYTES = 10 * 2**30
# Every device may hold a connection.
OPEN_FILES_MIN = 4096
# Every acknowledgement waits for one; above this a door of 1 MiB commits falls under 20 MB/s.
FSYNC_MAX_MS = 50.0
FSYNC_TRY_COUNT = 20
FSYNC_TRY_BYTES = 4096
# The programme began in 2021: a clock before that was never set.
CLOCK_MIN_S = 1_630_000_000


class Finding(NamedTuple):
    """One thing looked at."""

    is_fine: bool
    subject: str
    found: str
    remedy: str = ""


def doctor(
    data: Annotated[
        Path | None, typer.Option("--data", help="As `phusong serve --data` would be given.")
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option("-c", "--config", help="TOML file whose folder and ports are looked at."),
    ] = None,
) -> None:
    """Look at disk, fsync, clock, ports, limits and the kernel cache.

    Exit status 1 when something is wrong; each line that is says how to mend it.

    Example: phusong doctor --data DIR
    """
    layered = read_configuration(config, {"data": data})
    if isinstance(layered, list):
        for error in layered:
            say(f"phusong: {error}")
        raise SystemExit(USAGE)
    findings = list(examine(layered.configuration))
    for finding in findings:
        typer.echo(
            f"{'● ok  ' if finding.is_fine else '▲ bad '} {finding.subject}: {finding.found}"
        )
        if not finding.is_fine:
            typer.echo(f"       → {finding.remedy}")
    if not all(finding.is_fine for finding in findings):
        raise SystemExit(FAILED)


def examine(configuration: Configuration) -> Iterator[Finding]:
    """Yield what was found, cheapest first."""
    data = configuration.data
    if data.exists() and not data.is_dir():
        remedy = "give --data a folder, or a name that does not exist yet"
        yield Finding(False, "data", f"{data} is a file", remedy)
    folder = next(path for path in (data.absolute(), *data.absolute().parents) if path.is_dir())
    yield _disk(folder)
    yield _fsync(folder)
    yield Finding(
        time.time() > CLOCK_MIN_S,
        "clock",
        time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "set the clock and run NTP: readings are judged by their arrival",
    )
    if _is_served(data):
        yield Finding(True, "service", f"one writes {data} now; its ports are its own")
    else:
        for name in ("mqtt", "grpc", "http"):
            yield _port(configuration.host, name, getattr(configuration, f"{name}_port"))
    yield from _doors(configuration)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)  # the service raises its own limit to this
    yield Finding(
        most >= OPEN_FILES_MIN or most == resource.RLIM_INFINITY,
        "open files",
        f"limit {most}",
        f"raise it to {OPEN_FILES_MIN} or more (ulimit -Hn, LimitNOFILE= in systemd)",
    )
    yield Finding(
        os.access(next(p for p in (CACHE_FOLDER, *CACHE_FOLDER.parents) if p.is_dir()), os.W_OK),
        "kernel cache",
        f"{CACHE_FOLDER} ({'compiled' if is_compiled() else 'empty: the first start compiles'})",
        "set PHUSONG_KERNEL_CACHE to a folder this user may write",
    )


def _doors(configuration: Configuration) -> Iterator[Finding]:
    """Say what is open that need not be, and what is wrong with the files of TLS."""
    yield Finding(
        not configuration.open_loopback,
        "who may send",
        "any client of this machine, without a credential"
        if configuration.open_loopback
        else "sources with a credential",
        "for more than trials take open_loopback away and give sources credentials: docs/doors.md",
    )
    is_readable = is_open_to_network(configuration.host) and configuration.tls is None
    found = "TLS" if configuration.tls else f"plaintext on {configuration.host}"
    remedy = "tokens cross the network readable by all: give [tls], unless something else protects the way"
    yield Finding(not is_readable, "doors", found, remedy)
    for flaw in tls_flaws(configuration.tls):
        yield Finding(False, "tls", f"{flaw.file}: {flaw.found}", flaw.remedy)


def _disk(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    return Finding(
        free >= DISK_FREE_MIN_BYTES,
        "disk",
        f"{free / 2**30:.1f} GiB free at {folder}",
        f"free {DISK_FREE_MIN_BYTES / 2**30:.0f} GiB or put --data on a larger disk",
    )


def _fsync(folder: Path) -> Finding:
    """Time fsync where the journal will lie."""
    try:
        with tempfile.NamedTemporaryFile(dir=folder) as file:
            start_s = time.perf_counter()
            for _ in range(FSYNC_TRY_COUNT):
                file.write(bytes(FSYNC_TRY_BYTES))
                file.flush()
                os.fsync(file.fileno())
            took_ms = (time.perf_counter() - start_s) / FSYNC_TRY_COUNT * 1000
    except OSError as error:
        return Finding(
            False, "fsync", f"{folder}: {error.strerror}", "give --data a writable folder"
        )
    return Finding(
        took_ms <= FSYNC_MAX_MS,
        "fsync",
        f"{took_ms:.2f} ms at {folder}",
        "use a local SSD: every acknowledgement waits for the disk",
    )


def _is_served(data: Path) -> bool:
    """Tell whether a service holds the journal in a folder."""
    try:
        with (data / "journal" / "writer.lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        pass  # nobody ever wrote there
    return False


def _port(host: str, name: str, port: int) -> Finding:
    try:
        for probe in listening_sockets(name, host, port):
            probe.close()
    except OSError as error:
        remedy = f"stop what listens there, or give --{name}-port another (0: any free one)"
        return Finding(False, f"port {port} ({name})", error.strerror or "taken", remedy)
    return Finding(True, f"port {port} ({name})", "free")
