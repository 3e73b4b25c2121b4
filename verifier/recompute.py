"""A snapshot against the state that its frames imply: both are asked the same questions."""

from pathlib import Path
from typing import Any

import numpy as np

from phusong.kernels.days import TIME_MAX_MS
from phusong.kernels.frame import PayloadKind
from phusong.verifier.journal import JournalReader
from phusong.verifier.placing import Horizon
from phusong.verifier.quota.settings import QuotaSettings
from phusong.verifier.replay import Progress, no_progress, rebuild_state
from phusong.verifier.rulings.entries import holding
from phusong.verifier.snapshot import read_snapshot
from phusong.verifier.state import State


def snapshot_differences(
    data: Path, settings: QuotaSettings, progress: Progress = no_progress
) -> list[str] | None:
    """Return what the snapshot answers otherwise than its frames do; None where no snapshot fits this software.

    Raises JournalDamaged where the journal does not hold the frames it was made from.
    """
    found = read_snapshot(data, JournalReader(data / "journal"), Horizon(), settings)
    if found is None:
        return None
    rebuilt = rebuild_state(data, Horizon(), settings, found.position.sequence, progress)
    expected = _answers(rebuilt, rebuilt)
    answers = _answers(found, rebuilt)
    return [
        name
        for name in expected | answers
        if name not in answers or answers[name] != expected.get(name)
    ]


def _answers(state: State, asked: State) -> dict[str, Any]:
    """Return what a state answers, as of the time and for the days of the state `asked`."""
    tallies = state.tallies
    answers: dict[str, Any] = {
        "how far it goes": (state.position, state.time_max_ms, state.received_max_ms),
        "rows received": tallies.received,
        "rows taken": tallies.taken,
        "rows repeated": tallies.duplicate,
        "rows refused": tallies.refused,
        "gaps in sequences": state.windows.gap_count(),
        "days with usage": _days(state),
        "pieces of the ledger": state.ledger.pieces,
        "adjustments not written yet": state.ledger.open_adjustments.tobytes(),
    }
    for name, array in state.unnumbered.export().items():
        answers[f"rows without a sequence, {name}"] = array.tobytes()
    history = state.registries.history
    answers["disputes"] = state.registries.disputes(TIME_MAX_MS)
    answers["rulings"] = holding(history.entered(PayloadKind.RULING, None))
    for row in state.verdicts(asked.time_max_ms):
        answers[f"verdict {row.site_code} {row.operator} {row.technology}"] = row
    for day in _days(asked):
        answers[f"quota of {np.datetime64(day, 'D')}"] = state.quota.day(day)
    return answers


def _days(state: State) -> list[int]:
    return [int(day) for day in state.quota.meter.days()]
