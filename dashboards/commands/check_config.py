"""`phusong check-config`: static; starts nothing and opens nothing."""

from pathlib import Path
from typing import Annotated

import typer

from phusong.dashboards.commands.configuration import read_configuration
from phusong.dashboards.commands.exits import USAGE, say


def check_config(
    file: Annotated[
        Path | None, typer.Argument(help="The TOML file; none checks the environment.")
    ] = None,
) -> None:
    """Check a configuration and say where each value comes from.

    Exit status 0: sound. 2: not, with every error named.

    Example: phusong check-config phusong.toml
    """
    found = read_configuration(file, {})
    if isinstance(found, list):
        for error in found:
            say(f"phusong: {error}")
        raise SystemExit(USAGE)
    for name, value in found.configuration.model_dump(mode="json").items():
        typer.echo(f"{name} = {value!r}  # {found.origin[name]}")
