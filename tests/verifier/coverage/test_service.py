"""Tests of the service: shown always, part of the verdict only where the policy asks; the same statistics as for the level."""

from collections.abc import Callable
from importlib import resources
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phusong.verifier.coverage.cells import CellState
from phusong.verifier.coverage.policy import DEFAULT_FILE, Policy, default_policy, read_policy
from phusong.verifier.coverage.records import SiteVerdict, Standing, TestResult, Verdict
from phusong.verifier.coverage.state import CoverageState
from phusong.verifier.names import Names
from phusong.verifier.registry.sites import SiteRegister, read_sites
from reference.places import Part
from reference.signal_rows import columns_of
from reference.walk import DAY_MS, HOUR_MS, NINE_MS, STEP_MS, cells_of, walk

TEXT = resources.files("phusong.verifier.coverage").joinpath(DEFAULT_FILE).read_text("utf-8")
TERMS = """
[service]
decides = true
share_permille = 900
access_failure_permille_max = 50
access_samples_min = 1500
source = "QCVN 81:2019/BTTTT"
verified = true

[[service.floors]]
rat = "LTE"
zone = "1"
provinces = ["01", "79"]
download_min_bits_per_s = 5_000_000
latency_max_ms = 0
source = "QCVN 81:2019/BTTTT"
verified = true

[[service.floors]]
rat = "LTE"
zone = "2"
provinces = []
download_min_bits_per_s = 2_500_000
latency_max_ms = 100
source = "QCVN 81:2019/BTTTT"
verified = true
"""
HEADER = "site_code,name,province_code,list,operators,part,latitude_deg,longitude_deg,radius_m\n"
HAMLET = Part(21.0, 105.5, 200.0)
ALL = cells_of(HAMLET)
NAME = ("A1", "viettel", "LTE")
NOW_MS = NINE_MS + 10 * DAY_MS
Row = dict[str, Any]


def policy_of(extra: str = TERMS) -> Policy:
    found = read_policy((TEXT + extra).encode())
    assert isinstance(found, Policy), found
    return found


def errors(old: str, new: str) -> list[tuple[str, str]]:
    assert old in TERMS
    found = read_policy((TEXT + TERMS.replace(old, new, 1)).encode())
    assert isinstance(found, list)
    assert all(error.line > TEXT.count("\n") and error.character for error in found)
    return [(error.column, error.message) for error in found]


def state_of(
    rows: list[Row], policy: Policy, province: str = "02", clusters: int = 0
) -> tuple[CoverageState, Names]:
    lines = f"A1,Ban A,{province},283,viettel,centre,21.0,105.5,200\n"
    lines += "".join(
        f"A1,Ban A,{province},283,viettel,cum {n},21.1,105.{n},200\n" for n in range(clusters)
    )
    sites = read_sites((HEADER + lines).encode())
    assert isinstance(sites, SiteRegister), sites
    state, operators = CoverageState(sites, policy), Names(["viettel"])
    add(state, rows, operators)
    return state, operators


def add(state: CoverageState, rows: list[Row], operators: Names) -> None:
    readings = columns_of(rows)
    nothing = np.zeros(len(rows), np.int64)
    state.add(readings, readings.observed_time_ms, nothing, operators, nothing.copy())


def judge(rows: list[Row], policy: Policy, as_of_ms: int = NOW_MS, **site: Any) -> SiteVerdict:
    state, operators = state_of(rows, policy, **site)
    (row,) = state.verdicts(as_of_ms, operators, CellState())
    return row


def results(rows: list[Row], policy: Policy, **site: Any) -> dict[str, TestResult]:
    state, operators = state_of(rows, policy, **site)
    found = state.test_results(NOW_MS, operators)
    return {result.measure: result for result in found.get(NAME, ())}


def with_tests(
    download: Callable[[int], int] | None = None,
    latency: Callable[[int], float] | None = None,
    access: Callable[[int], int] | None = None,
    repeats: int = 1,
) -> list[Row]:
    """Every place cell on two days by two phones, each reading a test; the number of the reading says with what result."""
    visits = [
        (device, day * DAY_MS + device * HOUR_MS + repeat * 20 * 60_000)
        for device in (1, 6)
        for day in (0, 1)
        for repeat in range(repeats)
    ]
    rows = walk(ALL, visits=visits, part=HAMLET)
    for number, row in enumerate(rows):
        # Half a minute apart, as the regulation asks: whoever walks takes half of it from one place to the next.
        row["observed_time_ms"] += number % len(ALL) * (30_000 - STEP_MS)
        if download:
            row["download_bits_per_s"] = download(number)
        if latency:
            row["latency_ms"] = latency(number)
        if access:
            row["access_succeeded"] = access(number)
    return rows


GOOD = {"download": lambda _: 9_000_000, "latency": lambda _: 40.0, "access": lambda _: 1}
MANY = {"repeats": 10}


def test_the_default_policy_asks_for_the_level_alone() -> None:
    assert default_policy().service is None


def test_a_file_that_says_none_asks_for_the_level_alone() -> None:
    old = '\n[service]\ncriterion = "none"\nsource = "the plan names none"\nverified = true\n'

    assert policy_of(old).service is None


def test_a_floor_is_that_of_its_zone() -> None:
    service = policy_of().service

    assert service is not None
    hanoi, ha_giang = service.floor("LTE", "01"), service.floor("LTE", "02")
    assert hanoi is not None
    assert ha_giang is not None
    assert (hanoi.zone, ha_giang.zone) == ("1", "2")
    assert service.floor("NR", "01") is None


@pytest.mark.parametrize(
    ("old", "new", "column"),
    [
        ("decides = true", "decides = 1", "service.decides"),
        ("access_samples_min = 1500", "access_samples_min = 0", "service.access_samples_min"),
        ('rat = "LTE"', 'rat = "UMTS"', "service.floors[0].rat"),  # does not count
        ('["01", "79"]', '["01", "99"]', "service.floors[0].provinces"),
        ('["01", "79"]', '["01", "01"]', "service.floors[0].provinces"),
        ('["01", "79"]', "[]", "service.floors[1].provinces"),  # all others, twice
        ("5_000_000\n", "0\n", "service.floors[0]"),
        ("latency_max_ms = 100\n", "", "service.floors[1].latency_max_ms"),
        ("[[service.floors]]", "[service.floors]", "service.floors"),
        ("share_permille = 900\n", "share_permille = 900\nshare = 0.9\n", "service.share"),
    ],
)
def test_an_error_of_the_section_names_its_key(old: str, new: str, column: str) -> None:
    if column == "service.floors":
        found = read_policy((TEXT + TERMS[: TERMS.index("[[")] + "floors = 3\n").encode())
        assert isinstance(found, list)
        assert found[0].column == column
        return
    assert column in [name for name, _ in errors(old, new)]


def test_without_a_criterion_tests_are_information() -> None:
    rows = with_tests(lambda _: 1_000, lambda _: 900.0, lambda n: int(n % 2 == 0))

    found = results(rows, default_policy())

    assert {r.standing for r in found.values()} == {Standing.NOT_ASKED}
    assert (found["download"].median, found["latency"].median) == (1_000, 900)
    assert found["access"].share == pytest.approx(0.5)
    assert judge(rows, default_policy()) == judge(walk_only(rows), default_policy())
    assert judge(rows, default_policy()).verdict is Verdict.COVERED


def walk_only(rows: list[Row]) -> list[Row]:
    names = {"download_bits_per_s", "latency_ms", "access_succeeded"}
    return [{k: v for k, v in row.items() if k not in names} for row in rows]


def test_a_criterion_that_does_not_decide_is_judged_and_changes_no_verdict() -> None:
    policy = policy_of(TERMS.replace("decides = true", "decides = false"))
    rows = with_tests(download=lambda _: 1_000)

    assert results(rows, policy)["download"].standing is Standing.NOT_MET
    assert judge(rows, policy).verdict is Verdict.COVERED


def test_everything_as_asked_is_covered() -> None:
    row = judge(with_tests(**GOOD, **MANY), policy_of())

    assert row.verdict is Verdict.COVERED
    assert row.missing == ()
    assert "downloads 100.0 % good at 52 places" in row.reason


@pytest.mark.parametrize(
    ("changed", "measure"),
    [
        ({"download": lambda _: 2_499_999}, "download"),
        ({"latency": lambda _: 100.1}, "latency"),
        ({"access": lambda n: int(n % 10 != 0)}, "access"),  # one attempt in ten fails
    ],
)
def test_a_measure_below_what_is_asked_refutes_coverage(changed: Any, measure: str) -> None:
    rows = with_tests(**(GOOD | changed), **MANY)

    assert results(rows, policy_of())[measure].standing is Standing.NOT_MET
    row = judge(rows, policy_of())
    assert row.verdict is Verdict.NOT_COVERED
    assert [part.verdict for part in row.parts] == [Verdict.NOT_COVERED]
    assert "fewer than asked" in row.reason


def test_a_refuted_measure_decides_whatever_the_level_will_turn_out_to_be() -> None:
    """One phone, so that the level is open."""
    one_phone = [row | {"device_key": 1} for row in with_tests(lambda _: 1_000)]

    assert judge(walk_only(one_phone), default_policy()).verdict is Verdict.INSUFFICIENT
    assert judge(one_phone, policy_of()).verdict is Verdict.NOT_COVERED


def test_at_exactly_the_bound_is_as_asked() -> None:
    exact = {"download": lambda _: 2_500_000, "latency": lambda _: 100.0, "access": lambda _: 1}

    assert judge(with_tests(**exact, **MANY), policy_of()).verdict is Verdict.COVERED


def test_the_floor_of_a_better_zone_is_higher() -> None:
    rows = with_tests(lambda _: 3_000_000)

    assert results(rows, policy_of(), province="02")["download"].standing is Standing.MET
    assert results(rows, policy_of(), province="01")["download"].standing is Standing.NOT_MET


def test_fewer_attempts_than_the_regulation_asks_decide_nothing() -> None:
    """52 places, two phones, two days: 208 attempts; 1,500 are asked."""
    row = judge(with_tests(**GOOD), policy_of())

    assert row.verdict is Verdict.INSUFFICIENT
    assert any(words.startswith("1,292 more attempts") for words in row.missing)


def test_attempts_of_a_phone_within_half_a_minute_are_one() -> None:
    rows = with_tests(access=lambda _: 1)
    near = [row | {"observed_time_ms": row["observed_time_ms"] + 29_000} for row in rows]

    assert results(rows, default_policy())["access"].sample_count == 208
    # Of 0, 29, 30, 59, 60 … seconds every second one is far enough.
    assert results(rows + near, default_policy())["access"].sample_count == 208


def test_what_was_never_tested_is_missing() -> None:
    row = judge(walk_only(with_tests()), policy_of())

    assert row.verdict is Verdict.INSUFFICIENT
    assert sum("the policy asks for them and none was made here" in w for w in row.missing) == 3


def test_tests_never_make_a_site_covered() -> None:
    weak = [row | {"rsrp_dbm": -130.0} for row in with_tests(**GOOD, **MANY)]

    assert judge(weak, policy_of()).verdict is Verdict.NOT_COVERED


def test_parts_without_tests_leave_the_site_open() -> None:
    found = results(with_tests(**GOOD, **MANY), policy_of(), clusters=2)

    assert found["download"].standing is Standing.OPEN
    assert found["download"].missing == ("tests of downloads in 2 other parts of the site",)


def test_only_what_was_tested_by_then_and_is_still_valid_counts() -> None:
    rows = with_tests(lambda _: 9_000_000)
    state, operators = state_of(rows, default_policy())

    assert state.test_results(NINE_MS - 1, operators) == {}
    (first_day,) = state.test_results(NINE_MS + 15 * HOUR_MS, operators)[NAME]
    assert first_day.sample_count == 104
    assert state.test_results(NOW_MS + 400 * DAY_MS, operators) == {}


def test_nights_and_technologies_that_do_not_count_are_left_out() -> None:
    night = [
        r | {"observed_time_ms": r["observed_time_ms"] + 13 * HOUR_MS}
        for r in with_tests(lambda _: 1)
    ]

    assert results(night, default_policy()) == {}
    assert (
        results(
            [r | {"rat": 1, "rxlev_dbm": -70.0} for r in with_tests(lambda _: 1)], default_policy()
        )
        == {}
    )


def test_coverage_is_first_verified_when_its_tests_were_as_asked_too() -> None:
    """The level is proven on the second day, the tests with those of the third."""
    rows = walk_only(with_tests()) + [
        row | {"observed_time_ms": row["observed_time_ms"] + 2 * DAY_MS}
        for row in with_tests(**GOOD, **MANY)
    ]

    def first_verified(policy: Policy) -> str | None:
        state, operators = state_of(rows, policy)
        return state.milestones(NOW_MS, operators, CellState(), {}, {"A1"})[NAME].first_verified

    assert first_verified(default_policy()) == "2021-10-02"
    assert first_verified(policy_of()) == "2021-10-04"


samples = st.lists(
    st.fixed_dictionaries(
        {
            "device_key": st.integers(1, 2),
            "observed_time_ms": st.integers(0, 90).map(lambda s: NINE_MS + s * 1000),
            "latitude_deg": st.sampled_from([21.0, 21.0005, 21.001, 10.0]),
            "longitude_deg": st.just(105.5),
            "rsrp_dbm": st.just(-90.0),
            "download_bits_per_s": st.sampled_from([-1, 0, 2_500_000, 9_000_000]),
            "latency_ms": st.sampled_from([float("nan"), 20.0, 200.0]),
            "access_succeeded": st.sampled_from([-1, 0, 1]),
            "service_state": st.sampled_from([1, 2]),
        }
    ),
    max_size=12,
)


@settings(deadline=None)
@given(samples, st.integers(0, 12))
def test_a_batch_may_be_cut_anywhere(rows: list[Row], cut: int) -> None:
    whole, operators = state_of(rows, policy_of())
    merged, _ = state_of(rows[cut:], policy_of())
    other, _ = state_of(rows[:cut], policy_of())

    merged.merge(other)
    restored, _ = state_of([], policy_of())
    restored.restore(merged.export())

    for name, array in whole.service.export().items():
        assert (array == restored.service.export()[name]).all(), name
    assert restored.test_results(NOW_MS, operators) == whole.test_results(NOW_MS, operators)


@settings(deadline=None)
@given(samples)
def test_samples_and_shares_match_the_reference(rows: list[Row]) -> None:
    """Each place weighs the same, in it each device by its samples, at most two."""
    found = results(rows, policy_of())

    for name, field, is_good in (
        ("download", "download_bits_per_s", lambda value: value >= 2_500_000),
        ("access", "access_succeeded", lambda value: value == 1),
    ):
        slots: dict[tuple[float, int, int], tuple[int, int]] = {}
        for row in rows:
            if row[field] != -1 and row["latitude_deg"] != 10.0:
                key = (row["latitude_deg"], row["device_key"], row["observed_time_ms"] // 30_000)
                sample = (row["observed_time_ms"], row[field])
                slots[key] = min(slots.get(key, sample), sample)
        last: dict[int, int] = {}
        kept: dict[tuple[float, int], list[bool]] = {}
        for (place, device, _), (time, value) in sorted(
            slots.items(), key=lambda s: (s[1][0], s[0])
        ):
            if time - last.get(device, -30_000) >= 30_000:
                last[device] = time
                kept.setdefault((place, device), []).append(is_good(value))
        places: dict[float, list[tuple[int, float]]] = {}
        for (place, _), good in kept.items():
            places.setdefault(place, []).append((min(len(good), 2), sum(good) / len(good)))
        shares = [sum(w * s for w, s in p) / sum(w for w, _ in p) for p in places.values()]
        count = sum(len(good) for good in kept.values())
        assert (name in found) == bool(count)
        if count:
            assert found[name].sample_count == count
            assert found[name].share == pytest.approx(sum(shares) / len(shares), abs=1e-6)
