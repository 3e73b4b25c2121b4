"""`phusong audit export`, and checking what it wrote: evidence that somebody else can recompute."""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import typer

from phusong.dashboards.commands.coverage import coverage_document
from phusong.dashboards.commands.exits import FAILED, NON_COMPLIANT, USAGE, fail, say
from phusong.dashboards.commands.options import now_ms, open_data
from phusong.dashboards.commands.replaying import state_of
from phusong.dashboards.published import differences
from phusong.kernels.note import PublicKey
from phusong.verifier.evidence.checking import Checked, PackDamaged, Progress, check_pack
from phusong.verifier.evidence.selection import select_frames
from phusong.verifier.evidence.writing import NotSignedYet, Signed, write_pack
from phusong.verifier.journal import JournalDamaged, JournalReader, StoredFrame
from phusong.verifier.placing import Horizon
from phusong.verifier.registry.entries import read_registries
from phusong.verifier.signatures import newest_head

SHOWN_COUNT = 50


def export_pack(
    data: Path,
    out: Path,
    wanted: tuple[str | None, str | None],
    horizon: Horizon,
    public: PublicKey,
    progress: Progress,
) -> None:
    """Write the pack of one site, or of all sites of a list, and say its check code."""
    journal = open_data(data) / "journal"
    if out.exists():
        fail(f"{out} is there already; a pack is written into a new folder", USAGE)
    as_of_ms = horizon.as_of_ms
    assert as_of_ms is not None, "a report has a date"
    known_ms = now_ms() if horizon.known_at_ms is None else horizon.known_at_ms
    horizon = Horizon(as_of_ms, known_ms)
    state = state_of(data, horizon)
    site, name = wanted
    rows = [r for r in state.reported(as_of_ms, known_ms) if site in (None, r.site_code)]
    rows = [row for row in rows if name in (None, row.list)]
    if not rows:
        asked = f"site {site!r}" if site is not None else f"list {name!r}"
        fail(f"no {asked} is registered; `phusong coverage --data {data}` lists all", USAGE)
    document = coverage_document(state, rows, as_of_ms, known_ms)
    newest = newest_head([data / "checkpoints"], public)
    if newest is None:
        fail(f"nothing in {data} is signed yet: a service signs within a minute and when it stops")
    frames = _until(journal, state.position.sequence, progress)
    codes = frozenset(row.site_code for row in rows)
    try:
        selected = select_frames(frames, read_registries(journal), horizon, codes, state.coverage)
        signed = Signed(*newest, public, _chains(journal, newest[0].last))
        written = write_pack(out, document, selected, signed)
    except NotSignedYet as late:
        fail(f"{late}. Wait a minute, or stop the service, and export again.", FAILED)
    except (JournalDamaged, OSError, sqlite3.Error) as error:
        fail(f"{out} was not finished: {error}", FAILED)
    typer.echo(
        f"{out}: {len(codes)} sites, {written.reading_count} readings in {written.frame_count} frames"
    )
    typer.echo(f"mã kiểm tra · check code: {written.check_code}")


def verify_pack(folder: Path, public: PublicKey, progress: Progress, *, is_own_key: bool) -> None:
    """Check a pack, recompute its verdicts and compare; end with what differs."""
    try:
        checked = check_pack(folder, public, progress)
    except (PackDamaged, OSError) as damage:
        fail(f"damaged: {damage}. No verdict was recomputed.", FAILED)
    typer.echo(f"mã kiểm tra · check code: {checked.check_code}")
    typer.echo(
        f"frames: {len(checked.manifest.frames)}, each in the journal signed at {checked.head.time}"
    )
    found = pack_differences(checked)
    for line in found[:SHOWN_COUNT]:
        typer.echo(f"differs: {line}")
    if found:
        fail(f"{folder} does not imply its verdicts: {len(found)} fields differ", NON_COMPLIANT)
    typer.echo(
        f"verdicts: {len(checked.published['sites'])} recomputed from these frames alone, all equal"
    )
    say("phusong: that nothing was left out is proven only by the whole journal")
    say(
        "phusong: readings.parquet is for looking at and was not recomputed; compare the check code with the one you were told"
    )
    if is_own_key:
        say(
            "phusong: the public key came from the pack itself; give --public-key to prove it to yourself"
        )


def pack_differences(checked: Checked) -> list[str]:
    """Return where the verdicts of a pack differ from what its frames imply."""
    horizon = checked.state.horizon
    assert horizon.as_of_ms is not None, "a pack has a date"
    assert horizon.known_at_ms is not None, "a pack has a date"
    rows = [
        row
        for row in checked.state.reported(horizon.as_of_ms, horizon.known_at_ms)
        if row.site_code in checked.manifest.sites
    ]
    recomputed = coverage_document(checked.state, rows, horizon.as_of_ms, horizon.known_at_ms)
    # How far the whole journal went says nothing of a part of it.
    recomputed["journal"] = checked.published.get("journal")
    # As a reader of JSON sees it, so that a difference is told in the same words on both sides.
    recomputed = json.loads(json.dumps(recomputed))
    return differences(_without_losses(checked.published), _without_losses(recomputed))


def _without_losses(value: Any) -> Any:
    """Return a document without how many batches were lost: whether others came is not in a part of the journal."""
    if isinstance(value, dict):
        kept = {name: part for name, part in value.items() if name != "lost_batch_count"}
        return {name: _without_losses(part) for name, part in kept.items()}
    return [_without_losses(part) for part in value] if isinstance(value, list) else value


def _until(journal: Path, last: int, progress: Progress) -> Iterator[StoredFrame]:
    for frame in JournalReader(journal).frames(last):
        yield frame
        progress(frame.sequence, last)


def _chains(journal: Path, size: int) -> Iterable[bytes]:
    return (frame.chain for frame in JournalReader(journal).frames(size))
