"""`phusong serve`: collector, verifier and metrics in one service.

What it needs is heavy and loads late (`serving`), so that a wrong flag or an early SIGTERM is answered at once.
"""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from phusong.dashboards.commands.broker_table import PORT_MAX
from phusong.dashboards.commands.configuration import read_configuration
from phusong.dashboards.log_lines import LogFormat, LogLevel


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
    open_loopback: Annotated[
        bool | None,
        typer.Option(
            "--open-loopback/--no-open-loopback",
            help="Trials only: clients of this machine need no credential. Default: they do.",
        ),
    ] = None,
    plaintext: Annotated[
        bool | None,
        typer.Option(
            "--plaintext/--no-plaintext",
            help="Listen without TLS on an address that other machines can reach.",
        ),
    ] = None,
    site_metrics: Annotated[
        bool | None,
        typer.Option(
            "--site-metrics/--no-site-metrics", help="Serve series per site on /metrics/sites."
        ),
    ] = None,
    log_format: Annotated[
        LogFormat | None,
        typer.Option("--log-format", help="Default: human on a terminal, else JSON lines."),
    ] = None,
    log_level: Annotated[
        LogLevel | None, typer.Option("--log-level", help="The least that is said. Default: info.")
    ] = None,
    clock_start: Annotated[
        str | None, typer.Option("--clock-start", help="Rehearsals only: the clock starts here.")
    ] = None,
) -> None:
    """Take telemetry in by MQTT and gRPC, judge it, expose /metrics.

    Prints one JSON line with the ports on stdout when ready; SIGTERM and Ctrl-C stop it cleanly, SIGHUP reads
    the configuration again (docs/operating.md says what is in force at once).

    Examples:

        phusong serve --data DIR

        phusong serve --data DIR --open-loopback --mqtt-port 0 --grpc-port 0 --http-port 0
    """
    flags = {
        "data": data,
        "host": host,
        "mqtt_port": mqtt_port,
        "grpc_port": grpc_port,
        "http_port": http_port,
        "open_loopback": open_loopback,
        "plaintext": plaintext,
        "site_metrics": site_metrics,
        "clock_start": clock_start,
        "log.format": log_format,
        "log.level": log_level,
    }
    from phusong.dashboards.commands.serving import run_service

    run_service(partial(read_configuration, config, flags))
