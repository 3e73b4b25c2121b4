"""`phusong journal export-checkpoints` and `prune`: what proves old frames goes elsewhere, then the frames may go."""

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from phusong.collector.journal.checkpoint import Signer
from phusong.collector.journal.isolation import NotDone
from phusong.collector.journal.retention import (
    Candidate,
    ClosingContent,
    Kept,
    export_checkpoints,
    only_one,
    prunable,
    prune,
)
from phusong.collector.journal.segment import JournalDamaged
from phusong.collector.memory import encode_memory, recover
from phusong.dashboards.commands.configuration import read_configuration
from phusong.dashboards.commands.exits import FAILED, USAGE, fail, say
from phusong.dashboards.commands.options import (
    DATA_DEFAULT,
    DataOption,
    iso_text,
    now_ms,
    open_data,
)
from phusong.dashboards.commands.segments import published_key
from phusong.dashboards.commands.version import software
from phusong.kernels.frame import FrameDamaged
from phusong.verifier.closing import HistoryGone
from phusong.verifier.journal import JournalDamaged as ReadDamaged
from phusong.verifier.quota.settings import QuotaSettings
from phusong.verifier.replay import closing_state
from phusong.verifier.snapshot import encode_state, snapshot_settings

BROKEN = (JournalDamaged, ReadDamaged, FrameDamaged, HistoryGone, sqlite3.Error, OSError)


def export(
    folder: Annotated[Path, typer.Argument(help="Where copies are kept, on another machine.")],
    data: DataOption = DATA_DEFAULT,
) -> None:
    """Copy signed heads, notes of segments and the public key elsewhere, and remember that.

    Example: phusong journal export-checkpoints /mnt/auditor/phusong --data DIR
    """
    public = published_key(open_data(data))
    try:
        exported = export_checkpoints(data, folder, public, iso_text(now_ms()) or "")
    except NotDone as reason:
        fail(str(reason), USAGE)
    except OSError as error:
        fail(str(error), FAILED)
    typer.echo(
        f"heads, public key and the notes of {len(exported)} sealed segments are in {folder}"
    )
    typer.echo(
        "keep them where the owner of this machine cannot change them: they prove what is pruned here"
    )


def prune_segments(
    data: DataOption = DATA_DEFAULT,
    before: Annotated[
        str | None, typer.Option("--before", help="Segments sealed before this day, 2021-12-31.")
    ] = None,
    keep_days: Annotated[
        int | None, typer.Option("--keep-days", min=0, help="Segments sealed longer ago.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option("-c", "--config", help="TOML file of the service: its quota.")
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Delete. Without it, say what would go.")
    ] = False,
) -> None:
    """Delete old sealed segments whose checkpoints were exported; a signed state stands for them from then on.

    Examples:

        phusong journal prune --keep-days 400 --data DIR

        phusong journal prune --before 2021-12-31 --yes --data DIR

    What cannot be asked any more without the copies of the segments: docs/journal.md.
    """
    cutoff = _cutoff(before, keep_days)
    public = published_key(open_data(data))
    try:
        with only_one(data / "journal"):
            candidates, kept = prunable(data, public, cutoff)
            _tell(candidates, kept)
            if not candidates:
                if kept is None or kept.is_young:  # as on most nights
                    say("phusong: nothing is old enough; nothing was deleted")
                    return
                fail("nothing was deleted", FAILED)
            if not yes:
                say(
                    "phusong: nothing was deleted. Give --yes to delete these segments; copy them away before."
                )
                return
            signer = Signer.of(data, public.name.removeprefix("phusong/"))
            prune(
                data,
                candidates,
                _content(data, candidates, config),
                signer,
                iso_text(now_ms()) or "",
            )
    except NotDone as reason:
        fail(str(reason), FAILED)
    except BROKEN as error:
        fail(f"{error}. Nothing is lost; give the command again when it is mended.", FAILED)
    last = candidates[-1].head.last
    typer.echo(
        f"gone: sequence {candidates[0].head.first} to {last}. What they implied is signed in journal/closing-{last:020d}.notes"
    )


def _cutoff(before: str | None, keep_days: int | None) -> str:
    if (before is None) == (keep_days is None):
        fail("give one of --before and --keep-days", USAGE)
    if keep_days is not None:
        moment = datetime.fromtimestamp(now_ms() / 1000, tz=UTC) - timedelta(days=keep_days)
        return iso_text(round(moment.timestamp() * 1000)) or ""
    try:
        return datetime.strptime(str(before), "%Y-%m-%d").replace(tzinfo=UTC).strftime("%Y-%m-%d")
    except ValueError:
        fail(f"--before: {before!r} is no day; expected 2021-12-31", USAGE)


def _tell(candidates: list[Candidate], kept: Kept | None) -> None:
    for candidate in candidates:
        head = candidate.head
        typer.echo(
            f"segment {head.segment}\tsequence {head.first} to {head.last}\tsealed {head.time}\t{candidate.size_bytes} bytes"
        )
    if kept is not None:
        typer.echo(f"from segment {kept.segment} on all are kept: {kept.reason}")


def _content(data: Path, candidates: list[Candidate], config: Path | None) -> ClosingContent:
    layered = read_configuration(config, {})
    if isinstance(layered, list):
        fail("; ".join(layered), USAGE)
    last = candidates[-1].head
    settings = QuotaSettings(quota_bytes=layered.configuration.quota_bytes)
    if snapshot_settings(data) not in (None, settings.digest):
        fail(
            "figures were made here with another quota, and could not be made with that any more: give the -c FILE"
            " that the service is started with. Nothing was deleted",
            USAGE,
        )
    state = closing_state(data, settings, last.last)
    memory = recover(data / "journal", last.last)
    return ClosingContent(encode_state(state), encode_memory(memory, last.chain), software())
