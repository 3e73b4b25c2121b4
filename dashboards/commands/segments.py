"""`phusong journal isolate` and `restore`: damaged segments aside, copies of segments back."""

from pathlib import Path
from typing import Annotated

import typer

from phusong.collector.journal.isolation import NotDone
from phusong.collector.journal.isolation import isolate as isolate_segment
from phusong.collector.journal.isolation import restore as restore_segment
from phusong.collector.journal.survey import Damage, all_damage, survey
from phusong.dashboards.commands.exits import FAILED, USAGE, fail
from phusong.dashboards.commands.options import (
    DATA_DEFAULT,
    DataOption,
    iso_text,
    now_ms,
    open_data,
)
from phusong.kernels.note import NoteDamaged, PublicKey
from phusong.verifier.signatures import read_public_key


def isolate(
    segment: Annotated[int, typer.Argument(min=1, help="Number of the damaged segment.")],
    data: DataOption = DATA_DEFAULT,
) -> None:
    """Move a damaged sealed segment to journal/damaged; its signed note stays, and says what it held.

    Example: phusong journal isolate 7 --data DIR
    """
    folder = open_data(data) / "journal"
    try:
        target = isolate_segment(folder, segment, published_key(data), iso_text(now_ms()) or "")
    except NotDone as reason:
        fail(str(reason), USAGE)
    except OSError as error:
        fail(str(error), FAILED)
    typer.echo(
        f"segment {segment} lies in {target} now; figures come from a snapshot behind it, with a warning, or go no"
        " further than the frames before it"
    )
    typer.echo("put its copy back with `phusong journal restore FILE`")


def restore(
    file: Annotated[
        Path, typer.Argument(help="Copy of a sealed segment: segment-00000007.sqlite.zst.")
    ],
    data: DataOption = DATA_DEFAULT,
) -> None:
    """Put the copy of a sealed segment back, when the signed note proves that it is the one.

    Example: phusong journal restore /backup/segment-00000007.sqlite.zst --data DIR
    """
    folder = open_data(data) / "journal"
    try:
        head = restore_segment(folder, file, published_key(data))
    except NotDone as reason:
        fail(str(reason), FAILED)
    except OSError as error:
        fail(str(error), FAILED)
    typer.echo(
        f"segment {head.segment} is back: sequence {head.first} to {head.last}, as signed at {head.time}"
    )


def damage_in(data: Path) -> list[Damage]:
    """Return the sealed segments that are not what was sealed; reads them all. None are looked for without a key."""
    try:
        return all_damage(data / "journal", read_public_key(data / "keys" / "journal.pub"))
    except (OSError, NoteDamaged):
        return []


def holes_in(data: Path) -> list[Damage]:
    """Return the sealed segments whose file or note is not there, without reading any. None are looked for without a key."""
    try:
        return survey(data / "journal", read_public_key(data / "keys" / "journal.pub"))
    except (OSError, NoteDamaged):
        return []


def published_key(data: Path) -> PublicKey:
    """Return the public key beside a journal, or end with what to do when there is none."""
    path = data / "keys" / "journal.pub"
    try:
        return read_public_key(path)
    except (OSError, NoteDamaged) as error:
        fail(f"no public key at {path} ({error}); put the one you were given there", USAGE)
