import numpy as np
from signal_frames import SITES, TIME_MS, frame_of, reading

from phusong.kernels.reject import Reject
from phusong.verifier.coverage.rulings import ReadingName, Ruling, Rulings
from phusong.verifier.placing import Horizon
from phusong.verifier.quota.settings import QuotaSettings
from phusong.verifier.registry.entries import RegistryHistory, Version
from phusong.verifier.state import new_state

ENVELOPE, ROW = np.array([0, 0, 2, 2]), np.array([0, 1, 0, 1])


def test_a_reading_is_named_by_frame_envelope_and_row() -> None:
    rulings = Rulings()

    rulings.note(ReadingName(7, 2, 1), Ruling.RELEASED)
    rulings.note(ReadingName(7, 0, 0), Ruling.CONFIRMED)
    rulings.note(ReadingName(8, 0, 1), Ruling.CONFIRMED)

    assert rulings.of_rows(7, ENVELOPE, ROW).tolist() == [2, 0, 0, 1]
    assert rulings.of_rows(9, ENVELOPE, ROW).tolist() == [0, 0, 0, 0]


def test_the_last_ruling_about_a_reading_holds() -> None:
    rulings, reading = Rulings(), ReadingName(7, 0, 0)

    changed = [
        rulings.note(reading, ruling)
        for ruling in (Ruling.CONFIRMED, Ruling.CONFIRMED, Ruling.RELEASED, Ruling.NONE)
    ]

    assert changed == [True, False, True, True]
    assert rulings.of_rows(7, ENVELOPE, ROW).tolist() == [0, 0, 0, 0]


def test_a_reading_an_auditor_confirmed_does_not_count() -> None:
    history = RegistryHistory({"sites": [Version(0, 0, "sites.csv", SITES)]})
    state = new_state(history, Horizon(), QuotaSettings())
    state.registries.rulings.note(ReadingName(1, 1, 1), Ruling.CONFIRMED)

    refusals = state.apply(frame_of(1, [reading()], [reading(), reading(device_key=2)]))

    assert [column.tolist() for column in refusals] == [[1], [1], [1], [Reject.RULED_OUT]]
    assert [row.counts.raw for row in state.verdicts(TIME_MS + 1000)] == [2]
