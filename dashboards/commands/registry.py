"""`phusong registry`: versioned lists, validated whole and journalled."""

import hashlib
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from phusong.dashboards.commands.entering import check_can_judge_again, enter
from phusong.dashboards.commands.exits import USAGE, fail, say
from phusong.dashboards.commands.options import (
    DATA_DEFAULT,
    DataOption,
    KnownAtOption,
    iso_text,
    open_data,
    time_ms,
)
from phusong.kernels.frame import PayloadKind
from phusong.kernels.registers import LineError, read_sources
from phusong.v1.journal_pb2 import RegistryEntry
from phusong.verifier.closing import registries_before
from phusong.verifier.coverage.policy import read_policy
from phusong.verifier.coverage.wording import counted
from phusong.verifier.disputes.limits import read_limits
from phusong.verifier.programme.reading import read_programme
from phusong.verifier.registry.csv_places import place_errors
from phusong.verifier.registry.entries import REGISTRIES, read_registries
from phusong.verifier.registry.handovers_file import read_handovers
from phusong.verifier.registry.operators import read_operators
from phusong.verifier.registry.platforms import read_platforms
from phusong.verifier.registry.sims_file import read_sims
from phusong.verifier.registry.sites import ALIASES, read_sites

app = typer.Typer(
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    add_completion=False,
    help="Add lists and see which version was known when.",
)


class Registry(StrEnum):
    """The lists there are."""

    SITES = "sites"
    SIMS = "sims"
    HANDOVERS = "handovers"
    SOURCES = "sources"
    PLATFORMS = "platforms"
    PROGRAMME = "programme"
    POLICY = "policy"
    DISPUTES = "disputes"
    OPERATORS = "operators"


READERS: dict[Registry, Callable[[bytes], object]] = {
    Registry.SITES: read_sites,
    Registry.SIMS: read_sims,
    Registry.HANDOVERS: read_handovers,
    Registry.SOURCES: read_sources,
    Registry.PLATFORMS: read_platforms,
    Registry.PROGRAMME: read_programme,
    Registry.POLICY: read_policy,
    Registry.DISPUTES: read_limits,
    Registry.OPERATORS: read_operators,
}
TOML_FILES = {Registry.PROGRAMME, Registry.POLICY, Registry.DISPUTES}


@app.command()
def add(
    registry: Annotated[Registry, typer.Argument(help="Which list.")],
    file: Annotated[Path, typer.Argument(help="CSV, or TOML for programme, policy and disputes.")],
    data: DataOption = DATA_DEFAULT,
) -> None:
    """Check a file and make it the version in force from now on. Nothing is half applied.

    Example: phusong registry add sites sites.csv --data DIR
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        fail(f"{file}: {error.strerror}", USAGE)
    found = READERS[registry](content)
    if isinstance(found, list):
        if registry not in TOML_FILES:
            found = place_errors(content, found, ALIASES if registry is Registry.SITES else None)
        for mistake in found:
            say(describe(file, mistake))
        count = counted(len(found), "error")
        fail(f"{file} was not added: {count}. Mend and add it again.", USAGE)
    if registry in {Registry.SITES, Registry.POLICY}:
        check_can_judge_again(data, f"by a new {registry.value} list")
    entry = RegistryEntry(registry=registry.value, file=file.name, content=content)
    sequence = enter(data, PayloadKind.REGISTRY, entry.SerializeToString())
    digest = hashlib.sha256(content).hexdigest()
    typer.echo(f"{registry.value}: {file.name} added as sequence {sequence}, sha256 {digest}")


@app.command(name="list")
def list_versions(data: DataOption = DATA_DEFAULT, known_at: KnownAtOption = None) -> None:
    """Show every version of every list.

    Example: phusong registry list --data DIR --known-at 2021-12-31
    """
    known_ms = None if known_at is None else time_ms(known_at, "--known-at")
    history, after = registries_before(open_data(data))
    history = read_registries(data / "journal", history=history, after=after)
    typer.echo("registry\tsequence\tknown since\tfile\tsha256")
    for registry in sorted(set(REGISTRIES) & set(history.versions)):
        for version in history.all_known(registry, known_ms):
            digest = hashlib.sha256(version.content).hexdigest()
            known = iso_text(version.known_time_ms)
            typer.echo(f"{registry}\t{version.sequence}\t{known}\t{version.file}\t{digest}")


def describe(file: Path, error: LineError) -> str:
    """Return an error as compilers write it, so that editors can jump to it."""
    column = f" {error.column}:" if error.column else ""
    character = f":{error.character}" if error.character else ""
    return f"{file}:{error.line}{character}:{column} {error.message}"
