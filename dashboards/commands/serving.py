"""Running the service: its clock, its log, and how it ends."""

import asyncio
import json
import logging
import resource
import signal
import sqlite3
import sys
from contextlib import suppress
from dataclasses import asdict, replace

import uvloop

from phusong.collector.admission.limits import Limits
from phusong.collector.admission.tls import TlsUnusable
from phusong.collector.doors import ClockBehind
from phusong.collector.journal.segment import JournalDamaged
from phusong.collector.journal.writer import JournalFailed, JournalLocked
from phusong.dashboards.commands.broker_table import broker_options
from phusong.dashboards.commands.configuration import Configuration
from phusong.dashboards.commands.door_tables import limits_of, tls_of
from phusong.dashboards.commands.exits import FAILED, USAGE, fail, say
from phusong.dashboards.commands.options import now_ms, time_ms
from phusong.dashboards.service import Service, ServiceOptions
from phusong.dashboards.verifier_link import VerifierFailed
from phusong.kernels.days import TIME_MAX_MS
from phusong.kernels.jit import CACHE_FOLDER, is_compiled
from phusong.verifier.quota.settings import QuotaSettings

# Of open files, for what is not an MQTT connection: gRPC, HTTP, segments and their copies, the verifier.
DESCRIPTOR_RESERVE = 1024
# Strangers at the doors can cause log lines; more than this a second nobody reads.
LOG_LINES_PER_S_MAX = 20


class Damper(logging.Filter):
    """Lets so many lines a second through, and says how many it held back."""

    def __init__(self) -> None:
        """Start with nothing held back."""
        super().__init__()
        self._second = 0
        self._count = self._held_count = 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a line is written."""
        if int(record.created) != self._second:
            if self._held_count:
                record.msg = f"{record.msg} ({self._held_count} lines before this were left out)"
            self._second, self._count, self._held_count = int(record.created), 0, 0
        self._count += 1
        if self._count > LOG_LINES_PER_S_MAX:
            self._held_count += 1
            return False
        return True


def run_service(configuration: Configuration) -> None:
    """Serve until SIGTERM or Ctrl-C, or end with the reason why nothing more can be taken."""
    options = service_options(configuration)
    if not is_compiled():
        say(f"phusong: compiling kernels into {CACHE_FOLDER}; this happens once and takes a minute")
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(Damper())
    logging.basicConfig(level=logging.INFO, format="phusong: %(message)s", handlers=[handler])
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    try:
        uvloop.run(_serve(Service(options)))
    except JournalLocked as locked:
        fail(f"{locked}. Another phusong writes there: stop it, or give --data another folder.")
    except JournalDamaged as damage:
        fail(f"the journal is damaged: {damage}. Nothing was changed; compare with a copy.")
    except (JournalFailed, sqlite3.Error) as error:
        fail(
            f"the journal takes nothing more: {error}. What was acknowledged is on disk. See to the disk"
            f" (`phusong doctor --data {options.data}`), then start again."
        )
    except (VerifierFailed, ClockBehind) as error:
        fail(f"{error}. Nothing was changed.")
    except OSError as error:
        fail(f"{error}. `phusong doctor --data {options.data}` says more.", FAILED)


def service_options(configuration: Configuration) -> ServiceOptions:
    """Return what the service is started with; here alone its clock is chosen."""
    offset_ms = 0
    if configuration.clock_start is not None:
        start_ms = time_ms(configuration.clock_start, "clock_start")
        if not 0 <= start_ms <= TIME_MAX_MS:
            fail(
                f"clock_start: {configuration.clock_start} does not lie between 1970 and 2100",
                USAGE,
            )
        offset_ms = start_ms - now_ms()
        say(f"phusong: the clock is set to {configuration.clock_start} for a rehearsal")
    return ServiceOptions(
        data=configuration.data,
        host=configuration.host,
        mqtt_port=configuration.mqtt_port,
        grpc_port=configuration.grpc_port,
        http_port=configuration.http_port,
        settings=QuotaSettings(quota_bytes=configuration.quota_bytes),
        clock=lambda: now_ms() + offset_ms,
        clock_offset_ms=offset_ms,
        broker=broker_options(configuration.broker),
        open_loopback=configuration.open_loopback,
        disk_reserve_bytes=configuration.disk_reserve_bytes,
        limits=_fitting(limits_of(configuration.limits)),
        tls=tls_of(configuration.tls),
        has_site_metrics=configuration.site_metrics,
    )


async def _serve(service: Service) -> None:
    """Run until somebody says stop, or nothing more can be taken in."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, _reload, service)
    running = asyncio.create_task(_run(service), name="service")
    stopped = asyncio.create_task(stop.wait(), name="stop")
    await asyncio.wait({running, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not running.done():
        say("phusong: stopping; everything acknowledged is on disk")
        running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def _run(service: Service) -> None:
    async with service.running() as address:
        sys.stdout.write(json.dumps(asdict(address)) + "\n")
        sys.stdout.flush()
        say(
            f"phusong: MQTT 5 on {address.host}:{address.mqtt_port}, gRPC on {address.host}:{address.grpc_port},"
            f" {service.http_scheme}://{address.host}:{address.http_port}/metrics"
            f"{' (TLS on all)' if service.http_scheme == 'https' else ''}; Ctrl-C stops"
        )
        _say_who_may_send(service)
        await service.failed()


def _fitting(limits: Limits) -> Limits:
    """Raise the limit of open files as far as it goes, and return limits that leave some for everything else."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if most == resource.RLIM_INFINITY or limits.connections <= most - DESCRIPTOR_RESERVE:
        return limits
    connections = max(most - DESCRIPTOR_RESERVE, most // 2)
    say(
        f"phusong: limits.connections is {connections}, not {limits.connections}: this process may open {most} files"
        f" and keeps {DESCRIPTOR_RESERVE} for the journal and other doors. Raise it (ulimit -Hn, LimitNOFILE= in systemd)"
    )
    return replace(limits, connections=connections)


def _reload(service: Service) -> None:
    """Read what SIGHUP asks for: the files of TLS."""
    try:
        said = service.reload_tls()
    except TlsUnusable as unusable:
        said = f"TLS stays as it was: {unusable}"
    say(f"phusong: {said}")


def _say_who_may_send(service: Service) -> None:
    """Say what is chosen and what is missing: a door that is open or shut by mistake is found early."""
    if service.is_loopback_open:
        say(
            "phusong: open_loopback: clients of this machine may send and read decisions without a credential,"
            " as any operator. For trials only."
        )
    elif not service.can_anybody_send:
        say(
            "phusong: nobody can send by MQTT or gRPC yet: no source has a credential. Add sources with credentials"
            " (`phusong registry add sources FILE`, docs/registries.md), or for trials on this machine start with"
            " --open-loopback"
        )
