"""Whatever the order of arrival and however shards are merged, everything said of the sites is the same."""

import random
from typing import Any

import numpy as np
import pytest

from phusong.kernels.columns import CellReports
from phusong.kernels.wire.text import text_hash
from phusong.verifier.coverage.cells import CellState
from phusong.verifier.coverage.policy import default_policy
from phusong.verifier.coverage.state import CoverageState
from phusong.verifier.names import Names
from phusong.verifier.registry.sites import SiteRegister, read_sites
from reference.places import Part
from reference.signal_rows import REDDI, VIETTEL, VINAPHONE, columns_of
from reference.walk import DAY_MS, HOUR_MS, NINE_MS, cells_of, walk

SITES = read_sites(
    b"site_code,name,province_code,list,operators,part,latitude_deg,longitude_deg,radius_m\n"
    b"A1,Ban A,02,283,viettel;vinaphone,centre,21.0,105.5,200\n"
    b"A1,Ban A,02,283,viettel;vinaphone,cum,21.02,105.52,150\n"
)
HAMLET, CLUSTER = Part(21.0, 105.5, 200.0), Part(21.02, 105.52, 150.0)
NOW_MS = NINE_MS + 10 * DAY_MS
SHARD_COUNT = 4
Shard = tuple[CoverageState, CellState]


def readings() -> list[dict[str, Any]]:
    """Two networks over two parts, good, bad and silent, with tests of the service."""
    rows = walk(cells_of(HAMLET), part=HAMLET, download_bits_per_s=9_000_000, access_succeeded=1)
    rows += walk(cells_of(CLUSTER), lambda e, n: -90.0 - 7 * (e + n) % 60, part=CLUSTER)
    theirs = {"sim_plmn": VINAPHONE, "serving_plmn": VINAPHONE, "latency_ms": 30.0}
    rows += walk(
        cells_of(HAMLET)[::2], lambda e, _: None if e > 0 else -125.0, part=HAMLET, **theirs
    )
    return rows


def reports() -> list[dict[str, int]]:
    good = dict.fromkeys(CellReports._fields, -1) | {"site_code": text_hash("A1"), "rat": 3}
    good |= {"on_air": 1, "heartbeat_interval_ms": HOUR_MS}
    return [
        good | {"plmn": plmn, "cell_identity": cell, "observed_time_ms": NINE_MS + hour * HOUR_MS}
        for plmn in (VIETTEL, VINAPHONE, REDDI)
        for cell in (5, 6)
        for hour in range(0, 60, 3 + cell)
    ]


def shard(rows: list[dict[str, Any]], heard: list[dict[str, int]], operators: Names) -> Shard:
    assert isinstance(SITES, SiteRegister)
    coverage, cells = CoverageState(SITES, default_policy()), CellState()
    signal, nothing = columns_of(rows), np.zeros(len(rows), np.int64)
    coverage.add(signal, signal.observed_time_ms, nothing, operators, nothing.copy())
    columns = (np.array([row[name] for row in heard], np.int64) for name in CellReports._fields)
    cell_reports, none = CellReports(*columns), np.zeros(len(heard), np.int64)
    cells.add(cell_reports, cell_reports.observed_time_ms, SITES, none, none + 77)
    return coverage, cells


def said(found: Shard, operators: Names) -> str:
    """Return all that reports say, as text: equal to the last digit."""
    coverage, cells = found
    return repr(
        [
            coverage.verdicts(NOW_MS, operators, cells),
            sorted(coverage.floor_shares(NOW_MS, operators).items()),
            sorted(coverage.test_results(NOW_MS, operators).items()),
            sorted(coverage.milestones(NOW_MS, operators, cells, {77: 3}, {"A1"}).items()),
        ]
    )


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_order_and_merges_change_no_digit(seed: int) -> None:
    draw = random.Random(seed)
    rows, heard = readings(), reports()
    names = Names(["viettel", "vinaphone"])
    expected = said(shard(rows, heard, names), names)
    draw.shuffle(rows)
    draw.shuffle(heard)

    # Networks are met in another order, too.
    operators = Names(["reddi", "vinaphone", "viettel"])
    shards = [
        shard(rows[n::SHARD_COUNT], heard[n::SHARD_COUNT], operators) for n in range(SHARD_COUNT)
    ]
    while len(shards) > 1:
        one, other = (shards.pop(draw.randrange(len(shards))) for _ in range(2))
        one[0].merge(other[0])
        one[1].merge(other[1])
        shards.append(one)

    assert said(shards[0], operators) == expected
    assert "COVERED" in expected
