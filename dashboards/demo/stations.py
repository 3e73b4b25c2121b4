"""What base stations say of their cells: true where there is a network, and sometimes said where there is none."""

from typing import NamedTuple

import numpy as np

from phusong.dashboards.demo import season
from phusong.dashboards.demo.drives import Pair
from phusong.dashboards.demo.sites import Situation
from phusong.kernels.plmn import OPERATORS
from phusong.v1.telemetry_pb2 import CellReport, Rat

CLAIM_SHARE = 0.5  # of the silent pairs: reported as on air although no SIM finds service
REPORT_COUNT = 3
HEARTBEAT_MS = 15 * season.MINUTE_MS
HISTOGRAM_BIN_COUNT = 98  # LTE, TS 36.133


class StationReports(NamedTuple):
    """All reports of one operator's stations, and which pairs they claim against the truth."""

    reports: dict[str, list[CellReport]]
    falsely_claimed: set[int]


def make_reports(rng: np.random.Generator, pairs: list[Pair]) -> StationReports:
    """Return the last few heartbeats of every cell."""
    reports: dict[str, list[CellReport]] = {}
    falsely_claimed: set[int] = set()
    for pair in pairs:
        is_silent = pair.situation is Situation.SILENT
        is_on_air = not is_silent or rng.random() < CLAIM_SHARE
        if is_silent and is_on_air:
            falsely_claimed.add(pair.number)
        # Before anybody measured: what SIMs found earlier would not contradict it.
        since_ms = season.DRIVES_START_MS - int(rng.integers(5, 70)) * season.DAY_MS
        for beat in range(REPORT_COUNT):
            report = _report(rng, pair, beat, is_on_air=is_on_air, since_ms=since_ms)
            reports.setdefault(pair.operator, []).append(report)
    return StationReports(reports, falsely_claimed)


def _report(
    rng: np.random.Generator, pair: Pair, beat: int, *, is_on_air: bool, since_ms: int
) -> CellReport:
    report = CellReport(
        plmn=OPERATORS[pair.operator][0],
        cell_identity=pair.cell_identity,
        site_code=pair.site.site_code,
        rat=Rat.RAT_UMTS if pair.situation is Situation.OLD else Rat.RAT_LTE,
        observed_time_ms=season.CLOCK_START_MS - (REPORT_COUNT - beat) * HEARTBEAT_MS,
        on_air=is_on_air,
        heartbeat_interval_ms=HEARTBEAT_MS,
    )
    if is_on_air:
        report.on_air_since_time_ms = since_ms
        report.load_permille = int(rng.integers(20, 700))
        report.uplink_bytes = int(rng.integers(10**9, 10**11))
        report.downlink_bytes = 9 * report.uplink_bytes
    if pair.situation is Situation.COVERED:
        centre = int(rng.integers(25, 60))
        counts = np.bincount(
            np.clip(rng.normal(centre, 8, 500), 0, HISTOGRAM_BIN_COUNT - 1).astype(np.int64),
            minlength=HISTOGRAM_BIN_COUNT,
        )
        report.rsrp_histogram_count.extend(counts.tolist())
    return report
