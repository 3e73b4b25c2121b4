"""Zero rating by dated lists: the class of a byte is that of its group on its day, and a newer list rates days again."""

import datetime as dt
import random
from collections.abc import Callable

import numpy as np
import pytest
from frames import usage_frame
from hypothesis import given, settings
from hypothesis import strategies as st

from phusong.v1.enforcement_pb2 import Action
from phusong.verifier.names import Names
from phusong.verifier.placing import Horizon
from phusong.verifier.quota.ledger_pieces import CLOSE_GRACE_MS, Cause
from phusong.verifier.quota.rating import RatingMeter
from phusong.verifier.quota.settings import QuotaSettings
from phusong.verifier.registry.entries import RegistryHistory
from phusong.verifier.registry.rating_list import RatingList
from phusong.verifier.state import State, new_state
from reference import rating as reference
from reference.metering import accounts, add, crossings, used
from reference.usage import (
    CUMULATIVE,
    DAY_MS,
    DELTA,
    FIRST_OF_OCTOBER,
    HOUR_MS,
    METERED,
    MIDNIGHT_MS,
    MINUTE_MS,
    ZERO_RATED,
    Usage,
)

TODAY = FIRST_OF_OCTOBER
NOON_MS = MIDNIGHT_MS + 12 * HOUR_MS
CLOSE_MS = MIDNIGHT_MS + DAY_MS + CLOSE_GRACE_MS
GIB = 2**30
HEAD = "platform,domain,free_from,free_until,operator,rating_group\n"
FreeDays = dict[int, list[tuple[int, int]]]


def day_text(day: int) -> str:
    return (dt.date(1970, 1, 1) + dt.timedelta(days=day)).isoformat()


def platforms(free_days: FreeDays) -> bytes:
    lines = [
        f"p{group},p.vn,{day_text(first)},{day_text(last)},viettel,{group}\n"
        for group, ranges in free_days.items()
        for first, last in ranges
    ]
    return (HEAD + "".join(lines)).encode()


def meter_of(*batches: list[Usage], free_days: FreeDays | None = None) -> RatingMeter:
    quota = 4 * GIB
    meter = RatingMeter(np.array([quota // 2, quota * 8 // 10, quota]), Names(["viettel"]))
    meter.rate(platforms(free_days or {}), 0)
    for batch in batches:
        add(meter, batch)
    return meter


gaps = st.integers(10_000, 9 * HOUR_MS) | st.integers(DAY_MS, 2 * DAY_MS)
ranges = st.tuples(st.integers(-3, 3), st.integers(0, 3)).map(
    lambda found: (TODAY + found[0], TODAY + found[0] + found[1])
)
lists = st.dictionaries(st.integers(1, 2), st.lists(ranges, min_size=1, max_size=2), max_size=2)


@st.composite
def counters(draw: Callable) -> list[Usage]:
    """Reports of one counter, or deltas, over some days, the later not lower."""
    sim, group = draw(st.integers(1, 2)), draw(st.integers(0, 3))
    kind = draw(st.sampled_from([CUMULATIVE, DELTA]))
    traffic = draw(st.sampled_from([METERED, ZERO_RATED]))
    time_ms, total, rows = MIDNIGHT_MS - 2 * DAY_MS, 0, []
    for gap_ms, more in draw(st.lists(st.tuples(gaps, st.integers(1, 2**32)), max_size=6)):
        start_ms, time_ms, total = time_ms, time_ms + gap_ms, total + more
        rows.append(
            Usage(
                time_ms,
                down=more if kind == DELTA else total,
                start_ms=start_ms if kind == DELTA else None,
                sim=sim,
                kind=kind,
                traffic=traffic,
                group=group,
            )
        )
    return rows


@st.composite
def histories(draw: Callable) -> list[Usage]:
    found = enumerate(draw(st.lists(counters(), max_size=4)))
    rows = [row._replace(session=k) for k, rows in found for row in rows]
    random.Random(draw(st.integers(0, 2**32))).shuffle(rows)
    return rows


@settings(deadline=None, max_examples=60)
@given(histories(), lists)
def test_matches_the_reference(history: list[Usage], free_days: FreeDays) -> None:
    assert used(meter_of(history, free_days=free_days)) == reference.rated(history, free_days)


@settings(deadline=None, max_examples=60)
@given(histories(), lists, lists, st.integers(0, 24))
def test_a_list_that_comes_later_rates_as_if_it_had_been_there_from_the_start(
    history: list[Usage], before: FreeDays, after: FreeDays, cut: int
) -> None:
    meter = meter_of(history[:cut], free_days=before)

    meter.rate(platforms(after), NOON_MS)
    add(meter, history[cut:])

    assert used(meter) == reference.rated(history, after)


@settings(deadline=None, max_examples=30)
@given(histories(), lists, st.integers(0, 24))
def test_a_batch_may_be_cut_anywhere_and_a_meter_written_down_in_between(
    history: list[Usage], free_days: FreeDays, cut: int
) -> None:
    whole = meter_of(history, free_days=free_days)

    restored = meter_of()
    restored.restore(meter_of(history[:cut], free_days=free_days).export())
    add(restored, history[cut:])

    assert used(restored) == used(whole)
    assert accounts(restored) == accounts(whole)


@settings(deadline=None, max_examples=30)
@given(histories(), lists, lists)
def test_shards_cut_by_sim_can_be_merged_and_rated_again(
    history: list[Usage], before: FreeDays, after: FreeDays
) -> None:
    one = meter_of([row for row in history if row.sim == 1], free_days=before)
    one.merge(meter_of([row for row in history if row.sim != 1], free_days=before))

    one.rate(platforms(after), NOON_MS)

    assert used(one) == reference.rated(history, after)
    for received, *outcomes in (found[:6] for found in accounts(one).values()):
        assert received == sum(outcomes)


def test_a_group_the_list_does_not_name_has_the_class_of_its_sender() -> None:
    meter = meter_of(
        [Usage(NOON_MS, down=5, group=9), Usage(NOON_MS, down=7, group=9, traffic=ZERO_RATED)]
    )

    assert used(meter)[7, TODAY] == {"metered": 5, "indeterminate": 0, "zero_rated": 7}


def test_a_group_the_list_names_is_metered_outside_its_days_whatever_its_sender_says() -> None:
    row = Usage(NOON_MS, down=7, group=9, traffic=ZERO_RATED)

    meter = meter_of([row], free_days={9: [(TODAY - 1, TODAY - 1)]})

    assert used(meter)[7, TODAY] == {"metered": 7, "indeterminate": 0, "zero_rated": 0}


def test_a_counter_that_runs_on_while_its_group_becomes_free_is_rated_by_days() -> None:
    rows = [
        Usage(MIDNIGHT_MS - HOUR_MS, down=100, group=9),
        Usage(MIDNIGHT_MS, down=150, group=9),
        Usage(NOON_MS, down=900, group=9),
    ]

    found = used(meter_of(rows, free_days={9: [(TODAY, TODAY + 9)]}))

    assert found[7, TODAY - 1] == {"metered": 150, "indeterminate": 0, "zero_rated": 0}
    assert found[7, TODAY] == {"metered": 0, "indeterminate": 0, "zero_rated": 750}


def test_groups_of_one_session_are_counters_of_their_own() -> None:
    rows = [Usage(NOON_MS, down=5, group=1), Usage(NOON_MS + MINUTE_MS, down=3, group=2)]

    assert used(meter_of(rows))[7, TODAY]["metered"] == 8


def test_a_crossing_has_the_time_of_its_reading_and_not_of_the_batch() -> None:
    rows = [Usage(NOON_MS + k * MINUTE_MS, down=(k + 1) * 2 * GIB, group=1) for k in range(3)]

    assert crossings(meter_of(rows)) == {(7, TODAY): NOON_MS + MINUTE_MS}


def state_of(*frames: tuple[int, list[Usage], bytes]) -> State:
    state = new_state(RegistryHistory(), Horizon(), QuotaSettings())
    for number, (time_ms, rows, content) in enumerate(frames, 1):
        state.apply(usage_frame(number, time_ms, rows, content))
    return state


def test_a_list_that_frees_a_group_restores_a_sim_that_was_cut() -> None:
    rows = [Usage(NOON_MS, down=3 * GIB), Usage(NOON_MS, down=2 * GIB, group=9, session=2)]
    state = state_of((NOON_MS, rows, b""))
    cut = state.quota.take_decisions()
    assert cut[-1].action == Action.ACTION_CUT
    for decision in cut:
        state.quota.note_decided(decision.decision_key)

    free = platforms({9: [(TODAY, TODAY)]})
    state.apply(usage_frame(2, NOON_MS + 1, [], free))

    (restore,) = state.quota.take_decisions()
    assert (restore.action, restore.used_bytes) == (Action.ACTION_RESTORE, 3 * GIB)


def test_a_list_with_an_earlier_date_adjusts_a_closed_day_and_says_why() -> None:
    rows = [Usage(NOON_MS, down=3), Usage(NOON_MS, down=20, group=9, session=2)]

    state = state_of((NOON_MS, rows, b""), (CLOSE_MS, [], platforms({9: [(TODAY, TODAY)]})))

    assert state.ledger.open_adjustments.tolist() == [
        [7, -20, 0, 20, 2, CLOSE_MS, Cause.RERATED, TODAY]
    ]


def test_a_list_known_from_the_start_of_a_replay_rates_only_from_its_frame_on() -> None:
    free = platforms({9: [(TODAY, TODAY)]})
    frames = (
        usage_frame(1, NOON_MS, [Usage(NOON_MS, down=20, group=9)]),
        usage_frame(2, CLOSE_MS, [], free),
    )
    first = new_state(RegistryHistory(), Horizon(), QuotaSettings())
    for frame in frames:
        first.apply(frame)

    again = new_state(first.registries.history, Horizon(), QuotaSettings())
    for frame in frames:
        again.apply(frame)

    assert again.ledger.pieces == first.ledger.pieces
    assert again.ledger.open_adjustments.tolist() == first.ledger.open_adjustments.tolist() != []


def test_what_is_refused_leaves_no_line_behind() -> None:
    meter = meter_of()

    add(meter, [Usage(NOON_MS, down=5, group=1)], is_repeated=True)

    assert len(meter.export()["lines"]) == 0
    assert accounts(meter)[0, TODAY][:3] == [1, 0, 1]


def test_a_row_asks_for_its_own_group_and_not_for_all_there_were(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    meter = meter_of([Usage(NOON_MS, up=1, session=k, group=k) for k in range(1, 200)])
    asked = []

    def is_free(_: RatingList, *wanted: object, as_sent: bool) -> bool:
        asked.append(wanted)
        return as_sent

    monkeypatch.setattr(RatingList, "is_free", is_free)
    add(meter, [Usage(NOON_MS + MINUTE_MS, up=2, session=7, group=7)])

    assert asked == [("viettel", 7, TODAY)]
