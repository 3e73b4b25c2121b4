import random
from collections.abc import Callable
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from reference import quota as reference
from reference.metering import accounts, add, crossings, meter_of, used
from reference.usage import (
    CUMULATIVE,
    DAY_MS,
    DELTA,
    HOUR_MS,
    METERED,
    MIDNIGHT_MS,
    MINUTE_MS,
    START,
    ZERO_RATED,
    Usage,
)

MASK = 2**32 - 1

gaps = st.integers(10_000, 5 * HOUR_MS) | st.integers(DAY_MS, 4 * DAY_MS)
reports = st.tuples(gaps, st.integers(0, 2**31), st.integers(0, 2**32 - 1), st.booleans())


@st.composite
def counters(draw: Callable) -> list[Usage]:
    """One counter: its reports in the order in which they were made, over one or two lives."""
    has_age, width = draw(st.booleans()), draw(st.sampled_from([64, 32]))
    sim, traffic = draw(st.integers(1, 3)), draw(st.sampled_from([METERED, ZERO_RATED]))
    time_ms = MIDNIGHT_MS - draw(st.integers(0, 30)) * HOUR_MS
    history: list[Usage] = []
    for life in range(draw(st.integers(1, 2 if has_age else 1))):
        time_ms += draw(st.integers(10 * MINUTE_MS, DAY_MS))
        born, up, down = time_ms, 0, 0
        found = draw(st.lists(reports, min_size=1, max_size=6))
        for number, (gap_ms, more_up, more_down, has_high) in enumerate(found):
            # A session as old as the one before it would not be known for a new one.
            is_reboot = life > 0 and number == 0
            time_ms += min(gap_ms, history[-1].age_ms // 2) if is_reboot else gap_ms
            up, down = up + more_up, down + more_down
            is_wide = width == 64
            history.append(
                Usage(
                    time_ms,
                    up=up if is_wide else up & MASK,
                    down=down if is_wide else down & MASK,
                    up_high=None if is_wide or not has_high else up >> 32,
                    down_high=None if is_wide or not has_high else down >> 32,
                    age_ms=time_ms - born if has_age else None,
                    sim=sim,
                    traffic=traffic,
                    width=width,
                )
            )
    return history


@st.composite
def deltas(draw: Callable) -> list[Usage]:
    """A source that reports what was used since its last report."""
    sim, traffic = draw(st.integers(1, 3)), draw(st.sampled_from([METERED, ZERO_RATED]))
    time_ms, history = MIDNIGHT_MS - DAY_MS, []
    for gap_ms, up, down, has_start in draw(st.lists(reports, max_size=5)):
        start_ms, time_ms = time_ms, time_ms + gap_ms
        history.append(
            Usage(
                time_ms,
                up=up,
                down=down,
                start_ms=start_ms if has_start else None,
                sim=sim,
                traffic=traffic,
                kind=DELTA,
            )
        )
    return history


histories = st.lists(counters() | deltas(), max_size=4).map(
    lambda found: [row._replace(session=k) for k, rows in enumerate(found) for row in rows]
)


def disordered(history: list[Usage], seed: int) -> list[Usage]:
    chance = random.Random(seed)
    # A delta has no repeats here: its batch is known by its sequence.
    cumulative = [reading for reading in history if reading.kind == CUMULATIVE]
    repeated = history + chance.choices(cumulative, k=len(cumulative) // 2 if cumulative else 0)
    chance.shuffle(repeated)
    return repeated


@settings(deadline=None, max_examples=300)
@given(histories)
def test_matches_the_reference(history: list[Usage]) -> None:
    assert used(meter_of(history)) == reference.ledger(history)


@settings(deadline=None, max_examples=300)
@given(histories, st.integers(0, 2**32))
def test_disorder_and_repeats_change_nothing(history: list[Usage], seed: int) -> None:
    assert used(meter_of(disordered(history, seed))) == reference.ledger(history)


@settings(deadline=None, max_examples=100)
@given(histories, st.integers(0, 2**32), st.lists(st.integers(0, 60), max_size=3))
def test_a_batch_may_be_cut_anywhere(history: list[Usage], seed: int, cuts: list[int]) -> None:
    rows = disordered(history, seed)
    edges = [0, *sorted(cuts), len(rows)]

    whole = meter_of(rows)
    parts = meter_of(*(rows[a:b] for a, b in pairwise(edges)))

    assert used(parts) == used(whole)
    assert accounts(parts) == accounts(whole)
    assert crossings(parts) == crossings(whole)


@settings(deadline=None, max_examples=100)
@given(histories, st.integers(0, 2**32), st.integers(0, 4))
def test_shards_cut_by_sim_can_be_merged(history: list[Usage], seed: int, border: int) -> None:
    rows = disordered(history, seed)
    whole = meter_of(rows)

    merged = meter_of([row for row in rows if row.sim <= border])
    merged.merge(meter_of([row for row in rows if row.sim > border]))

    assert used(merged) == used(whole)
    assert accounts(merged) == accounts(whole)
    assert crossings(merged) == crossings(whole)


@settings(deadline=None, max_examples=100)
@given(histories, st.integers(0, 2**32), st.integers(0, 60))
def test_an_exported_meter_goes_on_as_before(history: list[Usage], seed: int, cut: int) -> None:
    rows = disordered(history, seed)

    restored = meter_of()
    restored.restore(meter_of(rows[:cut]).export())
    add(restored, rows[cut:])

    assert used(restored) == used(meter_of(rows))
    assert accounts(restored) == accounts(meter_of(rows))


anything = st.fixed_dictionaries(
    {
        "time_ms": st.integers(MIDNIGHT_MS - 3 * DAY_MS, MIDNIGHT_MS + 3 * DAY_MS),
        "up": st.integers(0, 2**33),
        "down": st.integers(0, 2**33),
        "session": st.integers(0, 1),
    }
).map(lambda fields: Usage(**fields))


@settings(deadline=None, max_examples=200)
@given(st.lists(anything, max_size=12), st.integers(0, 2**32))
def test_even_counters_that_contradict_each_other_count_the_same_in_any_order(
    rows: list[Usage], seed: int
) -> None:
    assert used(meter_of(disordered(rows, seed))) == used(meter_of(rows))


hostile = st.fixed_dictionaries(
    {
        "time_ms": st.integers(1, 4_102_444_800_000),
        "up": st.integers(0, 2**32 - 1),
        "down": st.integers(0, 2**32 - 1),
        "up_high": st.none() | st.integers(0, 2**22 - 1),
        "width": st.sampled_from([32, 64]),
        "record": st.sampled_from([0, START]),
        "age_ms": st.none() | st.integers(0, 2**63 - 1),
        "start_ms": st.none() | st.integers(0, 1),
        "epoch": st.integers(-1, 0),
    }
).map(lambda fields: Usage(**fields))


@settings(deadline=None, max_examples=100)
@given(st.lists(hostile, max_size=10))
def test_whatever_is_sent_every_reading_has_one_outcome_and_no_byte_is_negative(
    rows: list[Usage],
) -> None:
    meter = meter_of(rows)

    for received, counted, duplicate, stale, rejected, quarantined, *_ in accounts(meter).values():
        assert received == counted + duplicate + stale + rejected + quarantined
    for entry in used(meter).values():
        assert 0 <= entry["indeterminate"] <= entry["metered"]
        assert entry["zero_rated"] == 0
