"""`phusong audit`: whether the journal is the one that was signed, and the figures the ones it implies."""

import json
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from phusong.dashboards.commands.evidence import export_pack, verify_pack
from phusong.dashboards.commands.exits import FAILED, NON_COMPLIANT, USAGE, fail, say
from phusong.dashboards.commands.options import (
    DATA_DEFAULT,
    AsOfOption,
    DataOption,
    KnownAtOption,
    now_ms,
    open_data,
    time_ms,
)
from phusong.dashboards.commands.segments import damage_in
from phusong.dashboards.published import NoReport, report_differences
from phusong.kernels.frame import FrameDamaged
from phusong.kernels.jit import CACHE_FOLDER, is_compiled
from phusong.kernels.note import NoteDamaged, PublicKey
from phusong.verifier.audit import Audit, Progress, audit_journal
from phusong.verifier.closing import HistoryGone, closed_history
from phusong.verifier.evidence.checking import is_pack
from phusong.verifier.journal import JournalDamaged
from phusong.verifier.placing import Horizon
from phusong.verifier.quota.settings import QuotaSettings
from phusong.verifier.recompute import snapshot_differences
from phusong.verifier.replay import no_progress, rebuild_state, settings_of
from phusong.verifier.signatures import read_public_key
from phusong.verifier.state import State

EPILOG = "Exit status: 0 fine, 1 damaged, 2 usage, 3 a report differs."
# Enough to see what kind of difference it is.
SHOWN_COUNT = 50

app = typer.Typer(
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    add_completion=False,
    help="Prove the journal and the figures made from it.",
)


@app.callback()
def audit_options() -> None:
    """Prove the journal and the figures made from it."""


@app.command(epilog=EPILOG)
def verify(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="A data folder, or a copy of one.")
    ],
    public_key: Annotated[
        Path | None,
        typer.Option("--public-key", help="The key you were given. Default: DIR/keys/journal.pub."),
    ] = None,
    checkpoints: Annotated[
        list[Path] | None,
        typer.Option("--checkpoints", help="Also hold it to these copies of signed heads."),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option("--report", help="A report in JSON, to be recomputed and compared."),
    ] = None,
) -> None:
    """Check chain, roots, signatures and snapshot; recompute a published report, or an evidence pack.

    Examples:

        phusong audit verify DIR --public-key journal.pub --checkpoints copies/

        phusong audit verify DIR --report coverage-2021-12-31.json

        phusong audit verify PACK --public-key journal.pub
    """
    if is_pack(directory):
        public = _public_key(public_key or directory / "journal.pub")
        with _bar("frames and proofs") as progress:
            verify_pack(directory, public, progress, is_own_key=public_key is None)
        return
    data = open_data(directory)
    public = _public_key(public_key or data / "keys" / "journal.pub")
    published = None if report is None else _report(report)
    copies = list(checkpoints or [])
    for path in copies:
        if not path.exists():
            fail(f"--checkpoints: {path} is not there", USAGE)
    try:
        with _bar("chain, roots and signatures") as progress:
            audit = audit_journal(
                data / "journal", [data / "checkpoints", *copies], public, progress
            )
        _tell(audit, data, is_own_key=public_key is None)
        _check_state(data, audit.position.sequence)
        if report is not None and published is not None:
            _check_report(data, report, published)
    except (JournalDamaged, FrameDamaged, sqlite3.Error, OSError) as error:
        _tell_segments(data)
        fail(f"damaged: {error}", FAILED)
    except HistoryGone as gone:
        fail(f"{gone}.", FAILED)


@app.command(epilog="Exit status: 0 fine, 1 failed, 2 usage.")
def export(
    directory: Annotated[
        Path, typer.Argument(metavar="PACK", help="A new folder for the evidence.")
    ],
    data: DataOption = DATA_DEFAULT,
    site: Annotated[str | None, typer.Option("--site", help="The pack of this site.")] = None,
    name: Annotated[
        str | None, typer.Option("--list", help="The pack of all sites of this list.")
    ] = None,
    as_of: AsOfOption = None,
    known_at: KnownAtOption = None,
) -> None:
    """Write the evidence behind the verdicts of a site or list, for somebody else to recompute.

    Examples:

        phusong audit export pack-HG-0017 --site HG-0017 --as-of 2021-12-31 --data DIR

        phusong audit export pack-283 --list 283 --data DIR
    """
    if (site is None) == (name is None):
        fail("give one of --site CODE and --list NAME", USAGE)
    as_of_ms = now_ms() if as_of is None else time_ms(as_of, "--as-of")
    known_ms = None if known_at is None else time_ms(known_at, "--known-at")
    public = _public_key(open_data(data) / "keys" / "journal.pub")
    with _bar("frames of the journal") as progress:
        export_pack(data, directory, (site, name), Horizon(as_of_ms, known_ms), public, progress)


def _tell(audit: Audit, data: Path, *, is_own_key: bool) -> None:
    if audit.damage:
        for line in audit.damage:
            typer.echo(f"damaged: {line}")
        _tell_segments(data)
        fail(
            f"{data}: the journal is not the one that was signed ({len(audit.damage)} found). Nothing was"
            " changed; no figure was recomputed. Compare with a copy.",
            FAILED,
        )
    sequence = audit.position.sequence
    if audit.gone_sequence:
        typer.echo(
            f"gone: sequence 1 to {audit.gone_sequence} are gone since {audit.gone_time} (journal prune); the roots of their"
            f" {audit.gone_count} segments are signed here"
        )
        say(
            f"phusong: not checked: the frames 1 to {audit.gone_sequence} themselves, and {audit.unchecked_count} signed heads"
            " of them; figures begin with the state signed then. With copies of the segments all can be checked"
            " (`phusong journal restore FILE`)"
        )
    checked = sequence - audit.gone_sequence
    typer.echo(f"chain holds: {checked} frames, {audit.position.chain.hex()}")
    typer.echo(
        f"segments: {audit.sealed_count} sealed and signed, {audit.unsealed_count} not sealed"
    )
    typer.echo(
        f"heads: {audit.head_count} signed, each a prefix; the last at sequence {audit.signed_sequence}"
    )
    if sequence > audit.signed_sequence:
        say(f"phusong: {sequence - audit.signed_sequence} frames came after the last signed head")
    if is_own_key:
        say(
            "phusong: the public key came from the folder itself; give --public-key, and --checkpoints copied"
            " earlier, to prove it to yourself"
        )


def _check_state(data: Path, last_sequence: int) -> None:
    """Judge everything again from the first frame there is, and hold the snapshot to it where there is one."""
    is_closed = closed_history(data) is not None
    origin = "the signed closing state and the journal" if is_closed else "the journal alone"
    if not is_compiled():
        say(f"phusong: compiling kernels into {CACHE_FOLDER}; this happens once and takes a minute")
    settings = settings_of(data)
    with _bar("state behind the snapshot") as progress:
        differences = snapshot_differences(data, settings, progress)
    if differences:
        _list(differences)
        fail(f"the snapshot in {data} is not what the journal implies: delete it", FAILED)
    if differences is None:
        with _bar("state from the journal alone") as progress:
            rebuild_state(data, Horizon(), settings, last_sequence, progress)
        typer.echo(f"state: recomputed from {origin}; there is no snapshot of this software")
    else:
        typer.echo(f"state: recomputed from {origin}; the snapshot equals it")


def _check_report(data: Path, path: Path, published: dict[str, Any]) -> None:
    settings = _report_settings(path, published) or settings_of(data)

    def build(horizon: Horizon, until_sequence: int | None) -> State:
        with _bar("state behind the report") as progress:
            last = 2**62 if until_sequence is None else until_sequence
            return rebuild_state(data, horizon, settings, last, progress)

    try:
        differences = report_differences(published, build)
    except NoReport as error:
        fail(f"--report {path}: {error}", USAGE)
    if differences:
        _list(differences)
        fail(
            f"{path} is not what the journal implies: {len(differences)} fields differ",
            NON_COMPLIANT,
        )
    typer.echo(f"report: {path} equals the one recomputed, field by field")


def _report_settings(path: Path, published: dict[str, Any]) -> QuotaSettings | None:
    """Return the quota a report says it was made with: it is recomputed under that; None for a report about none."""
    if "quota_bytes" not in published:
        return None
    try:
        return QuotaSettings(int(published["quota_bytes"]))
    except (TypeError, ValueError) as error:
        fail(f"--report {path}: {error}", USAGE)


def _tell_segments(data: Path) -> None:
    """Name the sealed segments that are not what was sealed, and what to do: the chain breaks only behind them."""
    damaged = damage_in(data)
    for found in damaged:
        typer.echo(f"damaged: {found}")
    if damaged:
        say(
            "phusong: put copies back with `phusong journal restore FILE`; the signed note proves each"
        )


def _list(differences: list[str]) -> None:
    for line in differences[:SHOWN_COUNT]:
        typer.echo(f"differs: {line}")
    if len(differences) > SHOWN_COUNT:
        typer.echo(f"differs: and {len(differences) - SHOWN_COUNT} more")


def _public_key(path: Path) -> PublicKey:
    try:
        return read_public_key(path)
    except FileNotFoundError:
        fail(
            f"no public key at {path}; a journal has one from the first time it is written on",
            USAGE,
        )
    except (OSError, NoteDamaged) as error:
        fail(f"{path}: {error}", USAGE)


def _report(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        fail(f"--report {path}: {error}", USAGE)
    if not isinstance(document, dict):
        fail(f"--report {path}: no report", USAGE)
    return document


@contextmanager
def _bar(doing: str) -> Iterator[Progress]:
    """Show how far it is, where somebody watches."""
    if not sys.stderr.isatty():
        yield no_progress
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(doing, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
