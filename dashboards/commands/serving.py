"""Running the service: its signals, its log, what a supervisor hears of it, and how it ends."""

import asyncio
import json
import logging
import os
import signal
import sqlite3
import sys
from contextlib import suppress
from dataclasses import asdict
from typing import NoReturn

# gRPC's own lines go around Python to file descriptor 2, in a form of their own, one for each stranger that shakes hands
# badly. Whoever looks for something asks for them.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

import uvloop

from phusong.collector.doors import ClockBehind
from phusong.collector.journal.segment import JournalDamaged
from phusong.collector.journal.writer import JournalFailed, JournalLocked
from phusong.dashboards.commands.configuration import Layered
from phusong.dashboards.commands.exits import FAILED, USAGE, Unusable
from phusong.dashboards.commands.log_table import log_options
from phusong.dashboards.commands.reloading import Read, Reload
from phusong.dashboards.commands.service_options import service_options
from phusong.dashboards.log_lines import LogOptions, open_log
from phusong.dashboards.service import Address, Service
from phusong.dashboards.supervision import Supervisor, supervisor_of
from phusong.dashboards.verifier_link import VerifierFailed
from phusong.kernels.jit import CACHE_FOLDER, is_compiled

log = logging.getLogger(__name__)


def run_service(read: Read) -> None:
    """Serve until SIGTERM or Ctrl-C, or end with the reason why nothing more can be taken."""
    found = _read_first(read)
    if not is_compiled():
        log.info(
            "compiling kernels into %s; this happens once and takes a minute",
            CACHE_FOLDER,
            extra={"event": "kernels_compiling", "folder": CACHE_FOLDER},
        )
    doctor = f"`phusong doctor --data {found.configuration.data}`"
    try:
        uvloop.run(_serve(read, found))
    except Unusable as unusable:
        _end(str(unusable), USAGE)
    except JournalLocked as locked:
        _end(f"{locked}. Another phusong writes there: stop it, or give --data another folder.")
    except JournalDamaged as damage:
        _end(f"the journal is damaged: {damage}. Nothing was changed; compare with a copy.")
    except (JournalFailed, sqlite3.Error) as error:
        _end(
            f"the journal takes nothing more: {error}. What was acknowledged is on disk. See to the disk ({doctor}),"
            " then start again."
        )
    except (VerifierFailed, ClockBehind) as error:
        _end(f"{error}. Nothing was changed.")
    except OSError as error:
        _end(f"{error}. {doctor} says more.")


def _read_first(read: Read) -> Layered:
    """Return the configuration with the log open as it says, or end with every error in it."""
    found = read()
    if isinstance(found, list):
        open_log(LogOptions())
        for error in found:
            log.critical("%s", error, extra={"event": "configuration_refused"})
        raise SystemExit(USAGE)
    open_log(log_options(found.configuration.log))
    for unknown in found.unknown:
        log.warning("%s", unknown, extra={"event": "variable_unknown"})
    return found


def _end(message: str, status: int = FAILED) -> NoReturn:
    """Say why the service cannot go on and what to do, and end."""
    log.critical("%s", message, extra={"event": "failed"})
    raise SystemExit(status)


async def _serve(read: Read, found: Layered) -> None:
    """Run until somebody says stop, or nothing more can be taken in."""
    stop, asked = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, asked.set)
    supervisor = supervisor_of(os.environ.get, os.getpid())
    service = Service(service_options(found.configuration))
    reload = Reload(read, found.configuration, service)
    running = asyncio.create_task(_run(service, supervisor, reload, asked), name="service")
    stopped = asyncio.create_task(stop.wait(), name="stop")
    await asyncio.wait({running, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    supervisor.stopping()
    if not running.done():
        log.info("stopping; everything acknowledged is on disk", extra={"event": "stopping"})
        running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    log.info("stopped", extra={"event": "stopped"})


async def _run(
    service: Service, supervisor: Supervisor, reload: Reload, asked: asyncio.Event
) -> None:
    async with service.running() as address:
        sys.stdout.write(json.dumps(asdict(address)) + "\n")
        sys.stdout.flush()
        _say_started(service, address)
        _say_who_may_send(service)
        beside = (
            asyncio.create_task(supervisor.watch(service), name="supervisor"),
            asyncio.create_task(_reload_when_asked(asked, reload, supervisor), name="reload"),
        )
        try:
            await _first_end((asyncio.create_task(service.failed()), *beside[1:]))
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)


async def _first_end(tasks: tuple[asyncio.Task[None], ...]) -> None:
    """Wait for ever, or raise what the first task that ends ended with."""
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        tasks[0].cancel()


async def _reload_when_asked(asked: asyncio.Event, reload: Reload, supervisor: Supervisor) -> None:
    """Reload at every SIGHUP, one after another; those that come meanwhile are one."""
    while True:
        await asked.wait()
        asked.clear()
        supervisor.reloading()
        await reload.run()
        supervisor.reloaded()


def _say_started(service: Service, address: Address) -> None:
    log.info(
        "MQTT 5 on %s:%d, gRPC on %s:%d, %s://%s:%d/metrics%s; Ctrl-C stops",
        *(address.host, address.mqtt_port, address.host, address.grpc_port),
        *(service.http_scheme, address.host, address.http_port),
        " (TLS on all)" if service.http_scheme == "https" else "",
        extra={"event": "started", **asdict(address)},
    )


def _say_who_may_send(service: Service) -> None:
    """Say what is chosen and what is missing: a door that is open or shut by mistake is found early."""
    if service.is_loopback_open:
        log.warning(
            "open_loopback: clients of this machine may send and read decisions without a credential,"
            " as any operator. For trials only.",
            extra={"event": "open_loopback"},
        )
    elif not service.can_anybody_send:
        log.warning(
            "nobody can send by MQTT or gRPC yet: no source has a credential. Add sources with credentials"
            " (`phusong registry add sources FILE`, docs/registries.md), or for trials on this machine start with"
            " --open-loopback",
            extra={"event": "nobody_can_send"},
        )
