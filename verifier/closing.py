"""A journal whose oldest frames were taken away: what stands for them, and what can no longer be asked.

`phusong journal prune` leaves `closing-*.notes` (signed: the head of the journal there, and two digests) and `closing-*.state` (the
state after the last frame that is gone). A state is then built from there on. What would need the frames themselves is refused and
never answered without them.
"""

import hashlib
from pathlib import Path
from typing import NamedTuple

from phusong.kernels.closing import Closing, decode_closing_file
from phusong.kernels.note import Head, NoteDamaged, PublicKey
from phusong.verifier.journal import JournalDamaged, Position, first_sequence_in
from phusong.verifier.placing import Horizon
from phusong.verifier.quota.settings import QuotaSettings
from phusong.verifier.registry.entries import RegistryHistory
from phusong.verifier.sealed import segments
from phusong.verifier.signatures import check_signed, read_public_key
from phusong.verifier.snapshot import PARTS, WrittenState
from phusong.verifier.state import State, new_state


class HistoryGone(Exception):
    """A question needs frames that were pruned. Says which, and how to bring them back."""


class ClosedHistory(NamedTuple):
    """How far the frames that are gone went, and what stands for them."""

    head: Head
    closing: Closing
    state_path: Path

    @property
    def position(self) -> Position:
        """Where a reader starts."""
        return Position(self.head.last, self.head.chain)

    def gone(self, why: str) -> HistoryGone:
        """Return the refusal of a question."""
        return HistoryGone(
            f"sequence 1 to {self.head.last} were pruned on {self.closing.time}, and this needs them: {why}."
            " Put the copies of their segments back (`phusong journal restore FILE`) and ask again"
        )


def closed_history(data: Path, public: PublicKey | None = None) -> ClosedHistory | None:
    """Return what stands for frames that were pruned, None where the journal begins with its first frame.

    `public` is the key to trust, by default the one beside the journal. Raises JournalDamaged, OSError.
    """
    folder = data / "journal"
    first = first_sequence_in(folder)
    if first <= 1:
        return None
    paths = sorted(folder.glob("closing-*.notes"))
    path = next((path for path in paths if int(path.stem[len("closing-") :]) >= first - 1), None)
    if path is None:
        raise JournalDamaged(
            f"{segments(folder)[0].name}: sequence 1 to {first - 1} are missing before it: their segments are gone, and"
            " nothing signed stands for them"
        )
    try:
        found = decode_closing_file(path.read_bytes())
        for note in found.notes:
            check_signed(note, public or read_public_key(data / "keys" / "journal.pub"))
    except NoteDamaged as damage:
        raise JournalDamaged(f"{path.name}: {damage}") from damage
    return ClosedHistory(found.head, found.closing, path.with_suffix(".state"))


def starting_state(data: Path, horizon: Horizon, settings: QuotaSettings) -> State:
    """Return the state before the first frame that is there.

    Raises HistoryGone where it would have to be another one than was signed, JournalDamaged, OSError.
    """
    closed = closed_history(data)
    if closed is None:
        return new_state(RegistryHistory(), horizon, settings)
    written = _written(closed)
    reason = written.unfit(horizon, settings)
    if reason is None and not _is_readable(written, settings):
        reason = f"this software cannot read the state written by {closed.closing.software}"
    if reason is not None:
        raise closed.gone(reason)
    return written.state(horizon, settings)


def closed_settings(data: Path) -> QuotaSettings | None:
    """Return the settings that what stands for pruned frames was made with, None where nothing was pruned."""
    closed = closed_history(data)
    return None if closed is None else _written(closed).settings


def registries_before(data: Path) -> tuple[RegistryHistory, Position]:
    """Return the lists known from frames that are gone, and where to read on."""
    closed = closed_history(data)
    if closed is None:
        return RegistryHistory(), Position()
    return _written(closed).history(), closed.position


def _written(closed: ClosedHistory) -> WrittenState:
    try:
        content = closed.state_path.read_bytes()
    except FileNotFoundError as error:
        raise closed.gone(f"{closed.state_path.name} is gone as well") from error
    if hashlib.sha256(content).digest() != closed.closing.state:
        raise JournalDamaged(f"{closed.state_path.name} is not the state that was signed")
    return WrittenState.of(content)


def _is_readable(written: WrittenState, settings: QuotaSettings) -> bool:
    """Tell whether its arrays are those of this software: another one may keep other things."""
    empty = new_state(RegistryHistory(), Horizon(), settings)
    expected = {
        f"{part}.{name}": array.dtype
        for part in PARTS
        for name, array in getattr(empty, part).export().items()
    }
    found = {
        name: array.dtype
        for name, array in written.arrays.items()
        if not name.startswith("registry.")
    }
    return found == expected
