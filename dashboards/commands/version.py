"""`phusong version`."""

import platform
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Annotated

import typer


def software() -> str:
    """Return the name and version that reports carry."""
    return f"phusong {installed_version('phusong')}"


def version(
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Say also how far the journal in this folder goes."),
    ] = None,
) -> None:
    """Print the version.

    Example: phusong version
    """
    typer.echo(f"{software()} (Python {platform.python_version()})")
    if data is not None:
        from phusong.verifier.journal import JournalReader

        last = JournalReader(data / "journal").last()
        typer.echo(f"journal {data}: sequence {last.sequence}, chain {last.chain.hex()}")
