"""What has been measured where: the state coverage verdicts are taken from.

New, add, merge, export and restore; order, cuts and the tree of merges change nothing. Verdicts are asked of it
and change nothing either.
"""

from collections.abc import Collection, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phusong.kernels.bins import BinCounts, BinKeys, BinReadings, Bins
from phusong.kernels.columns import Float64Column, Int64Column, SignalReadings
from phusong.kernels.days import DAY_MS, ICT_OFFSET_MS
from phusong.kernels.locate import Located, distinct_count, locate_readings
from phusong.kernels.radio import (
    RAT_LAST,
    RAT_NAMES,
    ROLE_NEIGHBOUR,
    SERVICE_EMERGENCY_ONLY,
    SERVICE_NONE,
    levels_of,
)
from phusong.kernels.reject import TAKEN, Reject
from phusong.kernels.tally import Tally
from phusong.verifier.coverage.cells import CellState
from phusong.verifier.coverage.figures import Evidence, Ground, RowKey, bins_in_time
from phusong.verifier.coverage.floors import FloorShare, floor_shares
from phusong.verifier.coverage.footprint import footprints_of
from phusong.verifier.coverage.milestones import Milestones, site_milestones
from phusong.verifier.coverage.networks import OPERATOR_UNKNOWN, Networks, operator_names
from phusong.verifier.coverage.policy import Policy
from phusong.verifier.coverage.records import SiteVerdict, TestResult, Verdict
from phusong.verifier.coverage.report import judge_sites
from phusong.verifier.coverage.rulings import RELEASABLE, Ruling
from phusong.verifier.coverage.senders import DeviceSources
from phusong.verifier.coverage.service import is_served, judge_service, with_service
from phusong.verifier.coverage.service_samples import ServiceSamples
from phusong.verifier.coverage.verified import first_verified_days
from phusong.verifier.names import Names
from phusong.verifier.registry.sites import SiteRegister

HOUR_MS = 3_600_000
HOURS_PER_DAY = 24


class CoverageState:
    """Bins, levels and what was set aside, for one register of sites and one policy."""

    def __init__(self, sites: SiteRegister, policy: Policy) -> None:
        """Start with nothing measured."""
        self.sites = sites
        self.policy = policy
        self.footprints = footprints_of(
            sites, policy.place.cell_size_m, policy.place.cluster_size_m // policy.place.cell_size_m
        )
        self.bins = Bins()
        self.levels = Tally(5)  # part, operator, rat, window, level in whole dBm
        self.aside = Tally(4)  # part, operator, rat, window: taken and not judged
        self.elsewhere_count = 0  # readings that lie in no site
        self.service = ServiceSamples(self.footprints, policy)
        self.sources = DeviceSources()
        self._networks = Networks()
        self._floors_dbm = policy.floors_dbm()
        self._is_counted = np.zeros(RAT_LAST + 1, np.bool_)
        self._is_counted[list(policy.counted_rats)] = True

    def add(
        self,
        readings: SignalReadings,
        time_ms: Int64Column,
        route_operator: Int64Column,
        operators: Names,
        reason: Int64Column,
        *,
        ruled: Int64Column | None = None,
        source: Int64Column | None = None,
    ) -> None:
        """Count the rows whose reason is 0, and write the reason of those that say nothing of a place.

        `time_ms` is the time a row counts under; `route_operator` its route's operator as a row of `operators`;
        `ruled` is what an auditor ruled on each row: a released one is spared by the rules of RELEASABLE; `source` is the
        key of each row's sender, where that is known.
        """
        operator = self._networks.operators_of(readings, route_operator, operators)
        self._refuse(readings, operator, reason, ruled)
        self.service.add(readings, time_ms, operator, reason)
        taken = np.flatnonzero(reason == TAKEN)
        if source is not None:
            self.sources.add(readings.device_key[taken], source[taken])
        located = locate_readings(
            readings.latitude_deg[taken],
            readings.longitude_deg[taken],
            self.footprints.parts,
            self.footprints.index,
        )
        self.elsewhere_count += len(taken) - distinct_count(located.reading)
        row = taken[located.reading]
        rat, level_dbm = self._heard(readings, row)
        self._count(
            located=located,
            operator=operator[row],
            rat=rat,
            level_dbm=level_dbm,
            time_ms=time_ms[row],
            device_key=readings.device_key[row],
        )

    def merge(self, other: "CoverageState") -> None:
        """Add what another state of the same sites and policy has counted."""
        assert self.sites == other.sites, "states of one register are merged"
        assert self.policy == other.policy, "states of one policy are merged"
        self.bins.merge(other.bins)
        self.levels.merge(other.levels)
        self.aside.merge(other.aside)
        self.elsewhere_count += other.elsewhere_count
        self.service.merge(other.service)
        self.sources.merge(other.sources)

    def export(self) -> dict[str, NDArray[Any]]:
        """Return everything counted, in an order that does not depend on how it came in."""
        keys, counts = self.bins.export()
        arrays: dict[str, NDArray[Any]] = {**keys._asdict(), **counts._asdict()}
        arrays["level_keys"], arrays["level_count"] = self.levels.export()
        arrays["aside_keys"], arrays["aside_count"] = self.aside.export()
        arrays |= self.service.export()
        arrays["device_sources"] = self.sources.export()
        arrays["elsewhere_count"] = np.array([self.elsewhere_count], np.int64)
        return arrays

    def restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Become what was exported by a state of the same sites and policy."""
        self.bins.restore(
            BinKeys(*(arrays[name] for name in BinKeys._fields)),
            BinCounts(*(arrays[name] for name in BinCounts._fields)),
        )
        self.levels.restore(arrays["level_keys"], arrays["level_count"])
        self.aside.restore(arrays["aside_keys"], arrays["aside_count"])
        self.service.restore(arrays)
        self.sources.restore(arrays["device_sources"])
        self.elsewhere_count = int(arrays["elsewhere_count"][0])

    def verdicts(
        self, as_of_ms: int, operators: Names, cells: CellState | None = None
    ) -> list[SiteVerdict]:
        """Return the verdict of every site, operator and technology, ordered by them.

        Bins and windows that begin after `as_of_ms` are left out. A state that must not know what came later within
        the window is built from the rows until then.
        """
        rows = judge_sites(
            self._ground(operators), self._evidence(), cells or CellState(), as_of_ms
        )
        if self.policy.service is None or not self.policy.service.terms.decides:
            return rows
        tests = self.test_results(as_of_ms, operators)
        names = ((row.site_code, row.operator, row.technology) for row in rows)
        return [
            with_service(row, tests.get(name, ()), self.policy)
            for row, name in zip(rows, names, strict=True)
        ]

    def test_results(
        self, as_of_ms: int, operators: Names
    ) -> dict[tuple[str, str, str], tuple[TestResult, ...]]:
        """Return what tests of the service found, by site code, operator and technology, where any were made."""
        ground = self._ground(operators)
        return {
            (self.sites.sites[key.site].code, key.operator, RAT_NAMES[key.rat]): found
            for key, found in judge_service(ground, self.service, as_of_ms).items()
        }

    def verdict_since(
        self, row: SiteVerdict, span_ms: tuple[int, int], operators: Names
    ) -> Verdict:
        """Return what readings of a span of time (after, until] alone say of a row, UNTESTED where there are none."""
        evidence = self._evidence()
        site = [site.code for site in self.sites.sites].index(row.site_code)
        is_chosen = (self.footprints.site_row[evidence.keys.part] == site) & (
            evidence.counts.first_time_ms > span_ms[0]
        )
        evidence = evidence._replace(
            keys=BinKeys(*(column[is_chosen] for column in evidence.keys)),
            counts=BinCounts(*(column[is_chosen] for column in evidence.counts)),
        )
        found = judge_sites(self._ground(operators), evidence, CellState(), span_ms[1])
        names = (row.site_code, row.operator, row.technology)
        return next(
            (r.verdict for r in found if (r.site_code, r.operator, r.technology) == names),
            Verdict.UNTESTED,
        )

    def floor_shares(
        self, as_of_ms: int, operators: Names
    ) -> dict[tuple[str, str, str], tuple[FloorShare, ...]]:
        """Return how each row with valid evidence stands at other levels, by site code, operator and technology.

        Seven times the work of the verdicts, so it is asked for by reports and not by whoever follows the journal.
        """
        ground, evidence = self._ground(operators), self._evidence()
        valid_from_ms = as_of_ms - self.policy.time.validity_days * DAY_MS
        is_known, is_valid = bins_in_time(evidence, valid_from_ms, as_of_ms)
        found = floor_shares(ground, evidence, is_known & is_valid)
        return {
            (self.sites.sites[key.site].code, key.operator, RAT_NAMES[key.rat]): shares
            for key, shares in found.items()
        }

    def milestones(
        self,
        as_of_ms: int,
        operators: Names,
        cells: CellState,
        lost_batches: Mapping[int, int],
        site_codes: Collection[str],
    ) -> dict[tuple[str, str, str], Milestones]:
        """Return the milestones of some sites, by site code, operator and technology, where there are any.

        lost_batches: by hash of the sender. As many surveys as the evidence has days, so it is asked for by reports only.
        """
        is_wanted = np.array([site.code in site_codes for site in self.sites.sites], np.bool_)
        ground = self._ground(operators)
        days = first_verified_days(
            ground, self._evidence(), as_of_ms, is_wanted, partial(self._serves, ground)
        )
        verified = {
            (self.sites.sites[key.site].code, key.operator, RAT_NAMES[key.rat]): day
            for key, day in days.items()
        }
        return site_milestones(cells, as_of_ms, verified, lost_batches, site_codes)

    def _serves(self, ground: Ground, keys: Collection[RowKey], as_of_ms: int) -> set[RowKey]:
        """Return the rows whose tests were as asked by a time; all where tests do not decide."""
        if self.policy.service is None or not self.policy.service.terms.decides:
            return set(keys)
        found = judge_service(ground, self.service, as_of_ms)
        sites = self.sites.sites
        return {
            key
            for key in keys
            if is_served(found.get(key, ()), sites[key.site], key.rat, self.policy)
        }

    def _ground(self, operators: Names) -> Ground:
        return Ground(
            self.sites, self.footprints, self.policy, operator_names(operators), self.sources
        )

    def _evidence(self) -> Evidence:
        return Evidence(*self.bins.export(), *self.levels.export(), *self.aside.export())

    def _refuse(
        self,
        readings: SignalReadings,
        operator: Int64Column,
        reason: Int64Column,
        ruled: Int64Column | None,
    ) -> None:
        accuracy_max_m = self.policy.place.position_accuracy_max_m
        rules = (
            (readings.cell_role == ROLE_NEIGHBOUR, Reject.NOT_A_SERVING_CELL),
            (readings.position_accuracy_m > accuracy_max_m, Reject.POSITION_INACCURATE),
            (operator == OPERATOR_UNKNOWN, Reject.SERVING_NETWORK_UNKNOWN),
        )
        for is_broken, why in rules:
            is_refused = is_broken & (reason == TAKEN)
            if ruled is not None and why in RELEASABLE:
                is_refused &= ruled != Ruling.RELEASED
            reason[is_refused] = why

    def _heard(
        self, readings: SignalReadings, row: Int64Column
    ) -> tuple[Int64Column, Float64Column]:
        """Return technology and level of readings; silence is heard on the technology asked for first."""
        state = readings.service_state[row]
        is_silent = (state == SERVICE_NONE) | (state == SERVICE_EMERGENCY_ONLY)
        rat = np.where(is_silent, self.policy.counted_rats[0], readings.rat[row])
        return rat, np.where(is_silent, np.nan, levels_of(readings)[row])

    def _count(
        self,
        *,
        located: Located,
        operator: Int64Column,
        rat: Int64Column,
        level_dbm: Float64Column,
        time_ms: Int64Column,
        device_key: Int64Column,
    ) -> None:
        time = self.policy.time
        hour = (time_ms + ICT_OFFSET_MS) // HOUR_MS
        window = hour // time.window_hours
        hour_of_day = hour % HOURS_PER_DAY
        is_judged = (
            (hour_of_day >= time.measuring_hour_first)
            & (hour_of_day < time.measuring_hour_end)
            & self._is_counted[rat]
        )
        keys = BinKeys(
            located.part, operator, rat, located.cell_east, located.cell_north, device_key, window
        )
        aside = ~is_judged
        self.aside.add(located.part[aside], operator[aside], rat[aside], window[aside])
        judged = BinKeys(*(column[is_judged] for column in keys))
        heard = BinReadings(level_dbm[is_judged], time_ms[is_judged])
        self.bins.add(judged, heard, self._floors_dbm)
        has_level = is_judged & ~np.isnan(level_dbm)
        level = np.floor(level_dbm[has_level] + 0.5).astype(np.int64)
        self.levels.add(
            located.part[has_level], operator[has_level], rat[has_level], window[has_level], level
        )
