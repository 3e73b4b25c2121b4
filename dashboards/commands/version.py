"""`phusong version`."""

import platform
from importlib.metadata import version as installed_version

import typer


def software() -> str:
    """Return the name and version that reports carry."""
    return f"phusong {installed_version('phusong')}"


def version() -> None:
    """Print the version.

    Example: phusong version
    """
    typer.echo(f"{software()} (Python {platform.python_version()})")
