"""From readings to verdicts, one fact per test."""

import dataclasses
import re
from typing import Any

import numpy as np
import pytest

from phusong.kernels.columns import CellReports
from phusong.kernels.screen_signal import screen_signal
from phusong.kernels.wire.text import text_hash
from phusong.verifier.coverage.cells import CellState
from phusong.verifier.coverage.policy import default_policy
from phusong.verifier.coverage.records import SiteVerdict, Verdict
from phusong.verifier.coverage.state import CoverageState
from phusong.verifier.names import Names
from phusong.verifier.registry.sites import SiteRegister, read_sites
from reference.places import Part
from reference.signal_rows import RAT, REDDI, VIETTEL, VINAPHONE, columns_of
from reference.walk import DAY_MS, HAMLET, HOUR_MS, NINE_MS, cells_of, walk

HEADER = "site_code,name,province_code,list,operators,part,latitude_deg,longitude_deg,radius_m\n"
CENTRE = "A1,Ban A,02,283,viettel,centre,21.0,105.5,500\n"
CLUSTER = Part(21.02, 105.52, 200.0)
WITH_CLUSTER = CENTRE + "A1,Ban A,02,283,viettel,cluster,21.02,105.52,200\n"
ALL, NOW_MS = cells_of(HAMLET), NINE_MS + 10 * DAY_MS
SCATTERED = ALL[: len(ALL) * 2 // 5]


def judge(
    rows: list[dict[str, Any]],
    lines: str = CENTRE,
    as_of_ms: int = NOW_MS,
    cells: CellState | None = None,
) -> list[SiteVerdict]:
    sites = read_sites((HEADER + lines).encode())
    assert isinstance(sites, SiteRegister), sites
    state, operators = CoverageState(sites, default_policy()), Names(["viettel"])
    readings = columns_of(rows)
    reason = np.zeros(len(rows), np.int64)
    screen_signal(readings, reason)
    route = np.zeros(len(rows), np.int64)
    state.add(readings, readings.observed_time_ms, route, operators, reason)
    return state.verdicts(as_of_ms, operators, cells)


def bad_west(share: float):
    """Return levels that miss the floor in the western share of the hamlet."""
    edge = sorted(ALL)[int(len(ALL) * share)][0]
    return lambda east, _north: -130.0 if east < edge else -90.0


def silence(_east: int, _north: int) -> None:
    return None


HOME = [
    {"observed_time_ms": NINE_MS + i * 60_000, "latitude_deg": 21.001, "longitude_deg": 105.501}
    | {"rsrp_dbm": -80.0}
    for i in range(5000)
]


@pytest.mark.parametrize(
    ("rows", "verdict"),
    [
        (walk(ALL), Verdict.COVERED),
        (walk(SCATTERED), Verdict.COVERED),
        (walk(ALL, lambda *_: -121.0), Verdict.COVERED),  # at exactly the floor
        (walk(ALL, lambda *_: -121.1), Verdict.NOT_COVERED),
        (walk(ALL, bad_west(0.3)), Verdict.NOT_COVERED),
        (walk(SCATTERED, bad_west(0.3)), Verdict.NOT_COVERED),
        (walk(ALL, silence), Verdict.NOT_COVERED),  # nobody has service: silence counts
        (walk(SCATTERED, bad_west(0.05)), Verdict.INSUFFICIENT),
        (walk(sorted(ALL)[: len(ALL) // 2]), Verdict.INSUFFICIENT),  # one half of the ground
        (HOME, Verdict.INSUFFICIENT),  # a single stationary phone
        (HOME + walk(ALL[:40]), Verdict.INSUFFICIENT),
        (walk(ALL, visits=((7, 0), (7, 5 * HOUR_MS), (7, DAY_MS))), Verdict.INSUFFICIENT),
        (walk(ALL, visits=((7, 0), (8, 60_000), (8, DAY_MS))), Verdict.COVERED),
        (walk(ALL, visits=((7, 0), (8, 5 * HOUR_MS))), Verdict.INSUFFICIENT),  # one day
        (walk(ALL, visits=((7, 0), (8, 1000))), Verdict.INSUFFICIENT),  # one window
        (
            walk(ALL, visits=((7, 14 * HOUR_MS), (8, DAY_MS + 14 * HOUR_MS))),
            Verdict.UNTESTED,
        ),  # by night
        (walk(ALL, rat=RAT["GSM"], rxlev_dbm=-70.0), Verdict.UNTESTED),
        (walk(ALL, cell_role=2), Verdict.UNTESTED),  # a neighbour's level is not service
        (walk(ALL, position_accuracy_m=101.0), Verdict.UNTESTED),
        (walk(ALL, latitude_deg=22.0), Verdict.UNTESTED),
        ([], Verdict.UNTESTED),
    ],
)
def test_what_was_surveyed_decides(rows: list[dict[str, Any]], verdict: Verdict) -> None:
    (row,) = judge(rows)

    assert row.verdict is verdict, row
    assert (row.missing != ()) == (verdict in {Verdict.INSUFFICIENT, Verdict.UNTESTED})


def test_the_fields_are_those_of_the_report() -> None:
    (row,) = judge(walk(SCATTERED))

    assert [field.name for field in dataclasses.fields(row)] == [
        "site_code",
        "name",
        "province_code",
        "list",
        "operator",
        "technology",
        "verdict",
        "reason",
        "counts",
        "design_effect",
        "share",
        "lower_bound",
        "upper_bound",
        "median_level_dbm",
        "first_observed",
        "last_observed",
        "missing",
        "overlay",
        "disputes",
        "parts",
    ]
    assert dataclasses.asdict(row.counts) == {
        "raw": 504,
        "bins": 504,
        "clusters": row.counts.clusters,
        "effective": row.counts.effective,
        "devices": 2,
        "windows": 4,
        "days": 2,
        "quarantined": 0,
    }
    assert (row.share, row.upper_bound, row.median_level_dbm) == (1.0, 1.0, -90)
    assert 0.95 <= row.lower_bound < 1.0
    assert 24 <= row.counts.clusters <= 32
    assert row.design_effect * row.counts.effective == pytest.approx(126, abs=0.2)
    assert (row.first_observed, row.last_observed) == (
        "2021-10-01T02:00:00Z",
        "2021-10-02T07:31:15Z",
    )
    assert "126 of 316 place cells" in row.reason
    assert "not verified" in row.reason


def test_a_census_has_nothing_to_be_unsure_of() -> None:
    (row,) = judge(walk(ALL, bad_west(0.02)))

    assert row.verdict is Verdict.COVERED
    assert row.lower_bound == pytest.approx(row.share, abs=2e-6)
    assert row.upper_bound == pytest.approx(row.share, abs=2e-6)


def test_a_census_by_phones_that_differ_does_not_decide() -> None:
    """Of two phones in every place one misses the floor in six of a hundred: 96 %, give or take what a phone is."""
    deaf = {cell for i, cell in enumerate(sorted(ALL)) if i % 100 < 6}
    one = walk(ALL, visits=((7, 0), (7, DAY_MS)))
    other = walk(
        ALL,
        lambda east, north: -130.0 if (east, north) in deaf else -90.0,
        visits=((8, 5 * HOUR_MS), (8, DAY_MS + 5 * HOUR_MS)),
    )

    (row,) = judge(one + other)

    assert row.verdict is Verdict.INSUFFICIENT
    assert row.share >= 0.95
    # Student's t of one degree of freedom is 6.3, and half the difference of the two phones 0.038.
    assert row.lower_bound == pytest.approx(row.share - 6.3 * 0.038, abs=0.01)
    assert row.missing[0].startswith("other devices over the same ground")


@pytest.mark.parametrize(
    ("bad_days", "verdict"), [(1, Verdict.INSUFFICIENT), (2, Verdict.NOT_COVERED)]
)
def test_a_place_counts_as_missed_when_most_of_what_was_measured_there_missed(
    bad_days: int, verdict: Verdict
) -> None:
    """One good day for both phones, then bad ones: half missed is the network's benefit of the doubt, more is not."""
    good = ((7, 0), (8, 5 * HOUR_MS))
    bad = tuple((d, at + (1 + n) * DAY_MS) for n in range(bad_days) for d, at in good)

    (row,) = judge(walk(ALL, visits=good) + walk(ALL, bad_west(0.4), visits=bad))

    assert row.share < 0.85
    assert row.verdict is verdict


def test_what_is_missing_is_said_in_numbers() -> None:
    (row,) = judge(walk(ALL[:50], visits=((7, 0),)))

    assert row.missing[:4] == (
        "1 more device: 2 asked, 1 measured",
        "1 more time window: 2 asked, 1 measured at least 4 h apart",
        "1 more day: 2 asked, 1 measured",
        "45 more place cells of 50 m: 95 of 316 asked, 50 surveyed",
    )


def test_ground_nobody_entered_is_named() -> None:
    (row,) = judge(walk(sorted(ALL)[: len(ALL) // 2]))

    assert row.missing[0].startswith("ground nobody entered:")


def test_where_nobody_was_is_named_with_coordinates() -> None:
    """The western half is surveyed, so every place named lies in the east, in the footprint's squares, largest first."""
    (row,) = judge(walk([cell for cell in ALL if cell[0] < 0]))

    where = row.missing[-1]
    named = re.findall(r"(\d+\.\d{5}), (\d+\.\d{5})", where)
    assert where.startswith("squares of 200 m nobody entered lie around 20.99730, 105.50096; ")
    assert len(named) == 5
    assert all(float(longitude) > 105.5 for _, longitude in named)
    assert where.endswith("more")


def test_a_site_is_covered_when_every_part_is() -> None:
    cluster = walk(cells_of(CLUSTER), part=CLUSTER)
    deaf = walk(cells_of(CLUSTER), lambda *_: -130.0, part=CLUSTER)

    assert [row.verdict for row in judge(walk(ALL) + cluster, WITH_CLUSTER)] == [Verdict.COVERED]
    (bad,) = judge(walk(ALL) + deaf, WITH_CLUSTER)
    (half,) = judge(walk(ALL), WITH_CLUSTER)

    assert bad.verdict is Verdict.NOT_COVERED
    assert bad.reason.startswith("part cluster:")
    assert half.verdict is Verdict.INSUFFICIENT
    assert half.missing[0].startswith("part cluster: no reading that counts")


def test_a_virtual_operators_customer_credits_the_network_that_was_built() -> None:
    (row,) = judge(walk(ALL, sim_plmn=REDDI, serving_plmn=VIETTEL))

    assert (row.operator, row.verdict) == ("viettel", Verdict.COVERED)


def test_silence_is_of_the_sims_own_operator() -> None:
    rows = judge(walk(ALL, silence, sim_plmn=VINAPHONE, serving_plmn=0))

    assert [(row.operator, row.verdict) for row in rows] == [
        ("viettel", Verdict.UNTESTED),
        ("vinaphone", Verdict.NOT_COVERED),
    ]


def test_evidence_of_others_than_the_responsible_is_shown_too() -> None:
    rows = judge(walk(ALL, sim_plmn=VINAPHONE, serving_plmn=VINAPHONE))

    assert [(row.operator, row.verdict) for row in rows] == [
        ("viettel", Verdict.UNTESTED),
        ("vinaphone", Verdict.COVERED),
    ]
    assert "not listed as responsible" in rows[1].reason


def test_technologies_are_judged_apart() -> None:
    nr = {"rat": RAT["NR"], "ss_rsrp_dbm": -95.0}
    rows = judge(walk(ALL) + walk(ALL[:20], **nr))

    assert [(row.technology, row.verdict) for row in rows] == [
        ("LTE", Verdict.COVERED),
        ("NR", Verdict.INSUFFICIENT),
    ]


def test_what_was_heard_and_does_not_count_is_told() -> None:
    (by_2g,) = judge(walk(ALL[:10], rat=RAT["GSM"], rxlev_dbm=-70.0))
    (by_night,) = judge(walk(ALL[:10], visits=((7, 14 * HOUR_MS),)))

    assert "40 readings of GSM heard here, which the policy does not count." in by_2g.reason
    assert "10 readings outside the measuring hours" in by_night.reason


def test_a_verdict_goes_stale_a_year_after_its_evidence() -> None:
    day_before, day_after = NINE_MS + 366 * DAY_MS, NINE_MS + 367 * DAY_MS

    (fresh,) = judge(walk(ALL), as_of_ms=day_before - DAY_MS)
    (stale,) = judge(walk(ALL), as_of_ms=day_after)
    (never,) = judge(walk(ALL, bad_west(0.3)), as_of_ms=day_after)

    assert fresh.verdict is Verdict.COVERED
    assert stale.verdict is Verdict.STALE
    assert stale.missing == ("a new survey: all readings are older than 365 days",)
    assert never.verdict is Verdict.INSUFFICIENT


def test_what_was_measured_later_does_not_count_as_of_then() -> None:
    (row,) = judge(walk(ALL), as_of_ms=NINE_MS - 1)

    assert row.verdict is Verdict.UNTESTED


def test_a_device_that_contradicts_the_others_on_the_same_ground_is_a_conflict() -> None:
    deaf = walk(ALL, lambda *_: -130.0, visits=((9, 0), (9, DAY_MS)))

    (row,) = judge(walk(ALL) + deaf)

    assert row.verdict is Verdict.CONFLICTED
    assert "another device" in row.missing[0]


def test_devices_on_different_ground_do_not_contradict_each_other() -> None:
    west, east = sorted(ALL)[: len(ALL) // 2], sorted(ALL)[len(ALL) // 2 :]
    deaf = walk(west, lambda *_: -130.0, visits=((7, 0), (7, DAY_MS)))

    (row,) = judge(deaf + walk(east, visits=((8, 5 * HOUR_MS), (8, DAY_MS))))

    assert row.verdict is Verdict.NOT_COVERED


@pytest.mark.parametrize(
    ("on_air", "level", "verdict"),
    [
        (1, silence, Verdict.CONFLICTED),
        (0, silence, Verdict.NOT_COVERED),
        (1, lambda *_: -130.0, Verdict.NOT_COVERED),  # weak is not silent
    ],
)
def test_a_claim_of_on_air_contradicts_silence_and_nothing_else(
    on_air: int, level: Any, verdict: Verdict
) -> None:
    cells = CellState()
    add_claim(cells, on_air)

    (row,) = judge(walk(ALL, level), cells=cells)

    assert row.verdict is verdict


def test_a_claim_of_on_air_is_never_coverage() -> None:
    cells = CellState()
    add_claim(cells, 1)

    assert judge([], cells=cells)[0].verdict is Verdict.UNTESTED


def add_claim(cells: CellState, on_air: int) -> None:
    row = dict.fromkeys(CellReports._fields, -1) | {
        "plmn": VIETTEL,
        "cell_identity": 5,
        "site_code": text_hash("A1"),
        "rat": RAT["LTE"],
        "on_air": on_air,
    }
    reports = CellReports(*(np.array([row[name]], np.int64) for name in CellReports._fields))
    sites = read_sites((HEADER + CENTRE).encode())
    assert isinstance(sites, SiteRegister)
    cells.add(reports, np.array([NINE_MS]), sites, np.zeros(1, np.int64))


def test_windows_of_two_devices_in_one_place_weigh_alike() -> None:
    """A phone that stays for days must not outweigh those who pass."""
    stays = tuple((9, day * DAY_MS + hour * HOUR_MS) for day in range(8) for hour in (0, 5, 9))
    bad = walk(SCATTERED[:1], lambda *_: -130.0, visits=stays)

    (row,) = judge(walk(SCATTERED) + bad)

    # In its cell 2 of 6 capped windows fail; 24 of 28 would without the cap.
    assert row.share == pytest.approx(1 - 1 / 3 / len(SCATTERED), abs=1e-6)
