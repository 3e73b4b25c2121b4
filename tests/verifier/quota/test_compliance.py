"""Compliance both ways: against a slow clerk on made-up days, and on real states with every fault there is."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from frames import usage_frame
from hypothesis import given, settings
from hypothesis import strategies as st

from phusong.dashboards.commands import quota_compliance, replaying
from phusong.dashboards.commands.exits import USAGE
from phusong.kernels.frame import PayloadKind, Route, Transport, encode_envelope_head, encode_route
from phusong.v1.journal_pb2 import RegistryEntry
from phusong.verifier.journal import StoredFrame
from phusong.verifier.placing import Horizon
from phusong.verifier.quota.compliance import (
    RATE_BYTES_PER_S,
    ComplianceRow,
    CutFacts,
    DayFacts,
    Finding,
    SimFacts,
    compliance,
    spread_of,
)
from phusong.verifier.quota.day_facts import day_facts, knows_cuts
from phusong.verifier.quota.decisions import decision_message
from phusong.verifier.quota.enforcement import DAYS_KEPT
from phusong.verifier.quota.settings import QuotaSettings
from phusong.verifier.registry.entries import RegistryHistory
from phusong.verifier.state import State, new_state
from reference import compliance as reference
from reference.usage import DAY_MS, FIRST_OF_OCTOBER, HOUR_MS, MIDNIGHT_MS, MINUTE_MS, Usage

TODAY = FIRST_OF_OCTOBER
NOON_MS = MIDNIGHT_MS + 12 * HOUR_MS
QUOTA = 4 * 2**30
OPERATORS, PROVINCES = ["viettel", "vinaphone"], ["", "02"]

sims = st.fixed_dictionaries(
    {
        "operator": st.sampled_from(OPERATORS),
        "province": st.sampled_from(PROVINCES),
        "entitled": st.booleans(),
        "heard": st.booleans(),
        "heard_before": st.booleans(),
        "used": st.integers(QUOTA - 3, QUOTA + 3) | st.integers(0, 2 * QUOTA),
        "charged": st.integers(0, 2),
        "after": st.integers(0, 2),
    }
)
moments = st.none() | st.integers(NOON_MS, NOON_MS + DAY_MS)
cuts = st.fixed_dictionaries(
    {
        "sim": st.integers(0, 9),
        "decided": st.integers(NOON_MS, NOON_MS + 3 * HOUR_MS),
        "sent": moments,
        "acknowledged": moments,
        "verified": moments,
        "restored": moments,
    }
)


def facts_of(day_sims: list[dict[str, Any]], day_cuts: list[dict[str, Any]]) -> DayFacts:
    def column(name: str, kind: type = np.int64) -> np.ndarray:
        return np.array([sim[name] for sim in day_sims], kind)

    return DayFacts(
        ict_day=TODAY,
        quota_bytes=QUOTA,
        sims=SimFacts(
            column("key"),
            np.array([OPERATORS.index(sim["operator"]) for sim in day_sims], np.int64),
            np.array([PROVINCES.index(sim["province"]) for sim in day_sims], np.int64),
            column("entitled", np.bool_),
            column("heard", np.bool_),
            column("heard", np.bool_) | column("heard_before", np.bool_),
            column("used"),
            column("charged"),
            column("after"),
        ),
        cuts=[
            CutFacts(
                *(cut["sim"], NOON_MS, None, cut["decided"], cut["sent"]),
                *(cut["acknowledged"], cut["verified"], cut["restored"]),
            )
            for cut in day_cuts
        ],
        operators=OPERATORS,
        provinces=PROVINCES,
        covered_sites={},
        report_interval_s={},
    )


@settings(deadline=None, max_examples=150)
@given(st.lists(sims, max_size=10), st.lists(cuts, max_size=6))
def test_matches_a_clerk_who_looks_at_one_sim_after_the_other(
    found: list[dict[str, Any]], day_cuts: list[dict[str, Any]]
) -> None:
    day_sims = [sim | {"key": key} for key, sim in enumerate(found)]

    rows = {
        (row.operator, row.province_code): row for row in compliance(facts_of(day_sims, day_cuts))
    }

    expected = reference.judge(TODAY, QUOTA, day_sims, day_cuts)
    assert rows.keys() == expected.keys()
    for key, row in rows.items():
        wanted = expected[key]
        assert (row.entitled_sims, row.heard_sims) == (wanted["entitled"], wanted["heard"])
        assert (row.early_cuts, row.denied_s) == (wanted["early"], wanted["denied_ms"] // 1000)
        assert row.zero_rated_charged_bytes == wanted["charged"]
        assert row.not_provisioned_sims == wanted["not_provisioned"]
        assert row.telemetry_gap_sims == wanted["gaps"]
        assert row.after_window_bytes == wanted["after"]
        assert (row.cuts, row.unverified_cuts) == (wanted["cuts"], wanted["unverified"])
        for spread, values in (
            (row.overshoot_bytes, wanted["over"]),
            (row.latency_ms["sent_to_acknowledged"], wanted["waits"]),
        ):
            assert spread.count == len(values)
            assert (spread.p50, spread.p95, spread.p99, spread.max) == tuple(
                reference.rank(values, percent) for percent in (50, 95, 99, 100)
            )
        assert (Finding.EARLY_CUT in row.findings) == (wanted["early"] > 0)


def test_a_percentile_is_a_value_that_occurred() -> None:
    assert spread_of(list(range(1, 101))).p95 == 95
    assert spread_of([7]).p50 == spread_of([7]).max == 7


class Day:
    """A state that is fed what a day brings, and judged."""

    def __init__(self, register: str = "7,viettel,02,2021-10-01\n") -> None:
        self.state: State = new_state(RegistryHistory(), Horizon(), QuotaSettings())
        self.sequence = 0
        head = "subscriber_key,operator,province_code,handover_date\n"
        self.enter("sims", (head + register).encode())

    def enter(self, registry: str, content: bytes, time_ms: int = MIDNIGHT_MS) -> None:
        route = Route("", "registry", "", Transport.SERVICE, PayloadKind.REGISTRY)
        entry = RegistryEntry(registry=registry, file="f", content=content)
        self._take(route, entry.SerializeToString(), time_ms)

    def read(self, *rows: Usage, time_ms: int = NOON_MS) -> None:
        self.sequence += 1
        self.state.apply(usage_frame(self.sequence, time_ms, list(rows)))

    def decide(self, time_ms: int) -> None:
        """Journal what the state implies, as the collector does."""
        route = Route("viettel", "decisions", "", Transport.SERVICE, PayloadKind.DECISION)
        for position, record in enumerate(self.state.quota.take_decisions(), 1):
            message = decision_message(record, time_ms, time_ms - 10)
            message.position = position + 10 * self.sequence
            self._take(route, message.SerializeToString(), time_ms)

    def _take(self, route: Route, payload: bytes, time_ms: int) -> None:
        self.sequence += 1
        body = encode_route(1, route) + encode_envelope_head(1, len(payload)) + payload
        self.state.apply(StoredFrame(self.sequence, time_ms, body, bytes(32)))

    def row(self, day: int = TODAY, operator: str = "viettel") -> ComplianceRow:
        rows = compliance(day_facts(self.state, day, MIDNIGHT_MS + 5 * DAY_MS))
        (found,) = (row for row in rows if row.operator == operator)
        return found


def test_a_day_as_it_should_be_finds_nothing() -> None:
    day = Day()

    day.read(Usage(NOON_MS, down=QUOTA // 2))

    row = day.row()
    assert row.findings == ()
    assert (row.operator, row.province_code, row.entitled_sims, row.heard_sims) == (
        *("viettel", "02", 1),
        1,
    )


def test_leakage_and_an_early_cut_on_one_sim_day_are_both_told() -> None:
    """Cut on a value that was corrected, restored, and over in the end."""
    day = Day()
    day.read(Usage(NOON_MS, down=QUOTA, group=9))
    day.decide(NOON_MS + 1000)
    free = (
        b"platform,domain,free_from,free_until,operator,rating_group\np,d,2021-10-01,,viettel,9\n"
    )
    day.enter("platforms", free, NOON_MS + HOUR_MS)
    day.decide(NOON_MS + HOUR_MS)
    day.read(
        Usage(NOON_MS + 2 * HOUR_MS, down=QUOTA + 99, session=2), time_ms=NOON_MS + 2 * HOUR_MS
    )

    row = day.row()

    assert (row.early_cuts, row.denied_s) == (1, 3599)
    assert row.zero_rated_charged_bytes == QUOTA
    assert (row.sims_over, row.over_permille, row.overshoot_bytes.max) == (1, 1000, 99)
    assert {Finding.EARLY_CUT, Finding.ZERO_RATED_CHARGED} <= set(row.findings)


def test_a_sim_never_heard_of_is_not_provisioned_and_one_that_fell_silent_is_a_gap() -> None:
    day = Day("7,viettel,02,2021-09-30\n8,viettel,02,2021-09-30\n")
    day.read(Usage(NOON_MS - DAY_MS, down=5))

    row = day.row()

    assert (row.entitled_sims, row.heard_sims) == (2, 0)
    assert (row.not_provisioned_sims, row.telemetry_gap_sims) == (1, 1)
    assert Finding.NOT_PROVISIONED in row.findings


@pytest.mark.parametrize("handover", ["2021-10-02", "2021-06-30"])
def test_use_outside_the_months_is_told_and_is_no_overshoot(handover: str) -> None:
    day = Day(f"7,viettel,02,{handover}\n")
    day.read(Usage(NOON_MS, down=QUOTA + 5))

    row = day.row()

    assert (row.entitled_sims, row.sims_over) == (0, 0)
    assert (row.after_window_sims, row.after_window_bytes) == (1, QUOTA + 5)
    assert row.findings == (Finding.USE_AFTER_WINDOW,)


def test_days_where_no_listed_site_is_covered_are_told_and_where_none_is_listed_unknown() -> None:
    day = Day()
    day.read(Usage(NOON_MS, down=5))
    assert day.row().sim_days_without_coverage is None

    unseen = Day()
    sites = "site_code,name,province_code,list,operators,latitude_deg,longitude_deg\n"
    unseen.enter("sites", (sites + "A,a,02,283,viettel,21.0,105.8\n").encode())

    row = unseen.row()
    assert (row.sites_covered, row.sites_listed, row.sim_days_without_coverage) == (0, 1, 1)
    assert Finding.NO_COVERAGE in row.findings


@pytest.mark.parametrize("interval_s", [10, 60, 600])
def test_what_is_used_beyond_the_quota_stays_within_what_the_report_interval_predicts(
    interval_s: int,
) -> None:
    """At 100 Mbit/s: 125 MB, 750 MB, 7.5 GB. The network stops it when the report that crossed has arrived."""
    day = Day()
    time_ms, used = NOON_MS, 0
    rows = []
    while used < QUOTA:
        time_ms += interval_s * 1000
        used += interval_s * RATE_BYTES_PER_S
        rows.append(Usage(time_ms, down=used))
    day.read(*rows)

    over = day.row().overshoot_bytes.max
    assert over is not None
    assert 0 < over <= interval_s * RATE_BYTES_PER_S


def test_a_cut_nobody_acknowledged_is_not_called_unverified() -> None:
    day = Day()
    day.read(Usage(NOON_MS, down=QUOTA + MINUTE_MS))
    day.decide(NOON_MS + 1000)

    row = day.row()

    assert (row.cuts, row.unverified_cuts, row.early_cuts) == (1, 0, 0)
    assert row.latency_ms["arrived_to_decided"].count == 1


def test_a_day_whose_decisions_were_forgotten_is_not_one_on_which_nobody_was_cut(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    day = Day()
    for number in range(DAYS_KEPT + 1):
        time_ms = NOON_MS + number * DAY_MS
        session = number + 1
        day.read(Usage(time_ms, down=QUOTA + MINUTE_MS, session=session), time_ms=time_ms)
        day.decide(time_ms + 1000)
    monkeypatch.setattr(replaying, "state_of", lambda *_: day.state)

    assert not knows_cuts(day.state, TODAY)
    assert knows_cuts(day.state, TODAY + 1)
    assert day.row(TODAY + 1).cuts == 1
    with pytest.raises(SystemExit) as ended:
        quota_compliance.compliance(Path(), "2021-10-01")

    assert ended.value.code == USAGE
    assert "--as-of 2021-10-07" in capsys.readouterr().err
