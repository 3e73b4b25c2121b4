"""`phusong check-config`: static; starts nothing and writes nothing."""

from pathlib import Path
from typing import Annotated

import typer

from phusong.dashboards.commands.broker_table import broker_caution
from phusong.dashboards.commands.configuration import NAMES, read_configuration, value_of
from phusong.dashboards.commands.door_tables import tls_flaws
from phusong.dashboards.commands.exits import USAGE, say


def check_config(
    file: Annotated[
        Path | None, typer.Argument(help="The TOML file; none checks the environment.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", help="As `phusong serve --data` would be given.")
    ] = None,
) -> None:
    """Check a configuration and say where each value comes from.

    Exit status 0: sound. 2: not, with every error named.

    Example: phusong check-config phusong.toml
    """
    found = read_configuration(file, {"data": data})
    if isinstance(found, list):
        for error in found:
            say(f"phusong: {error}")
        raise SystemExit(USAGE)
    for unknown in found.unknown:
        say(f"phusong: {unknown}")
    flaws = tls_flaws(found.configuration.tls)
    for flaw in flaws:
        say(f"phusong: tls: {flaw}")
    caution = broker_caution(found.configuration.broker)
    if caution is not None:
        say(f"phusong: {caution}")
    for name in NAMES:
        if "." in name and value_of(found.configuration, name.partition(".")[0]) is None:
            continue  # a table that is not given has no values
        typer.echo(f"{name} = {value_of(found.configuration, name)!r}  # {found.origin[name]}")
    if any(flaw.is_fatal for flaw in flaws):
        raise SystemExit(USAGE)
