"""Edges 8 and 10 of DOMAIN §3: what crosses at once, what crosses by doubt alone, and what leaks."""

import numpy as np
import pytest
from enforcing import NOON_MS, QUOTA, SIM, Life
from hypothesis import given
from hypothesis import strategies as st

from phusong.v1.enforcement_pb2 import ACTION_CUT, ACTION_NOTIFY, ACTION_THROTTLE
from phusong.verifier.quota.decisions import (
    RATE_MAX_BYTES_PER_S,
    REPORT_INTERVAL_MAX_MS,
    REPORT_INTERVAL_MIN_MS,
    decision_message,
    leak_bound_bytes,
    report_interval_ms,
)
from phusong.verifier.registry.operators import AfterQuota, OperatorRegister
from reference.usage import FIRST_OF_OCTOBER, HOUR_MS, MIDNIGHT_MS, Usage

GIB = 2**30


def decided(life: Life) -> list[tuple[int, int]]:
    return [(d.action, d.threshold_percent) for d in life.quota.take_decisions()]


def test_one_report_that_crosses_all_thresholds_makes_all_decisions_in_order() -> None:
    life = Life()

    life.read(NOON_MS, QUOTA)

    assert decided(life) == [
        (ACTION_NOTIFY, 50),
        (ACTION_NOTIFY, 80),
        (ACTION_NOTIFY, 100),
        (ACTION_CUT, 100),
    ]
    life.read(NOON_MS + 1, 2 * QUOTA)
    assert decided(life) == []


def test_several_sessions_of_one_sim_that_cross_in_one_batch_make_one_cut() -> None:
    life = Life()

    life.take([Usage(NOON_MS + n, down=QUOTA, sim=SIM, session=n) for n in range(1, 4)])

    assert decided(life).count((ACTION_CUT, 100)) == 1
    assert decided(life) == []


def test_bytes_that_a_midnight_split_attributed_never_cut_by_themselves() -> None:
    life = Life()
    midnight_ms = MIDNIGHT_MS + 24 * HOUR_MS

    life.take([Usage(midnight_ms + HOUR_MS, down=100 * GIB, sim=SIM, start_ms=midnight_ms - 1)])

    assert decided(life) == []
    used, split = life.quota.used_bytes(
        np.array([SIM], np.int64), np.array([FIRST_OF_OCTOBER + 1], np.int64)
    )
    assert used.tolist() == [0]
    assert split[0] > QUOTA


def test_an_operator_that_slows_down_is_told_its_rate_and_no_cut() -> None:
    life = Life()
    life.quota.after_quota = OperatorRegister({"viettel": AfterQuota(ACTION_THROTTLE, 256_000)})

    life.read(NOON_MS, QUOTA)
    *notices, stop = life.quota.take_decisions()

    assert (stop.action, stop.throttle_bits_per_s) == (ACTION_THROTTLE, 256_000)
    assert stop.decision_key == f"2021-10-01/{SIM}/ACTION_THROTTLE/1"
    assert [notice.throttle_bits_per_s for notice in notices] == [0, 0, 0]
    life.quota.note_decided(stop.decision_key)
    life.quota.after_quota = OperatorRegister()
    life.read(NOON_MS + 1, 2 * QUOTA)
    assert decided(life) == []  # who is slowed down is not cut besides


def test_the_counting_model_over_versions_of_a_session() -> None:
    """The worked example of DOMAIN §3: v1 (10, 20), v1 (25, 35), v2 (5, 105) → received 30, sent 140."""
    life = Life()

    life.take(
        [
            Usage(NOON_MS, up=10, down=20, epoch=1),
            Usage(NOON_MS + 1, up=25, down=35, epoch=1),
            Usage(NOON_MS + 2, up=5, down=105, epoch=2),
        ]
    )

    totals = life.quota.day(FIRST_OF_OCTOBER).totals
    assert (totals["uplink_bytes"], totals["downlink_bytes"]) == (30, 140)


@given(st.integers(-QUOTA, QUOTA))
def test_one_interval_leaks_no_more_than_what_is_left_where_a_source_can_follow(left: int) -> None:
    interval_ms = report_interval_ms(left)

    assert REPORT_INTERVAL_MIN_MS <= interval_ms <= REPORT_INTERVAL_MAX_MS
    if interval_ms > REPORT_INTERVAL_MIN_MS:
        assert leak_bound_bytes(interval_ms) <= left


@pytest.mark.parametrize(
    ("interval_ms", "leaked_bytes"),
    [(600_000, 7_500_000_000), (60_000, 750_000_000), (10_000, 125_000_000)],
)
def test_what_an_interval_leaks_at_100_mbit_a_second(interval_ms: int, leaked_bytes: int) -> None:
    assert RATE_MAX_BYTES_PER_S * 8 == 100_000_000
    assert leak_bound_bytes(interval_ms) == leaked_bytes


def test_readings_are_wanted_sooner_as_the_limit_nears() -> None:
    intervals = []
    for used_bytes in (QUOTA // 2, QUOTA * 8 // 10 + 1, QUOTA):
        life = Life()
        life.read(NOON_MS, used_bytes)
        last = life.quota.take_decisions()[-1]
        message = decision_message(last, NOON_MS, NOON_MS - 5)
        assert message.arrived_time_ms == NOON_MS - 5
        intervals.append(message.report_interval_ms)

    assert intervals == sorted(intervals, reverse=True)
    assert intervals[-1] == REPORT_INTERVAL_MIN_MS
