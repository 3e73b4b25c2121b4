from importlib import resources

import numpy as np

from phusong.verifier.coverage.cells import CellState
from phusong.verifier.coverage.policy import DEFAULT_FILE, Policy, read_policy
from phusong.verifier.coverage.records import Verdict
from phusong.verifier.coverage.state import CoverageState
from phusong.verifier.names import Names
from phusong.verifier.programme.sites import verdict_of_site
from phusong.verifier.registry.sites import SiteRegister, read_sites
from reference.places import Part
from reference.signal_rows import columns_of
from reference.walk import DAY_MS, HOUR_MS, NINE_MS, cells_of, walk

TERMS = """
[service]
decides = true
share_permille = 900
access_failure_permille_max = 50
access_samples_min = 1
source = "a test"
verified = true

[[service.floors]]
rat = "LTE"
zone = "2"
provinces = []
download_min_bits_per_s = 2_500_000
latency_max_ms = 0
source = "a test"
verified = true
"""
SITES = read_sites(
    b"site_code,name,province_code,list,operators,part,latitude_deg,longitude_deg,radius_m\n"
    b"A1,Ban A,02,283,viettel,centre,21.0,105.5,200\nA1,Ban A,02,283,viettel,cum,21.5,105.5,200\n"
)


def test_slow_downloads_in_one_part_refute_no_other() -> None:
    policy = read_policy(
        resources.files("phusong.verifier.coverage").joinpath(DEFAULT_FILE).read_bytes()
        + TERMS.encode()
    )
    assert isinstance(policy, Policy), policy
    assert isinstance(SITES, SiteRegister)
    state, operators = CoverageState(SITES, policy), Names(["viettel"])
    for device, latitude_deg, bits_per_s in ((1, 21.0, 9_000_000), (5, 21.5, 1000)):
        part = Part(latitude_deg, 105.5, 200.0)
        visits = [
            (device + phone, day * DAY_MS + phone * 5 * HOUR_MS)
            for phone in (0, 1)
            for day in (0, 1)
        ]
        rows = walk(cells_of(part), visits=visits, part=part)
        readings = columns_of([row | {"download_bits_per_s": bits_per_s} for row in rows])
        nothing = np.zeros(len(rows), np.int64)
        state.add(readings, readings.observed_time_ms, nothing, operators, nothing.copy())

    (row,) = state.verdicts(NINE_MS + 10 * DAY_MS, operators, CellState())

    assert row.verdict is Verdict.NOT_COVERED
    assert {part.verdict for part in row.parts} == {Verdict.INSUFFICIENT}
    # By another network the first part may be served: nothing says that it is not by this one.
    assert verdict_of_site([row]).verdict is Verdict.INSUFFICIENT
