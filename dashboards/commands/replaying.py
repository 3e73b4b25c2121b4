"""Build the state a question needs, with a progress bar where somebody watches."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from phusong.dashboards.commands.exits import fail, say
from phusong.dashboards.commands.options import open_data
from phusong.dashboards.commands.segments import damage_in, holes_in
from phusong.kernels.jit import CACHE_FOLDER, is_compiled
from phusong.verifier.closing import HistoryGone
from phusong.verifier.journal import JournalDamaged, JournalReader
from phusong.verifier.placing import Horizon
from phusong.verifier.quota.ledger_files import Index, missing_pieces, read_index, write_index
from phusong.verifier.quota.ledger_writer import LedgerWriter
from phusong.verifier.quota.settings import QuotaSettings
from phusong.verifier.replay import Progress, build_state, no_progress, rebuild_state, settings_of
from phusong.verifier.snapshot import is_complete, write_snapshot
from phusong.verifier.state import State

# Replaying fewer frames than this takes less time than writing the snapshot.
SNAPSHOT_AFTER_FRAMES = 64


def state_of(data: Path, horizon: Horizon, settings: QuotaSettings | None = None) -> State:
    """Return the state of the journal in `data`, or end with the reason why there is none."""
    open_data(data)
    if not is_compiled():
        say(f"phusong: compiling kernels into {CACHE_FOLDER}; this happens once and takes a minute")
    build = _with_bar if sys.stderr.isatty() else _silently
    try:
        state = build(data, horizon, settings or settings_of(data))
    except JournalDamaged as damage:
        for found in damage_in(data):
            say(f"phusong: damaged: {found}")
        fail(
            f"the journal is damaged at {damage}. Nothing after that frame is used. `phusong journal stat` says what"
            " to put back; do not delete the file."
        )
    except HistoryGone as gone:
        fail(f"{gone}.")
    for hole in holes_in(data):
        say(
            f"phusong: {hole}. These figures come from a snapshot made before; nobody can recompute them here until its"
            " copy is back (`phusong journal restore FILE`)"
        )
    return state


def ledger_of(data: Path) -> Index:
    """Make the files of the quota ledger from the journal, or end with the reason why that cannot be done."""
    open_data(data)
    writer = LedgerWriter(data)
    last = JournalReader(data / "journal").last()
    try:
        with _bar() as progress:
            state = rebuild_state(
                data, Horizon(), settings_of(data), last.sequence, progress, sink=writer
            )
        writer.drain()
        write_index(data, Index(last.sequence, state.ledger.next_close_ms, state.ledger.pieces))
    except JournalDamaged as damage:
        fail(f"the journal is damaged at {damage}. Nothing after that frame is used.")
    except HistoryGone as gone:
        fail(f"{gone}.")
    except OSError as error:
        fail(f"the ledger could not be written: {error}")
    index = read_index(data)
    if index is None or missing_pieces(data, index.pieces):
        fail(
            f"the days before what was pruned cannot be made again in {data / 'derived'}; restore the segments"
            " (`phusong journal restore FILE`), or copy the folder back"
        )
    return index


def _silently(data: Path, horizon: Horizon, settings: QuotaSettings) -> State:
    return _build(data, horizon, settings, no_progress)


def _build(data: Path, horizon: Horizon, settings: QuotaSettings, progress: Progress) -> State:
    applied = 0

    def count(sequence: int, total: int) -> None:
        nonlocal applied
        applied += 1
        progress(sequence, total)

    state = build_state(data, horizon, settings, count)
    if is_complete(state) and applied >= SNAPSHOT_AFTER_FRAMES:
        try:
            write_snapshot(data, state)
        except OSError as error:
            say(f"phusong: no snapshot was written ({error}); the next question takes as long")
    return state


def _with_bar(data: Path, horizon: Horizon, settings: QuotaSettings) -> State:
    with _bar() as progress:
        return _build(data, horizon, settings, progress)


@contextmanager
def _bar() -> Iterator[Progress]:
    """Show how far the journal is read, where somebody watches."""
    if not sys.stderr.isatty():
        yield no_progress
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading the journal", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
