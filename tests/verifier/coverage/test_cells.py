import numpy as np

from phusong.kernels.columns import CellReports
from phusong.kernels.reject import Reject
from phusong.kernels.wire.text import text_hash
from phusong.verifier.coverage.cells import CellState, ClaimKey
from phusong.verifier.coverage.claims import SiteClaim
from phusong.verifier.registry.sites import SiteRegister, read_sites

SITES = read_sites(
    b"site_code,name,province_code,list,operators,lat,lon\nA1,Ban A,02,283,viettel,21.0,105.5\n"
)
A1 = text_hash("A1")
GOOD = dict.fromkeys(CellReports._fields, -1) | {
    "plmn": 45204,
    "cell_identity": 5,
    "site_code": A1,
    "rat": 3,
    "observed_time_ms": 100,
    "on_air": 1,
}


def add(cells: CellState, *rows: dict[str, int], sender: int = 5) -> list[int]:
    assert isinstance(SITES, SiteRegister)
    full = [GOOD | row for row in rows]
    reports = CellReports(*(np.array([r[n] for r in full], np.int64) for n in CellReports._fields))
    reason = np.zeros(len(rows), np.int64)
    senders = np.full(len(rows), sender, np.int64)
    cells.add(reports, reports.observed_time_ms, SITES, reason, senders)
    return reason.tolist()


def test_a_site_the_register_lacks_is_a_reason() -> None:
    rows = ({}, {"site_code": 0}, {"site_code": text_hash("A2")})

    assert add(CellState(), *rows) == [0, 0, Reject.SITE_UNKNOWN]


LATER_MS = 1000
LTE = ClaimKey(A1, "viettel", 3)


def claim(cells: CellState, as_of_ms: int = LATER_MS) -> SiteClaim:
    return cells.site_claims(as_of_ms)[LTE]


def test_milestones_are_the_earliest_and_the_state_is_the_latest() -> None:
    cells = CellState()

    add(cells, {"observed_time_ms": 300, "on_air": 0}, {"on_air_since_time_ms": 40})
    add(cells, {"observed_time_ms": 200, "on_air_since_time_ms": 60})

    found = claim(cells)
    assert (found.first_telemetry_ms, found.last_telemetry_ms) == (100, 300)
    assert (found.on_air_since_ms, found.is_on_air) == (40, False)


def test_a_site_is_on_air_when_one_of_its_cells_is() -> None:
    cells = CellState()

    add(cells, {"on_air": 0}, {"cell_identity": 6, "observed_time_ms": 500}, {"site_code": 0})

    assert set(cells.site_claims(LATER_MS)) == {LTE}
    assert (claim(cells).on_air_since_ms, claim(cells).is_on_air) == (500, True)


def test_a_cell_that_does_not_say_is_not_on_air() -> None:
    cells = CellState()

    add(cells, {"on_air": -1})

    assert (claim(cells).on_air_since_ms, claim(cells).is_on_air) == (None, False)


def test_each_technology_claims_for_itself() -> None:
    cells = CellState()

    add(cells, {}, {"rat": 2, "cell_identity": 6, "observed_time_ms": 50})

    assert claim(cells).first_telemetry_ms == 100
    assert cells.site_claims(LATER_MS)[LTE._replace(rat=2)].first_telemetry_ms == 50


def test_what_was_not_yet_claimed_is_no_claim() -> None:
    cells = CellState()

    add(cells, {"observed_time_ms": 500})

    assert cells.site_claims(499) == {}


def beat(time_ms: int, **others: int) -> dict[str, int]:
    return {"observed_time_ms": time_ms, "heartbeat_interval_ms": 10} | others


def test_a_station_is_silent_once_three_heartbeats_did_not_come() -> None:
    cells = CellState()

    add(cells, beat(200), beat(120), beat(100), beat(150))

    # Heard until 150 + 30, and again from 200 until 230.
    assert claim(cells, 300).silences == ((181, 199), (231, 300))
    assert claim(cells, 300).silent_ms == 89
    assert claim(cells, 230).silences == ((181, 199),)
    assert claim(cells, 150).silences == ()


def test_a_site_is_heard_when_one_of_its_cells_is() -> None:
    cells = CellState()

    add(cells, beat(100), beat(125, cell_identity=6), beat(150))

    assert claim(cells, 180).silences == ()


def test_who_announces_no_heartbeat_misses_none() -> None:
    cells = CellState()

    add(cells, {})

    assert claim(cells).silences is None
    assert claim(cells).silent_ms == 0


def test_a_heartbeat_of_years_is_one_of_a_week() -> None:
    cells = CellState()
    week_ms = 7 * 86_400_000

    add(cells, beat(100, heartbeat_interval_ms=2**62))

    assert claim(cells, 4 * week_ms).silences == ((101 + 3 * week_ms, 4 * week_ms),)


def test_a_claim_reaches_from_since_when_until_the_last_word() -> None:
    cells = CellState()

    add(cells, beat(100, on_air_since_time_ms=40), beat(200, on_air=0))

    assert claim(cells).claimed == ((40, 130),)
    assert claim(cells).is_claimed_within(10, 40)
    assert not claim(cells).is_claimed_within(131, 900)


def test_the_last_word_of_who_has_no_heartbeat_holds_until_it_says_otherwise() -> None:
    cells = CellState()
    add(cells, {"on_air_since_time_ms": 40})

    assert claim(cells, 700).claimed == ((40, 700),)

    add(cells, {"observed_time_ms": 300, "on_air": 0})

    assert claim(cells, 700).claimed == ((40, 100),)


def test_who_reported_for_a_site_is_known() -> None:
    cells = CellState()

    add(cells, {}, {"site_code": 0}, sender=77)

    assert cells.senders_by_site() == {(A1, "viettel"): {77}}


def test_order_and_merges_change_nothing() -> None:
    rows = [
        beat(
            100 * t % 700, on_air=t % 3 - 1, cell_identity=t % 2, heartbeat_interval_ms=t * 9 or -1
        )
        for t in range(9)
    ]
    whole, merged, other = CellState(), CellState(), CellState()
    add(whole, *rows)
    add(merged, *rows[4:])
    add(other, *rows[:4])

    merged.merge(other)
    restored = CellState()
    restored.restore(merged.export())

    for name, array in whole.export().items():
        assert (array == restored.export()[name]).all(), name
