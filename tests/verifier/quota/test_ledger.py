"""Days close once, at the same frame for everybody, and what comes later is a signed adjustment."""

import random
from collections.abc import Callable

import numpy as np
from frames import usage_frame
from hypothesis import given, settings
from hypothesis import strategies as st

from phusong.verifier.journal import StoredFrame
from phusong.verifier.placing import Horizon
from phusong.verifier.quota import ledger as ledgers
from phusong.verifier.quota.ledger import Ledger
from phusong.verifier.quota.ledger_pieces import CLOSE_GRACE_MS, Cause, Written, day_digest
from phusong.verifier.quota.settings import QuotaSettings
from phusong.verifier.registry.entries import RegistryHistory
from phusong.verifier.state import new_state
from reference import closing as reference
from reference.usage import (
    CUMULATIVE,
    DAY_MS,
    DELTA,
    FIRST_OF_OCTOBER,
    HOUR_MS,
    MIDNIGHT_MS,
    MINUTE_MS,
    ZERO_RATED,
    Usage,
)

TODAY = FIRST_OF_OCTOBER
NOON_MS = MIDNIGHT_MS + 12 * HOUR_MS
CLOSE_MS = MIDNIGHT_MS + DAY_MS + CLOSE_GRACE_MS  # when 1 October closes
# SHA-256 of 39 SIMs with 5 bytes each, layout 1.
GOLDEN = "1e1c8cf79f2937b1cfd775ce3ba6bc8744fcc5d6ce9e64dfafbe7efefe9cb0f8"
Frames = list[tuple[int, list[Usage]]]


class Kept:
    """What a state's ledger handed over, and what still waits in it."""

    def __init__(self) -> None:
        self.state = new_state(RegistryHistory(), Horizon(), QuotaSettings())
        self.written: list[Written] = []
        self.state.ledger.sink = self.take

    def take(self, _ledger: Ledger, _sequence: int, written: list[Written]) -> None:
        self.written += written

    def apply(self, *frames: StoredFrame) -> "Kept":
        for frame in frames:
            self.state.apply(frame)
        return self

    @property
    def closings(self) -> dict[int, tuple[int, dict[int, tuple[int, ...]]]]:
        found: dict[int, tuple[int, dict[int, tuple[int, ...]]]] = {}
        for piece, rows in self.written:
            if piece.is_closing:
                entries = found.setdefault(piece.ict_day, (piece.sequence, {}))[1]
                entries |= {sim: tuple(sums) for sim, *sums in rows.tolist() if any(sums)}
        return found

    @property
    def adjustments(self) -> list[tuple[int, int, int, tuple[int, ...]]]:
        found = [
            (piece.ict_day, sim, sequence, tuple(change))
            for piece, rows in self.written
            if not piece.is_closing
            for sim, *change, sequence, _, _ in rows.tolist()
        ]
        waiting = self.state.ledger.open_adjustments.tolist()
        found += [
            (day, sim, sequence, tuple(change)) for sim, *change, sequence, _, _, day in waiting
        ]
        return sorted(found, key=lambda row: (row[2], row[0], row[1]))


def keep(*frames: tuple[int, list[Usage]]) -> Kept:
    return Kept().apply(
        *(usage_frame(number, time_ms, rows) for number, (time_ms, rows) in enumerate(frames, 1))
    )


gaps = st.integers(10_000, 9 * HOUR_MS) | st.integers(DAY_MS, 2 * DAY_MS)


@st.composite
def counters(draw: Callable) -> list[Usage]:
    """Reports of one counter, or deltas, over some days, the later not lower."""
    sim = draw(st.integers(-1, 3))
    kind = draw(st.sampled_from([CUMULATIVE, DELTA]))
    traffic = draw(st.sampled_from([1, ZERO_RATED]))
    time_ms, total, rows = MIDNIGHT_MS - 2 * DAY_MS, 0, []
    for gap_ms, more in draw(st.lists(st.tuples(gaps, st.integers(1, 2**32)), max_size=6)):
        start_ms, time_ms, total = time_ms, time_ms + gap_ms, total + more
        rows.append(
            Usage(
                time_ms,
                down=more if kind == DELTA else total,
                start_ms=start_ms if kind == DELTA else None,
                sim=sim or -5,
                kind=kind,
                traffic=traffic,
            )
        )
    return rows


@st.composite
def histories(draw: Callable) -> Frames:
    """Frames in the order of their arrival; readings in none."""
    found = enumerate(draw(st.lists(counters(), max_size=3)))
    rows = [row._replace(session=k) for k, rows in found for row in rows]
    random.Random(draw(st.integers(0, 2**32))).shuffle(rows)
    frames, time_ms = [], MIDNIGHT_MS - DAY_MS
    while rows:
        time_ms += draw(st.integers(0, 14 * HOUR_MS))
        count = draw(st.integers(1, 4))
        frames.append((time_ms, rows[:count]))
        rows = rows[count:]
    return [*frames, (time_ms + 4 * DAY_MS, [])]


@settings(deadline=None, max_examples=60)
@given(histories())
def test_closings_and_adjustments_are_those_of_a_clerk_who_adds_everything_up_anew(
    frames: Frames,
) -> None:
    kept = keep(*frames)

    closings, adjustments = reference.keep(frames, CLOSE_GRACE_MS)
    assert kept.closings == closings
    assert kept.adjustments == sorted(adjustments, key=lambda row: (row[2], row[0], row[1]))


@settings(deadline=None, max_examples=30)
@given(histories(), st.integers(0, 12))
def test_a_ledger_that_was_written_down_in_between_closes_the_same(
    frames: Frames, cut: int
) -> None:
    stored = [usage_frame(number, *frame) for number, frame in enumerate(frames, 1)]
    whole = Kept().apply(*stored)

    first, second = Kept().apply(*stored[:cut]), Kept()
    for part in ("quota", "windows", "ledger"):
        getattr(second.state, part).restore(getattr(first.state, part).export())
    second.state.position, second.state.sources = first.state.position, first.state.sources
    second.state.quota.watch_days(second.state.ledger.watched)
    second.apply(*stored[cut:])

    assert second.state.ledger.pieces == whole.state.ledger.pieces
    assert same([*first.written, *second.written], whole.written)


def same(one: list[Written], other: list[Written]) -> bool:
    return [piece for piece, _ in one] == [piece for piece, _ in other] and all(
        np.array_equal(a, b) for (_, a), (_, b) in zip(one, other, strict=True)
    )


def test_a_day_closes_six_hours_after_midnight_before_the_frame_that_comes_then() -> None:
    rows = [Usage(NOON_MS, down=5)]

    early = keep((NOON_MS, rows), (CLOSE_MS - 1, [Usage(NOON_MS + 1, down=9)]))
    late = keep((NOON_MS, rows), (CLOSE_MS, [Usage(NOON_MS + 1, down=9)]))

    assert early.closings == {}
    assert late.closings == {TODAY: (1, {7: (5, 0, 0)})}
    assert late.adjustments == [(TODAY, 7, 2, (4, 0, 0))]


def test_days_first_heard_of_after_they_would_have_closed_wait_for_the_rest_of_them() -> None:
    import_ms = CLOSE_MS + 30 * DAY_MS

    kept = keep(
        (import_ms, [Usage(NOON_MS, down=5)]),
        (import_ms + CLOSE_GRACE_MS - 1, [Usage(NOON_MS + 1, down=9)]),
        (import_ms + CLOSE_GRACE_MS, []),
    )

    assert kept.closings == {TODAY: (2, {7: (9, 0, 0)})}
    assert kept.adjustments == []


def test_a_split_that_is_mended_takes_back_from_the_closed_day() -> None:
    kept = keep(
        (NOON_MS, [Usage(MIDNIGHT_MS + DAY_MS - HOUR_MS, down=100)]),
        (CLOSE_MS - 1, [Usage(MIDNIGHT_MS + DAY_MS + HOUR_MS, down=900)]),
        (CLOSE_MS, [Usage(MIDNIGHT_MS + DAY_MS - 1, down=150)]),
    )

    assert kept.closings == {TODAY: (2, {7: (500, 400, 0)})}
    assert kept.adjustments == [(TODAY, 7, 3, (-350, -400, 0))]


def test_readings_that_change_nothing_make_no_adjustment() -> None:
    rows = [Usage(NOON_MS, down=5)]

    kept = keep((NOON_MS, rows), (CLOSE_MS, rows))

    assert kept.adjustments == []


def test_every_adjustment_says_when_it_was_known_and_why() -> None:
    kept = keep((NOON_MS, [Usage(NOON_MS, down=5)]), (CLOSE_MS + 3, [Usage(NOON_MS + 1, down=6)]))

    assert kept.state.ledger.open_adjustments.tolist() == [
        [7, 1, 0, 0, 2, CLOSE_MS + 3, Cause.LATE, TODAY]
    ]
    assert (kept.state.ledger.closed_day_count, kept.state.ledger.adjustment_count) == (1, 1)


def test_the_hash_of_a_day_knows_every_byte_of_every_sim() -> None:
    def digest(used: int, sim: int) -> str:
        kept = keep((NOON_MS, [Usage(NOON_MS, down=used, sim=sim)]), (CLOSE_MS, []))
        return day_digest(kept.state.ledger.pieces)

    assert digest(5, 7) == digest(5, 7)
    assert len({digest(5, 7), digest(6, 7), digest(5, 8)}) == 3


def test_hashes_of_this_format_never_change() -> None:
    kept = keep(
        (NOON_MS, [Usage(NOON_MS, down=5, sim=sim) for sim in range(1, 40)]), (CLOSE_MS, [])
    )

    assert day_digest(kept.state.ledger.pieces) == GOLDEN


def test_how_readings_are_cut_into_batches_changes_no_hash() -> None:
    rows = [Usage(NOON_MS + k * MINUTE_MS, down=k + 1, sim=1 + k % 5) for k in range(40)]

    whole = keep((NOON_MS, rows), (CLOSE_MS, []))
    parts = keep(*((NOON_MS, [row]) for row in reversed(rows)), (CLOSE_MS, []))

    assert day_digest(whole.state.ledger.pieces) == day_digest(parts.state.ledger.pieces)


def test_a_flood_of_late_data_does_not_wait_in_memory_for_the_next_day(monkeypatch) -> None:
    monkeypatch.setattr(ledgers, "ADJUSTMENT_COUNT_MAX", 2)
    late = [Usage(NOON_MS, down=1, sim=sim) for sim in (2, 3, 4)]

    kept = keep((NOON_MS, [Usage(NOON_MS, down=5)]), (CLOSE_MS, late), (CLOSE_MS + 1, []))

    assert not len(kept.state.ledger.open_adjustments)
    assert len(kept.adjustments) == 3
    assert kept.state.ledger.adjustment_count == 3


def test_a_journal_that_begins_late_opens_no_day_before_it() -> None:
    kept = keep((CLOSE_MS, []))

    assert kept.state.ledger.watched == TODAY
    assert kept.written == []
