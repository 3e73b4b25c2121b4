"""From the journal to a state: from a snapshot where one fits, else from the first frame."""

from collections.abc import Callable
from pathlib import Path

from phusong.verifier.closing import closed_history, closed_settings, starting_state
from phusong.verifier.journal import JournalReader, Position
from phusong.verifier.placing import Horizon
from phusong.verifier.quota.ledger import Sink
from phusong.verifier.quota.settings import QuotaSettings
from phusong.verifier.registry.entries import read_registries
from phusong.verifier.snapshot import read_snapshot, written_settings
from phusong.verifier.state import RegistriesChanged, State, new_state

Progress = Callable[[int, int], None]


def no_progress(_applied: int, _total: int) -> None:
    """Say nothing."""


def settings_of(data: Path) -> QuotaSettings:
    """Return the settings in force in a data folder: those of its snapshot, else of what stands for pruned frames.

    Whoever serves decides them, in the configuration, and every state that is written down holds them.
    """
    return written_settings(data) or closed_settings(data) or QuotaSettings()


def build_state(
    data: Path,
    horizon: Horizon,
    settings: QuotaSettings,
    progress: Progress = no_progress,
    *,
    sink: Sink | None = None,
) -> State:
    """Return the state of the journal in `data` as it stands now, within a horizon.

    sink: is given what the quota ledger closes on the way, which is all of it only where no snapshot helps.

    Raises JournalDamaged where the chain breaks, HistoryGone where frames are needed that were pruned.
    """
    reader = JournalReader(data / "journal")
    last = reader.last()
    state = read_snapshot(data, reader, horizon, settings)
    if state is None:
        state = starting_state(data, horizon, settings)
    state.ledger.sink = sink
    return _complete(state, data, last.sequence, progress)


def rebuild_state(
    data: Path,
    horizon: Horizon,
    settings: QuotaSettings,
    until_sequence: int,
    progress: Progress = no_progress,
    *,
    sink: Sink | None = None,
) -> State:
    """Return the state up to a sequence from the journal alone, whatever snapshot there is; sink: as in `build_state`.

    Raises JournalDamaged where the chain breaks, HistoryGone where frames are needed that were pruned.
    """
    state = starting_state(data, horizon, settings)
    state.ledger.sink = sink
    return _complete(state, data, until_sequence, progress)


def closing_state(data: Path, settings: QuotaSettings, last_sequence: int) -> State:
    """Return the state after a frame that is to stand for it and those before, judged by all lists in the journal.

    Also by those that came later: a later list judges all readings again, which nobody can do once they are gone.
    Raises as `rebuild_state`.
    """
    if closed_history(data) is None:
        state = new_state(read_registries(data / "journal"), Horizon(), settings)
    else:
        state = starting_state(data, Horizon(), settings)  # no list could be entered since
    return _complete(state, data, last_sequence, no_progress)


def _complete(state: State, data: Path, until_sequence: int, progress: Progress) -> State:
    horizon, settings = state.horizon, state.quota.settings
    while True:
        try:
            return advance(state, data, until_sequence, progress)
        except RegistriesChanged as change:
            closed = closed_history(data)
            if closed is not None:
                raise closed.gone(str(change)) from change
            # Read all of them first, so that there is no third time.
            history = read_registries(data / "journal", until_sequence)
            sink = state.ledger.sink
            state = new_state(history, horizon, settings)
            state.ledger.sink = sink


def advance(
    state: State, data: Path, until_sequence: int | None, progress: Progress = no_progress
) -> State:
    """Apply the frames after the state's position. Raises RegistriesChanged, JournalDamaged."""
    reader = JournalReader(data / "journal", Position(*state.position))
    for frame in reader.frames(until_sequence):
        state.apply(frame)
        progress(frame.sequence, until_sequence or frame.sequence)
    return state
