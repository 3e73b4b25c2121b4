"""The number of series does not grow with SIMs: the same service at a thousand and at a million of them."""

from dataclasses import replace

import numpy as np
import pytest

from phusong.collector.counts import Origin, OriginCounts
from phusong.dashboards.exposition import Exposition, Facts
from phusong.kernels.columns import INT_MISSING, UsageReadings
from phusong.kernels.days import ict_day
from phusong.kernels.frame import Transport
from phusong.kernels.reject import TAKEN
from phusong.verifier.placing import Horizon
from phusong.verifier.programme.standing import obligation_figures
from phusong.verifier.quota.settings import QuotaSettings
from phusong.verifier.registry.entries import RegistryHistory
from phusong.verifier.registry.sims import SimRegister
from phusong.verifier.state import State, new_state
from phusong.verifier.status import Judgement, VerifierStatus, judge, row_counts
from phusong.verifier.tallies import RouteKey

NOON_MS = 1_638_334_800_000  # 2021-12-01 12:00 in Vietnam
QUOTA_BYTES = 4 * 2**30
SIM_COUNTS = (1_000, 1_000_000)
SERIES_MAX = 350  # one operator and transport, without a broker; docs/metrics.md says how it grows


class Fixed:
    def __init__(self, of: Facts) -> None:
        self.of = of

    def facts(self) -> Facts:
        return self.of


def readings(sim: np.ndarray) -> UsageReadings:
    """One cumulative counter a SIM; each tenth is over the free volume."""
    zeros = np.zeros(len(sim), np.int64)
    absent = np.full(len(sim), INT_MISSING)
    return UsageReadings(
        payload_row=zeros,
        row=zeros,
        subscriber_key=sim,
        session=sim,
        counter_epoch=zeros,
        sequence=zeros,
        interval_start_time_ms=absent,
        observed_time_ms=zeros + NOON_MS,
        uplink_bytes=zeros,
        downlink_bytes=np.where(sim % 10 == 0, QUOTA_BYTES + sim, sim),
        uplink_gigawords=absent,
        downlink_gigawords=absent,
        counter_width_bits=zeros + 64,
        counter_kind=zeros + 1,
        traffic_class=zeros + 1,
        rating_group=zeros,
        record_type=zeros + 2,
        session_time_ms=absent,
        reporting_delay_ms=absent,
        received_time_ms=absent,
    )


def state_of(sim_count: int) -> State:
    """A state in which every SIM is registered and was heard of today, made from arrays."""
    state = new_state(RegistryHistory(), Horizon(), QuotaSettings())
    sim = np.arange(1, sim_count + 1, dtype=np.int64)
    zeros = np.zeros(sim_count, np.int64)
    today = int(ict_day(NOON_MS))
    register = SimRegister(
        sim, zeros, zeros, zeros + today - 30, zeros + today + 60, ["viettel"], ["01"]
    )
    state.registries.sims = state.quota.sims = register
    reason = zeros + TAKEN
    state.quota.add(
        readings(sim),
        zeros + NOON_MS,
        zeros,
        zeros + NOON_MS,
        zeros,
        zeros + state.operators.row_of("viettel"),
        np.zeros(sim_count, np.bool_),
        reason,
    )
    assert not reason.any()
    state.tallies.received[RouteKey("viettel", int(Transport.MQTT))] = sim_count
    return state


def judged(state: State) -> Judgement:
    verdicts = state.verdicts(NOON_MS)
    return judge(state, verdicts, obligation_figures(state, verdicts, NOON_MS), NOON_MS)


def series_of(judgement: Judgement, state: State, facts: Facts) -> dict[str, float]:
    status = VerifierStatus(1, row_counts(state), 0, 0, judgement)
    sim_count = sum(judgement.quota["today"].sims.values())
    origins = {
        Origin(int(Transport.MQTT), "viettel"): OriginCounts(sim_count, sim_count, sim_count)
    }
    intake = replace(facts.intake, origins=origins)
    shown = replace(facts, status=status, judged=status, intake=intake)
    body, _ = Exposition(Fixed(shown)).page(shown, "text/plain")
    lines = (line for line in body.decode().splitlines() if not line.startswith("#"))
    return {series: float(value) for series, _, value in (line.rpartition(" ") for line in lines)}


@pytest.mark.slow
def test_a_million_sims_have_the_series_of_a_thousand(quiet_facts: Facts) -> None:
    found = []
    for sim_count in SIM_COUNTS:
        state = state_of(sim_count)
        judgement = judged(state)
        assert judgement.quota["today"].sims["EXHAUSTED"] == sim_count // 10
        found.append(series_of(judgement, state, quiet_facts))

    assert set(found[0]) == set(found[1])
    assert len(found[0]) < SERIES_MAX
    counted = 'phusong_quota_sims{day="today",state="WITHIN"}'
    assert [series[counted] for series in found] == [900, 900_000]
