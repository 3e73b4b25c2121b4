import numpy as np
import pytest

from phusong.kernels.reject import Reject
from phusong.v1.enforcement_pb2 import Action
from phusong.verifier.names import Names
from phusong.verifier.quota.decisions import DecisionRecord
from phusong.verifier.quota.report import QuotaDay, SimDay, quota_record
from phusong.verifier.quota.settings import QuotaSettings
from phusong.verifier.quota.state import QuotaState
from phusong.verifier.registry.sims import SimRegister
from phusong.verifier.registry.sims_file import read_sims
from reference.usage import (
    FIRST_OF_OCTOBER,
    HOUR_MS,
    MIDNIGHT_MS,
    ZERO_RATED,
    Usage,
    columns,
)

GIB = 2**30
QUOTA = 4 * GIB
NOON_MS = MIDNIGHT_MS + 12 * HOUR_MS


def state_of(*rows: Usage, sims: SimRegister | None = None) -> QuotaState:
    state = QuotaState(sims, QuotaSettings(), Names(["viettel"]))
    add(state, *rows)
    return state


def add(state: QuotaState, *rows: Usage, is_repeated: bool = False) -> list[int]:
    readings = columns(list(rows))
    zeros = np.zeros(len(rows), np.int64)
    reason = zeros.copy()
    state.add(
        readings,
        readings.observed_time_ms,
        zeros,
        readings.observed_time_ms,
        np.array([row.source for row in rows], np.int64),
        zeros,
        np.full(len(rows), is_repeated),
        reason,
    )
    return reason.tolist()


def sim_day(state: QuotaState, day: int = FIRST_OF_OCTOBER) -> SimDay:
    (found,) = state.day(day).sims
    return found


def register(text: str) -> SimRegister:
    sims = read_sims(("subscriber_key,operator,handover_date\n" + text).encode())
    assert isinstance(sims, SimRegister)
    return sims


def steps(decisions: list[DecisionRecord]) -> list[tuple[str, int]]:
    return [(Action.Name(d.action).removeprefix("ACTION_"), d.threshold_percent) for d in decisions]


def test_a_day_is_reported_with_exactly_the_documented_fields() -> None:
    state = state_of(Usage(NOON_MS, up=1, down=2, sim=-1))

    assert quota_record(state.day(FIRST_OF_OCTOBER)) == {
        "day": "2021-10-01",
        "quota_bytes": 4_294_967_296,
        "sims": [
            {
                "sim": "18446744073709551615",
                "used_bytes": 3,
                "zero_rated_bytes": 0,
                "indeterminate_bytes": 0,
                "state": "WITHIN",
                "crossed_time": None,
                "thresholds_crossed": [],
            }
        ],
        "totals": {
            "received": 1,
            "counted": 1,
            "duplicate": 0,
            "stale": 0,
            "rejected": 0,
            "quarantined": 0,
            "clock_far": 0,
            "gigawords_inferred": 0,
            "uplink_bytes": 1,
            "downlink_bytes": 2,
            "sims_at_quota": 0,
            "sims_at_4_decimal_gigabytes": 0,
        },
    }


@pytest.mark.parametrize(
    ("used_bytes", "state", "thresholds"),
    [
        (2**31 - 1, "WITHIN", []),
        (2**31, "WITHIN", [50]),
        (3_435_973_836, "WITHIN", [50]),
        (3_435_973_837, "WITHIN", [50, 80]),
        (4 * 10**9, "WITHIN", [50, 80]),
        (2**32 - 1, "WITHIN", [50, 80]),
        (2**32, "EXHAUSTED", [50, 80, 100]),
        (2**32 + 1, "EXHAUSTED", [50, 80, 100]),
    ],
)
def test_the_quota_is_reached_at_its_last_byte(
    used_bytes: int, state: str, thresholds: list[int]
) -> None:
    row = sim_day(state_of(Usage(NOON_MS, up=used_bytes // 3, down=used_bytes - used_bytes // 3)))

    assert (row.used_bytes, row.state, row.thresholds_crossed) == (used_bytes, state, thresholds)


def test_the_other_reading_of_the_quota_is_counted_too() -> None:
    totals = state_of(Usage(NOON_MS, down=4 * 10**9)).day(FIRST_OF_OCTOBER).totals

    assert (totals["sims_at_quota"], totals["sims_at_4_decimal_gigabytes"]) == (0, 1)


def test_indeterminate_bytes_alone_never_exhaust_a_quota() -> None:
    state = state_of(
        Usage(MIDNIGHT_MS - HOUR_MS, down=0), Usage(MIDNIGHT_MS + 3 * HOUR_MS, down=8 * GIB)
    )

    row = sim_day(state)
    assert (row.used_bytes, row.indeterminate_bytes) == (6 * GIB, 6 * GIB)
    assert (row.state, row.thresholds_crossed, row.crossed_time) == ("INDETERMINATE", [], None)
    assert state.take_decisions() == []


def test_the_reading_that_crosses_gives_the_time() -> None:
    state = state_of(
        Usage(NOON_MS, down=QUOTA - 1),
        Usage(NOON_MS + HOUR_MS, down=QUOTA),
        Usage(NOON_MS + 2 * HOUR_MS, down=QUOTA + 1),
    )

    assert sim_day(state).crossed_time == "2021-10-01T06:00:00.000Z"


def test_several_sessions_of_one_sim_share_its_quota() -> None:
    state = state_of(*(Usage(NOON_MS + k, down=GIB, session=k) for k in range(4)))

    assert sim_day(state).state == "EXHAUSTED"
    assert sim_day(state).crossed_time == "2021-10-01T05:00:00.003Z"


def test_learning_platforms_are_summed_apart_and_never_cut() -> None:
    state = state_of(
        Usage(NOON_MS, down=9 * GIB, traffic=ZERO_RATED), Usage(NOON_MS, down=GIB, traffic=1)
    )

    row = sim_day(state)
    assert (row.used_bytes, row.zero_rated_bytes, row.state) == (GIB, 9 * GIB, "WITHIN")
    assert state.take_decisions() == []


def test_a_sim_is_entitled_from_handover_for_three_months() -> None:
    sims = register("7,viettel,2021-10-01\n")
    days = {
        day: MIDNIGHT_MS + (day - FIRST_OF_OCTOBER) * 24 * HOUR_MS for day in range(18_900, 18_995)
    }
    state = state_of(*(Usage(t, down=1, session=d) for d, t in days.items()), sims=sims)

    assert [d for d in days if sim_day(state, d).state == "WITHIN"] == list(range(18_901, 18_994))
    assert sim_day(state, 18_900).state == "NOT_ENTITLED"


def test_a_sim_that_is_not_registered_gets_no_decisions() -> None:
    state = state_of(Usage(NOON_MS, down=QUOTA), sims=register("8,viettel,2021-10-01\n"))

    assert sim_day(state).state == "NOT_ENTITLED"
    assert state.take_decisions() == []


def test_one_report_that_crosses_every_threshold_notifies_of_each_and_cuts() -> None:
    state = state_of(Usage(NOON_MS, down=QUOTA, sim=-2))

    decisions = state.take_decisions()

    assert steps(decisions) == [("NOTIFY", 50), ("NOTIFY", 80), ("NOTIFY", 100), ("CUT", 100)]
    assert decisions[-1] == DecisionRecord(
        operator="viettel",
        subscriber_key=2**64 - 2,
        action=Action.ACTION_CUT,
        threshold_percent=100,
        ict_day=FIRST_OF_OCTOBER,
        used_bytes=QUOTA,
        quota_bytes=QUOTA,
        crossed_time_ms=NOON_MS,
        decision_key="2021-10-01/18446744073709551614/ACTION_CUT/1",
    )


def test_decisions_are_taken_once() -> None:
    state = state_of(Usage(NOON_MS, down=QUOTA // 2))

    assert steps(state.take_decisions()) == [("NOTIFY", 50)]
    add(state, Usage(NOON_MS + 1, down=QUOTA // 2 + 1))
    assert state.take_decisions() == []
    add(state, Usage(NOON_MS + 2, down=QUOTA))
    assert steps(state.take_decisions()) == [("NOTIFY", 80), ("NOTIFY", 100), ("CUT", 100)]


def test_a_late_reading_that_moves_bytes_to_the_day_before_restores() -> None:
    """First 5 GiB seem to be of one morning; then the reading from before midnight comes in."""
    state = state_of(Usage(NOON_MS, down=5 * GIB))
    assert steps(state.take_decisions())[-1] == ("CUT", 100)

    add(state, Usage(MIDNIGHT_MS - HOUR_MS, down=3 * GIB))

    late = [decision for decision in state.take_decisions() if decision.ict_day == FIRST_OF_OCTOBER]
    assert steps(late) == [("RESTORE", 100)]
    assert sim_day(state).crossed_time is None
    add(state, Usage(NOON_MS + HOUR_MS, down=10 * GIB))
    assert [decision.decision_key for decision in state.take_decisions()] == [
        "2021-10-01/7/ACTION_CUT/2"
    ]


def test_decisions_in_the_journal_are_not_taken_again() -> None:
    first = state_of(Usage(NOON_MS, down=QUOTA))
    keys = [decision.decision_key for decision in first.take_decisions()]

    replayed = state_of(Usage(NOON_MS, down=QUOTA))
    for key in keys[:3]:
        replayed.note_decided(key)

    assert [d.decision_key for d in replayed.take_decisions()] == keys[3:]


def test_decisions_taken_and_never_journalled_survive_a_restart() -> None:
    state = state_of(Usage(NOON_MS, down=QUOTA))
    taken = state.take_decisions()
    state.note_decided(taken[0].decision_key)

    restarted = QuotaState(None, QuotaSettings(), Names(["viettel"]))
    restarted.restore(state.export())

    assert restarted.take_decisions() == taken[1:]
    assert restarted.take_decisions() == []


def test_days_gone_by_can_be_left_undecided() -> None:
    state = state_of(Usage(NOON_MS, down=QUOTA))

    assert state.take_decisions(first_day=FIRST_OF_OCTOBER + 1) == []


def test_every_reading_has_one_outcome() -> None:
    state = state_of(Usage(NOON_MS, down=100), Usage(NOON_MS + 2, down=300))
    add(state, Usage(NOON_MS, down=100), Usage(NOON_MS + 1, down=200))
    add(state, Usage(NOON_MS + 9, down=9), is_repeated=True)
    assert add(state, Usage(NOON_MS + 3, down=250)) == [Reject.COUNTER_WENT_BACK]
    state.add_rejected(0, FIRST_OF_OCTOBER, 2)
    state.add_rejected(5, FIRST_OF_OCTOBER, 1)

    totals = state.day(FIRST_OF_OCTOBER).totals

    outcomes = ("received", "counted", "duplicate", "stale", "rejected", "quarantined")
    assert [totals[name] for name in outcomes] == [9, 2, 2, 1, 3, 1]


def test_an_exported_state_goes_on_as_if_nothing_had_happened() -> None:
    rows = [Usage(NOON_MS + k, down=k * GIB // 2, sim=1 + k % 3, session=k // 3) for k in range(12)]
    whole = state_of(*rows)

    restored = QuotaState(None)
    restored.restore(state_of(*rows[:5]).export())
    add(restored, *rows[5:])

    assert restored.day(FIRST_OF_OCTOBER) == whole.day(FIRST_OF_OCTOBER)


def test_shards_cut_by_sim_merge_into_the_whole() -> None:
    rows = [
        Usage(MIDNIGHT_MS + (k - 6) * HOUR_MS, down=k * GIB // 2, sim=1 + k % 4, width=32 * (k % 2))
        for k in range(16)
    ]
    whole = state_of(*rows)

    merged = state_of(*(row for row in rows if row.sim % 2))
    merged.merge(state_of(*(row for row in rows if not row.sim % 2)))

    for day in (FIRST_OF_OCTOBER - 1, FIRST_OF_OCTOBER):
        assert merged.day(day) == whole.day(day)
    assert {d.decision_key for d in merged.take_decisions()} == {
        d.decision_key for d in whole.take_decisions()
    }


def test_a_day_nobody_was_heard_of_has_no_rows() -> None:
    report = state_of().day(FIRST_OF_OCTOBER)

    assert (report.sims, set(report.totals.values())) == ([], {0})


def test_states_are_counted_without_a_report() -> None:
    state = state_of(Usage(NOON_MS, down=QUOTA), Usage(NOON_MS, down=1, sim=8))

    report: QuotaDay = state.day(FIRST_OF_OCTOBER)
    counts = state.figures(FIRST_OF_OCTOBER).sims
    assert {name: count for name, count in counts.items() if count} == {"EXHAUSTED": 1, "WITHIN": 1}
    assert [row.state for row in report.sims] == ["EXHAUSTED", "WITHIN"]


@pytest.mark.parametrize(("down", "crossed_ms"), [(2**32, NOON_MS + 1), (3_500_000_000, NOON_MS)])
def test_a_threshold_whose_change_was_forgotten_is_notified_all_the_same(
    down: int, crossed_ms: int
) -> None:
    state = state_of(Usage(NOON_MS, down=2**31))
    state.take_decisions()
    add(state, Usage(NOON_MS + 1, down=down))
    assert state.take_decisions(first_day=FIRST_OF_OCTOBER + 1) == []

    restored = QuotaState(None, QuotaSettings(), Names(["viettel"]))
    restored.restore(state.export())
    decisions = restored.take_decisions(first_day=FIRST_OF_OCTOBER)

    notified = {d.threshold_percent: d.crossed_time_ms for d in decisions}
    assert notified[50] == NOON_MS
    assert notified[80] == crossed_ms
