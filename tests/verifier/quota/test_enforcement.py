"""How far decisions came, by what the journal says and by what later readings show."""

import numpy as np
import pytest
from enforcing import MINUTE_MS, NOON_MS, QUOTA, SIM, Life

from phusong.v1.enforcement_pb2 import (
    ACTION_CUT,
    ACTION_NOTIFY,
    ACTION_RESTORE,
    ACTION_THROTTLE,
)
from phusong.verifier.names import Names
from phusong.verifier.quota.enforcement import DAYS_KEPT, EnforcementState
from phusong.verifier.quota.enforcement_counts import STAGES
from phusong.verifier.quota.stages import (
    ACKNOWLEDGED_WITHIN_MS,
    Stage,
    decision_lines,
    enforcement_figures,
)
from phusong.verifier.quota.verification import (
    FLAT_PERIOD_MS,
    FLAT_READING_COUNT,
    FLAT_TOLERANCE_BYTES,
)
from reference.usage import FIRST_OF_OCTOBER, HOUR_MS, MIDNIGHT_MS, Usage

GIB = 2**30
KBIT_S = 1000


def minutes(count: int) -> int:
    return NOON_MS + count * MINUTE_MS


def test_a_decision_is_pending_then_sent_then_acknowledged() -> None:
    life = Life()
    key = life.decide(NOON_MS)
    assert life.stages() == [Stage.PENDING]

    life.send(NOON_MS + 5, 1)
    assert life.stages() == [Stage.SENT]
    life.send(NOON_MS + 6000, 1, attempt=2)
    life.acknowledge(NOON_MS + 7000, key)

    (line,) = decision_lines(life.state, NOON_MS + 8000)
    assert (line.state, line.since_ms) == (Stage.ACKNOWLEDGED, NOON_MS + 7000)
    assert (line.sent_time_ms, line.sent_count) == (NOON_MS + 5, 2)
    assert (line.operator, line.sim, line.action, line.day) == ("viettel", "7", "CUT", "2021-10-01")


def test_flat_readings_after_the_acknowledgement_verify_a_cut() -> None:
    life = Life()
    life.cut()

    life.read(minutes(1), QUOTA + 300 * 2**20)  # used before it took hold: the base
    for number in range(1, FLAT_READING_COUNT):
        life.read(minutes(1 + number), QUOTA + 300 * 2**20 + number)
        assert life.stages() == [Stage.ACKNOWLEDGED]
    life.read(minutes(1 + FLAT_READING_COUNT), QUOTA + 300 * 2**20 + FLAT_TOLERANCE_BYTES)

    (line,) = decision_lines(life.state, minutes(9))
    assert (line.state, line.leaked_bytes) == (Stage.VERIFIED, 0)
    assert line.verified_time_ms == minutes(1 + FLAT_READING_COUNT)


def test_one_flat_reading_is_enough_when_it_lies_long_after() -> None:
    life = Life()
    life.cut()

    life.read(minutes(1), QUOTA)
    life.read(minutes(1) + FLAT_PERIOD_MS, QUOTA)

    assert life.stages() == [Stage.VERIFIED]


def test_acknowledged_but_not_enforced_is_seen_with_its_bytes() -> None:
    """Edge group 10 of DOMAIN §3."""
    life = Life()
    life.cut()

    life.read(minutes(1), QUOTA)
    life.read(minutes(2), QUOTA + GIB)
    life.read(minutes(3), QUOTA + 2 * GIB)

    (line,) = decision_lines(life.state, minutes(4))
    assert (line.state, line.leaked_bytes) == (Stage.ENFORCEMENT_FAILED, 2 * GIB)
    assert (line.failed_time_ms, line.is_overdue) == (minutes(3), True)
    assert life.state.counts.failed == 1


def test_a_cut_that_takes_hold_late_is_verified_and_what_leaked_is_kept() -> None:
    life = Life()
    life.cut()
    life.read(minutes(1), QUOTA)
    life.read(minutes(2), QUOTA + GIB)

    for number in range(FLAT_READING_COUNT):
        life.read(minutes(3 + number), QUOTA + GIB)

    (line,) = decision_lines(life.state, minutes(9))
    assert (line.state, line.leaked_bytes, line.is_overdue) == (Stage.VERIFIED, GIB, False)


def test_a_verified_cut_that_is_broken_later_has_failed() -> None:
    life = Life()
    life.cut()
    for number in range(1 + FLAT_READING_COUNT):
        life.read(minutes(1 + number), QUOTA)
    assert life.stages() == [Stage.VERIFIED]

    life.read(minutes(9), QUOTA + GIB)

    assert life.stages() == [Stage.ENFORCEMENT_FAILED]


def test_readings_from_before_the_acknowledgement_neither_prove_nor_accuse() -> None:
    life = Life()
    life.cut()
    life.read(minutes(1), QUOTA)

    late = Usage(NOON_MS - 1000, up=0, down=GIB, sim=SIM, session=9)
    life.take([late])  # another session, reported late

    assert life.stages() == [Stage.ACKNOWLEDGED]
    for number in range(FLAT_READING_COUNT):
        life.read(minutes(2 + number), QUOTA)
    assert life.stages() == [Stage.VERIFIED]


def test_bytes_that_a_midnight_split_attributed_do_not_accuse() -> None:
    life = Life()
    day = FIRST_OF_OCTOBER + 1
    midnight_ms = MIDNIGHT_MS + 24 * HOUR_MS
    life.read(midnight_ms + HOUR_MS, QUOTA, start_ms=midnight_ms)
    key = life.decide(midnight_ms + HOUR_MS, day=day)
    life.acknowledge(midnight_ms + HOUR_MS + 1, key)
    life.read(midnight_ms + 2 * HOUR_MS, QUOTA, start_ms=midnight_ms)

    straddling = Usage(
        midnight_ms + 3 * HOUR_MS,
        up=0,
        down=GIB,
        sim=SIM,
        session=9,
        start_ms=midnight_ms - HOUR_MS,
    )
    life.take([straddling])

    (line,) = decision_lines(life.state, midnight_ms + 4 * HOUR_MS)
    assert line.state == Stage.ACKNOWLEDGED
    assert line.leaked_bytes == 0


def test_a_throttled_sim_may_use_its_rate_and_no_more() -> None:
    life = Life()
    life.cut(action=ACTION_THROTTLE, throttle_bits_per_s=256 * KBIT_S)
    minute_bytes = 256 * KBIT_S // 8 * 60

    life.read(minutes(1), QUOTA)
    life.read(minutes(2), QUOTA + minute_bytes)
    life.read(minutes(3), QUOTA + 2 * minute_bytes)
    assert life.stages() == [Stage.VERIFIED]
    life.read(minutes(4), QUOTA + 3 * minute_bytes + 2 * FLAT_TOLERANCE_BYTES)

    (line,) = decision_lines(life.state, minutes(5))
    assert (line.state, line.action) == (Stage.ENFORCEMENT_FAILED, "THROTTLE")
    assert line.leaked_bytes == 2 * FLAT_TOLERANCE_BYTES


def test_the_next_day_proves_nothing_of_this_one() -> None:
    life = Life()
    life.cut()
    life.read(minutes(1), QUOTA)

    for number in range(5):
        life.read(minutes(24 * 60 + number), QUOTA + GIB)

    assert life.stages() == [Stage.ACKNOWLEDGED]


def test_leakage_and_an_early_cut_on_one_sim_day_are_both_told() -> None:
    """Edge group 10 of DOMAIN §3."""
    life = Life()
    life.cut()
    life.read(minutes(1), QUOTA)
    life.read(minutes(2), QUOTA + GIB)

    restore = life.decide(minutes(10), ACTION_RESTORE)
    life.acknowledge(minutes(11), restore)

    cut, restored = decision_lines(life.state, minutes(12))
    assert (cut.state, cut.leaked_bytes) == (Stage.ENFORCEMENT_FAILED, GIB)
    assert restored.state == Stage.ACKNOWLEDGED
    assert life.state.counts.early_cuts == 1
    assert life.state.counts.denied_ms == minutes(11) - (NOON_MS + 100)


def test_a_cut_taken_back_before_anybody_acknowledged_it_is_superseded() -> None:
    life = Life()
    life.decide(NOON_MS)

    life.decide(NOON_MS + 1, ACTION_RESTORE)

    assert life.stages(minutes(60)) == [Stage.SUPERSEDED, Stage.PENDING]
    assert not any(line.is_overdue for line in decision_lines(life.state, minutes(60)))


@pytest.mark.parametrize("action", [ACTION_CUT, ACTION_THROTTLE])
def test_a_cut_is_overdue_when_nobody_acknowledges_it_in_time(action: int) -> None:
    life = Life()
    life.decide(NOON_MS, action)
    life.decide(NOON_MS, ACTION_NOTIFY, 100)

    at_the_limit, past_it = (
        [line.is_overdue for line in decision_lines(life.state, NOON_MS + wait_ms)]
        for wait_ms in (ACKNOWLEDGED_WITHIN_MS, ACKNOWLEDGED_WITHIN_MS + 1)
    )

    assert (at_the_limit, past_it) == ([False, False], [True, False])


@pytest.mark.parametrize(
    "key",
    [
        "",
        "2021-10-01/7/ACTION_CUT",
        "2021-10-01/8/ACTION_CUT/1",
        "2021-10-01/7/ACTION_CUT/2",
        "2021-10-01/07/ACTION_CUT/1",
        "2021-10-01/-7/ACTION_CUT/1",
        "20211001/7/ACTION_CUT/1",
        "2021-10-01/7/ACTION_CUT/99999999999999999999",
        "2021-10-01/٧/ACTION_CUT/1",
        "2021-10-01/7/ACTION_FIRE/1",
        "0001-01-01/7/ACTION_CUT/1",
        "x" * 100_000,
    ],
)
def test_an_acknowledgement_of_nothing_changes_nothing(key: str) -> None:
    life = Life()
    life.decide(NOON_MS)

    life.acknowledge(NOON_MS, key)

    assert life.stages() == [Stage.PENDING]


def test_another_operator_acknowledges_nothing_of_ours() -> None:
    life = Life()
    key = life.decide(NOON_MS)

    life.acknowledge(NOON_MS, key, operator="mobifone")

    assert life.stages() == [Stage.PENDING]


def test_latency_is_counted_by_stage_whatever_is_journalled_first() -> None:
    life = Life()
    key = life.decide(NOON_MS)
    life.acknowledge(NOON_MS + 30, key)
    life.send(NOON_MS + 10, 1)

    sums = dict(zip(STAGES, life.state.counts.sum_ms.tolist(), strict=True))

    assert sums == {
        "arrived": 1980,
        "decided": 20,
        "sent": 10,
        "acknowledged": 20,
        "verified": 0,
    }


def test_decisions_of_days_long_gone_are_forgotten_and_sums_are_not() -> None:
    life = Life()
    for number in range(DAYS_KEPT + 2):
        life.decide(NOON_MS + 24 * HOUR_MS * number, day=FIRST_OF_OCTOBER + number)

    days = [line.day for line in decision_lines(life.state, NOON_MS)]
    assert days[0] == "2021-10-03"
    assert len(days) == DAYS_KEPT
    assert life.state.first_day == FIRST_OF_OCTOBER + 2
    assert life.state.counts.by_action[ACTION_CUT] == DAYS_KEPT + 2


def test_what_is_exported_goes_on_as_before() -> None:
    life = Life()
    life.cut()
    life.decide(NOON_MS, ACTION_NOTIFY, 50, sim=2**64 - 1)
    life.read(minutes(1), QUOTA)
    other = EnforcementState(Names(["viettel"]))
    other.restore(life.state.export())
    twin = Life()
    twin.state, twin.quota, twin.position = other, life.quota, life.position

    for one in (life, twin):
        one.read(minutes(2), QUOTA)
        one.read(minutes(3), QUOTA)
        one.decide(minutes(4), ACTION_RESTORE)

    lines = list(decision_lines(life.state, minutes(5)))
    assert [line.state for line in lines] == [Stage.VERIFIED, Stage.PENDING, Stage.PENDING]
    assert lines[1].sim == str(2**64 - 1)
    assert list(decision_lines(twin.state, minutes(5))) == lines
    for name, array in life.state.export().items():
        assert np.array_equal(array, twin.state.export()[name]), name


def test_what_is_watched_takes_room_for_the_sims_that_were_cut_and_no_more() -> None:
    life = Life()
    for sim in range(1, 101):
        key = life.decide(NOON_MS, sim=sim)
        life.acknowledge(NOON_MS + 1, key)

    assert len(life.state._watched_rows) <= 256
    life.read(minutes(1), QUOTA, sim=100)
    life.read(minutes(2), QUOTA, sim=100)
    life.read(minutes(3), QUOTA, sim=100)
    assert life.stages()[-1] == Stage.VERIFIED


def test_figures_are_of_the_present_day_and_sums_of_all() -> None:
    life = Life()
    life.cut()
    life.decide(NOON_MS, sim=8)
    life.send(NOON_MS, 2)
    life.send(NOON_MS + 5000, 2, attempt=2)

    today = enforcement_figures(life.state, minutes(2))
    tomorrow = enforcement_figures(life.state, minutes(24 * 60))

    assert today.stages == {("cut", "acknowledged"): 1, ("cut", "sent"): 1}
    assert (today.overdue_count, today.unverified_count, today.resent_count) == (1, 1, 1)
    assert (tomorrow.stages, tomorrow.resent_count) == ({}, 1)
    assert tomorrow.by_action["cut"] == 2
