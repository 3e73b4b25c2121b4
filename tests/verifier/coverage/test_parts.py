"""Each part of a site is judged, the site by all of them, per operator and technology and by any."""

from typing import Any

import numpy as np

from phusong.verifier.coverage.policy import default_policy
from phusong.verifier.coverage.records import PartVerdict, SiteVerdict, Verdict
from phusong.verifier.coverage.state import CoverageState
from phusong.verifier.names import Names
from phusong.verifier.programme.sites import sites_by_any
from phusong.verifier.registry.sites import SiteRegister, read_sites
from reference.places import Part
from reference.signal_rows import RAT, VIETTEL, VINAPHONE, columns_of
from reference.walk import DAY_MS, NINE_MS, cells_of, walk

CENTRE, CLUSTER = Part(21.0, 105.5, 200.0), Part(21.02, 105.52, 150.0)
HEADER = "site_code,name,province_code,list,operators,part,latitude_deg,longitude_deg,radius_m\n"
LINES = """A1,Ban A,02,283,viettel;vinaphone,centre,21.0,105.5,200
A1,Ban A,02,283,viettel;vinaphone,cum,21.02,105.52,150
"""
NOW_MS = NINE_MS + 10 * DAY_MS
Row = dict[str, Any]


def surveyed(part: Part, level_dbm: float = -90.0, **fields: Any) -> list[Row]:
    return walk(cells_of(part), lambda *_: level_dbm, part=part, **fields)


def judge(rows: list[Row], as_of_ms: int = NOW_MS) -> dict[tuple[str, str], SiteVerdict]:
    sites = read_sites((HEADER + LINES).encode())
    assert isinstance(sites, SiteRegister), sites
    state, operators = CoverageState(sites, default_policy()), Names(["viettel", "vinaphone"])
    readings = columns_of(rows)
    nothing = np.zeros(len(rows), np.int64)
    state.add(readings, readings.observed_time_ms, nothing, operators, nothing.copy())
    return {(row.operator, row.technology): row for row in state.verdicts(as_of_ms, operators)}


def by_any(rows: dict[tuple[str, str], SiteVerdict]) -> tuple[Verdict, dict[str, Verdict]]:
    (site,) = sites_by_any(rows.values())
    return site.verdict, site.parts


def of_parts(row: SiteVerdict) -> list[tuple[str, Verdict]]:
    return [(part.part, part.verdict) for part in row.parts]


def test_a_site_is_covered_when_every_part_is() -> None:
    rows = judge(surveyed(CENTRE) + surveyed(CLUSTER))

    row = rows["viettel", "LTE"]
    assert row.verdict is Verdict.COVERED
    assert of_parts(row) == [("centre", Verdict.COVERED), ("cum", Verdict.COVERED)]
    assert [part.surveyed_count for part in row.parts] == [
        len(cells_of(CENTRE)),
        len(cells_of(CLUSTER)),
    ]
    assert all(part.surveyed_count == part.place_count for part in row.parts)


def test_a_part_without_coverage_refutes_the_site_and_the_other_part_keeps_its_verdict() -> None:
    row = judge(surveyed(CENTRE) + surveyed(CLUSTER, -130.0))["viettel", "LTE"]

    assert row.verdict is Verdict.NOT_COVERED
    assert of_parts(row) == [("centre", Verdict.COVERED), ("cum", Verdict.NOT_COVERED)]
    assert row.reason.startswith("part cum: ")


def test_a_part_nobody_surveyed_leaves_the_site_open() -> None:
    row = judge(surveyed(CENTRE))["viettel", "LTE"]

    assert row.verdict is Verdict.INSUFFICIENT
    assert row.parts[1] == PartVerdict("cum", Verdict.UNTESTED, 32, 0, None, None, None)
    assert any(words.startswith("part cum: no reading that counts") for words in row.missing)


def test_an_operator_of_whom_nothing_was_measured_has_all_parts_untested() -> None:
    row = judge(surveyed(CENTRE))["vinaphone", "LTE"]

    assert row.verdict is Verdict.UNTESTED
    assert of_parts(row) == [("centre", Verdict.UNTESTED), ("cum", Verdict.UNTESTED)]


def test_two_networks_together_may_cover_what_neither_covers_alone() -> None:
    mine = {"sim_plmn": VIETTEL, "serving_plmn": VIETTEL}
    theirs = {"sim_plmn": VINAPHONE, "serving_plmn": VINAPHONE}

    rows = judge(surveyed(CENTRE, **mine) + surveyed(CLUSTER, **theirs))

    assert {row.verdict for row in rows.values()} == {Verdict.INSUFFICIENT}
    assert by_any(rows) == (
        Verdict.COVERED,
        {"centre": Verdict.COVERED, "cum": Verdict.COVERED},
    )


def test_two_technologies_of_one_network_may_too() -> None:
    new_radio = {"rat": RAT["NR"], "rsrp_dbm": float("nan"), "ss_rsrp_dbm": -90.0}

    rows = judge(surveyed(CENTRE) + surveyed(CLUSTER, **new_radio))

    assert {row.verdict for row in rows.values()} <= {Verdict.INSUFFICIENT, Verdict.UNTESTED}
    assert by_any(rows)[0] is Verdict.COVERED


def test_parts_expire_with_their_evidence() -> None:
    rows = judge(surveyed(CENTRE) + surveyed(CLUSTER), NINE_MS + 500 * DAY_MS)

    row = rows["viettel", "LTE"]
    assert row.verdict is Verdict.STALE
    assert of_parts(row) == [("centre", Verdict.STALE), ("cum", Verdict.STALE)]
    assert by_any(rows)[0] is Verdict.STALE
