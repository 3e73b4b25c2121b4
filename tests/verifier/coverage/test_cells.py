import numpy as np

from phusong.kernels.columns import CellReports
from phusong.kernels.reject import Reject
from phusong.kernels.wire.text import text_hash
from phusong.verifier.coverage.cells import CellState, SiteClaim
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


def add(cells: CellState, *rows: dict[str, int]) -> list[int]:
    assert isinstance(SITES, SiteRegister)
    full = [GOOD | row for row in rows]
    reports = CellReports(*(np.array([r[n] for r in full], np.int64) for n in CellReports._fields))
    reason = np.zeros(len(rows), np.int64)
    cells.add(reports, reports.observed_time_ms, SITES, reason)
    return reason.tolist()


def test_a_site_the_register_lacks_is_a_reason() -> None:
    rows = ({}, {"site_code": 0}, {"site_code": text_hash("A2")})

    assert add(CellState(), *rows) == [0, 0, Reject.SITE_UNKNOWN]


def test_milestones_are_the_earliest_and_the_state_is_the_latest() -> None:
    cells = CellState()

    add(cells, {"observed_time_ms": 300, "on_air": 0}, {"on_air_since_time_ms": 40})
    add(cells, {"observed_time_ms": 200, "on_air_since_time_ms": 60})

    assert cells.site_claims() == {(A1, "viettel"): SiteClaim(100, 40, is_on_air=False)}


def test_a_site_is_on_air_when_one_of_its_cells_is() -> None:
    cells = CellState()

    add(cells, {"on_air": 0}, {"cell_identity": 6, "observed_time_ms": 500}, {"site_code": 0})

    assert cells.site_claims() == {(A1, "viettel"): SiteClaim(100, 500, is_on_air=True)}


def test_a_cell_that_does_not_say_is_not_on_air() -> None:
    cells = CellState()

    add(cells, {"on_air": -1})

    assert cells.site_claims() == {(A1, "viettel"): SiteClaim(100, None, is_on_air=False)}


def test_order_and_merges_change_nothing() -> None:
    rows = [{"observed_time_ms": t, "on_air": t % 3 - 1, "cell_identity": t % 2} for t in range(9)]
    whole, merged, other = CellState(), CellState(), CellState()
    add(whole, *rows)
    add(merged, *rows[4:])
    add(other, *rows[:4])

    merged.merge(other)
    restored = CellState()
    restored.restore(merged.export())

    for name, array in whole.export().items():
        assert (array == restored.export()[name]).all(), name
