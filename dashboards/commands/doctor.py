"""`phusong doctor`: what is wrong with this machine for this service, and how to mend it."""

from pathlib import Path
from typing import Annotated

import typer

from phusong.dashboards.commands.configuration import read_configuration
from phusong.dashboards.commands.door_findings import door_findings
from phusong.dashboards.commands.exits import FAILED, USAGE, say
from phusong.dashboards.commands.host_findings import Finding, Grade, host_findings


def doctor(
    data: Annotated[
        Path | None, typer.Option("--data", help="As `phusong serve --data` would be given.")
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "-c", "--config", help="TOML file whose folder, ports and files are looked at."
        ),
    ] = None,
) -> None:
    """Look at disk, fsync, clock, memory, limits, ports, certificates and the broker.

    ● fine · ◆ works, and somebody should look · ▲ wrong: exit status 1. Each line that is not fine says how to mend it.

    Examples:

        phusong doctor --data DIR

        phusong doctor -c /etc/phusong/phusong.toml
    """
    layered = read_configuration(config, {"data": data})
    if isinstance(layered, list):
        for error in layered:
            say(f"phusong: {error}")
        raise SystemExit(USAGE)
    findings = [
        *host_findings(layered.configuration),
        *door_findings(layered.configuration),
        *(_unknown(text) for text in layered.unknown),
    ]
    width = max(len(finding.subject) for finding in findings)
    for finding in findings:
        typer.echo(f"{finding.grade.value} {finding.subject:<{width}}  {finding.found}")
        if finding.grade is not Grade.FINE:
            typer.echo(f"       → {finding.remedy}")
    if any(finding.grade is Grade.BAD for finding in findings):
        raise SystemExit(FAILED)


def _unknown(text: str) -> Finding:
    found, _, remedy = text.partition("; ")
    return Finding(Grade.CAUTION, "environment", found, remedy)
