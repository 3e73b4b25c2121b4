"""`phusong serve`: collector, verifier and metrics in one service."""

import asyncio
import json
import signal
import sqlite3
import sys
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from phusong.collector.doors import ClockBehind
from phusong.collector.journal.segment import JournalDamaged
from phusong.collector.journal.writer import JournalFailed, JournalLocked
from phusong.dashboards.commands.broker_table import PORT_MAX, broker_options
from phusong.dashboards.commands.configuration import Configuration, read_configuration
from phusong.dashboards.commands.exits import FAILED, USAGE, fail, say
from phusong.dashboards.commands.options import now_ms, time_ms
from phusong.dashboards.service import Service, ServiceOptions
from phusong.dashboards.verifier_link import VerifierFailed
from phusong.kernels.jit import CACHE_FOLDER, is_compiled
from phusong.verifier.quota.settings import QuotaSettings


def serve(
    config: Annotated[Path | None, typer.Option("-c", "--config", help="TOML file.")] = None,
    data: Annotated[Path | None, typer.Option("--data", help="Folder of the journal.")] = None,
    host: Annotated[str | None, typer.Option("--host", help="Default: 127.0.0.1.")] = None,
    mqtt_port: Annotated[
        int | None, typer.Option(min=0, max=PORT_MAX, help="MQTT 5 endpoint; 0 is any free port.")
    ] = None,
    grpc_port: Annotated[
        int | None, typer.Option(min=0, max=PORT_MAX, help="gRPC door; 0 is any free port.")
    ] = None,
    http_port: Annotated[
        int | None,
        typer.Option(min=0, max=PORT_MAX, help="/metrics and health; 0 is any free port."),
    ] = None,
    clock_start: Annotated[
        str | None, typer.Option("--clock-start", help="Rehearsals only: the clock starts here.")
    ] = None,
) -> None:
    """Take telemetry in by MQTT and gRPC, judge it, expose /metrics.

    Prints one JSON line with the ports on stdout when ready; SIGTERM and Ctrl-C stop it cleanly.

    Examples:

        phusong serve --data DIR

        phusong serve --data DIR --mqtt-port 0 --grpc-port 0 --http-port 0
    """
    flags = {
        "data": data,
        "host": host,
        "mqtt_port": mqtt_port,
        "grpc_port": grpc_port,
        "http_port": http_port,
        "clock_start": clock_start,
    }
    found = read_configuration(config, flags)
    if isinstance(found, list):
        for error in found:
            say(f"phusong: {error}")
        raise SystemExit(USAGE)
    options = service_options(found.configuration)
    if not is_compiled():
        say(f"phusong: compiling kernels into {CACHE_FOLDER}; this happens once and takes a minute")
    import uvloop

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
        offset_ms = time_ms(configuration.clock_start, "clock_start") - now_ms()
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
    )


async def _serve(service: Service) -> None:
    """Run until somebody says stop, or nothing more can be taken in."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
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
            f" http://{address.host}:{address.http_port}/metrics; Ctrl-C stops"
        )
        await service.failed()
