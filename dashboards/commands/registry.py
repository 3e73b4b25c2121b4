"""`phusong registry`: versioned lists, validated whole and journalled."""

import hashlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

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
from phusong.dashboards.commands.registry_changes import changes
from phusong.kernels.frame import FrameDamaged, PayloadKind
from phusong.kernels.registers import LineError, read_sources
from phusong.v1.journal_pb2 import RegistryEntry
from phusong.verifier.closing import HistoryGone, registries_before
from phusong.verifier.coverage.policy import read_policy
from phusong.verifier.coverage.wording import counted
from phusong.verifier.disputes.limits import read_limits
from phusong.verifier.journal import JournalDamaged, JournalReader
from phusong.verifier.programme.reading import read_programme
from phusong.verifier.registry.csv_places import place_errors
from phusong.verifier.registry.entries import REGISTRIES, RegistryHistory, Version, read_registries
from phusong.verifier.registry.handovers_file import read_handovers
from phusong.verifier.registry.operators import read_operators
from phusong.verifier.registry.platforms import read_platforms
from phusong.verifier.registry.sims_file import read_sims
from phusong.verifier.registry.sites import ALIASES, read_sites
from phusong.verifier.snapshot import registries_in_snapshot

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
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check, say what would change, and add nothing.")
    ] = False,
) -> None:
    """Check a file, say what it changes, and make it the version in force from now on. Nothing is half applied.

    Examples:

        phusong registry add sites sites.csv --data DIR

        phusong registry add sources sources.csv --data DIR --dry-run
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        fail(f"{file}: {error.strerror}", USAGE)
    with steps() as step:
        step("checking")
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
    _say_changes(data, registry, found)
    if dry_run:
        say(f"{registry.value}: nothing was added (--dry-run)")
        return
    entry = RegistryEntry(registry=registry.value, file=file.name, content=content)
    with steps() as step:
        step("journalling")
        sequence = enter(data, PayloadKind.REGISTRY, entry.SerializeToString())
    digest = hashlib.sha256(content).hexdigest()
    typer.echo(f"{registry.value}: {file.name} added as sequence {sequence}, sha256 {digest}")


@app.command(name="list")
def list_versions(data: DataOption = DATA_DEFAULT, known_at: KnownAtOption = None) -> None:
    """Show every version of every list.

    Example: phusong registry list --data DIR --known-at 2021-12-31
    """
    known_ms = None if known_at is None else time_ms(known_at, "--known-at")
    history = history_of(open_data(data))
    typer.echo("registry\tsequence\tknown since\tfile\tsha256")
    for registry in sorted(set(REGISTRIES) & set(history.versions)):
        for version in history.all_known(registry, known_ms):
            digest = hashlib.sha256(version.content).hexdigest()
            known = iso_text(version.known_time_ms)
            typer.echo(f"{registry}\t{version.sequence}\t{known}\t{version.file}\t{digest}")


@app.command()
def show(
    registry: Annotated[Registry, typer.Argument(help="Which list.")],
    data: DataOption = DATA_DEFAULT,
    known_at: KnownAtOption = None,
    content: Annotated[
        bool, typer.Option("--content", help="Write the file itself, as it was added.")
    ] = False,
) -> None:
    """Show the version in force, and what it changed against the one before.

    Examples:

        phusong registry show sources --data DIR

        phusong registry show sims --data DIR --content > sims.csv
    """
    known_ms = None if known_at is None else time_ms(known_at, "--known-at")
    versions = history_of(open_data(data)).all_known(registry.value, known_ms)
    if not versions:
        fail(f"no list of {registry.value} was entered; `phusong registry add` enters one")
    version, before = versions[-1], versions[-2] if len(versions) > 1 else None
    if content:
        sys.stdout.buffer.write(version.content)
        return
    typer.echo(f"registry     {registry.value}, version {len(versions)}")
    typer.echo(f"file         {version.file}, {len(version.content):,} bytes")
    typer.echo(f"sha256       {hashlib.sha256(version.content).hexdigest()}")
    typer.echo(f"in force     from sequence {version.sequence}, {iso_text(version.known_time_ms)}")
    earlier = None if before is None else _read_entered(registry, before)
    for line in changes(earlier, _read_entered(registry, version)):
        typer.echo(f"it           {line}")


def history_of(data: Path) -> RegistryHistory:
    """Return every version of every list in a journal, most of it from a snapshot where there is one."""
    known = registries_in_snapshot(data, JournalReader(data / "journal"))
    history, after = registries_before(data) if known is None else known
    return read_registries(data / "journal", history=history, after=after)


def _say_changes(data: Path, registry: Registry, found: object) -> None:
    """Say what entering a list changes. A journal that cannot be read whole keeps nobody from revoking a credential."""
    earlier: object = None
    if (data / "journal").is_dir():
        try:
            with steps() as step:
                step("comparing")
                before = history_of(data).known(registry.value, None)
                earlier = None if before is None else _read_entered(registry, before)
        except (JournalDamaged, FrameDamaged, HistoryGone) as damage:
            say(f"{registry.value}: what it changes is not known: {damage}")
            return
    for line in changes(earlier, found):
        say(f"{registry.value}: {line}")


def _read_entered(registry: Registry, version: Version) -> object:
    """Return a list as it was read when it was entered."""
    if registry is Registry.SOURCES:
        return read_sources(version.content, is_journalled=True)
    return READERS[registry](version.content)


@contextmanager
def steps() -> Iterator[Callable[[str], None]]:
    """Yield what is told the step that a command is at; on a terminal a bar shows it, and for how long."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=None)
        yield lambda name: bar.update(task, description=name)


def describe(file: Path, error: LineError) -> str:
    """Return an error as compilers write it, so that editors can jump to it."""
    column = f" {error.column}:" if error.column else ""
    character = f":{error.character}" if error.character else ""
    return f"{file}:{error.line}{character}:{column} {error.message}"
