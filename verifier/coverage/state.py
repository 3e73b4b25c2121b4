"""What has been measured where: the state coverage verdicts are taken from.

New, add, merge, export and restore; order, cuts and the tree of merges change nothing. Verdicts are asked of it
and change nothing either.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phusong.kernels.bin_rows import HOUR_MS, AsideKeys, BinRows, Hours, Said, bin_rows
from phusong.kernels.bins import BinCounts, BinKeys, Bins, BinTraces, ExportedBins
from phusong.kernels.columns import Int64Column, SignalReadings
from phusong.kernels.days import DAY_MS, ICT_OFFSET_MS
from phusong.kernels.locate import distinct_count, locate_readings
from phusong.kernels.radio import RAT_LAST, RAT_NAMES, ROLE_NEIGHBOUR, levels_of
from phusong.kernels.reject import TAKEN, Reject
from phusong.kernels.tally import Tally
from phusong.verifier.coverage.cells import CellState
from phusong.verifier.coverage.figures import Evidence, Ground, Quarantine, RowKey, bins_in_time
from phusong.verifier.coverage.floors import FloorShare, floor_shares
from phusong.verifier.coverage.footprint import footprints_of
from phusong.verifier.coverage.judged import JudgedSites
from phusong.verifier.coverage.masts import masts_of
from phusong.verifier.coverage.milestones import Milestones, site_milestones
from phusong.verifier.coverage.networks import OPERATOR_UNKNOWN, Networks, operator_names
from phusong.verifier.coverage.policy import Policy
from phusong.verifier.coverage.quarantine import quarantined_of, reading_counts
from phusong.verifier.coverage.records import SiteVerdict, TestResult, Verdict
from phusong.verifier.coverage.report import judge_sites, told_rows
from phusong.verifier.coverage.rulings import RELEASABLE, Ruling
from phusong.verifier.coverage.screening import Screening
from phusong.verifier.coverage.senders import DeviceSources
from phusong.verifier.coverage.service import (
    ServiceTests,
    bins_of,
    is_served,
    judge_service,
    with_service,
)
from phusong.verifier.coverage.service_samples import ServiceSamples
from phusong.verifier.coverage.verified import first_verified_days
from phusong.verifier.names import Names
from phusong.verifier.registry.sites import SiteRegister


class CoverageState:
    """Bins and what was set aside, for one register of sites and one policy."""

    def __init__(self, sites: SiteRegister, policy: Policy) -> None:
        """Start with nothing measured."""
        self.sites = sites
        self.policy = policy
        self.footprints = footprints_of(
            sites, policy.place.cell_size_m, policy.place.cluster_size_m // policy.place.cell_size_m
        )
        self.bins = Bins(policy.time.window_hours * HOUR_MS, ICT_OFFSET_MS)
        self.aside = Tally(4)  # part, operator, rat, window: taken and not judged
        self.elsewhere_count = 0  # readings that lie in no site
        self.service = ServiceSamples(self.footprints, policy)
        self.sources = DeviceSources()
        self._networks = Networks()
        self._floors_dbm = policy.floors_dbm()
        self._hours = hours_of(policy)
        self._quarantined: Quarantine | None = None
        self._judge_anew()

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
        `ruled` is what an auditor ruled on each row: a released one is spared by the plausibility screen, and by the rules of
        RELEASABLE; `source` is the key of each row's sender, where that is known.
        """
        operator = self._networks.operators_of(readings, route_operator, operators)
        self._refuse(readings, operator, reason, ruled)
        self.service.add(readings, time_ms, operator, reason)
        rows, aside, elsewhere_count = self._bin_rows(readings, time_ms, operator, reason, ruled)
        self.elsewhere_count += elsewhere_count
        # By readings that are judged alone: of others evidence packs hold nothing, and there are devices without number.
        if source is not None and self.sources.add(
            readings.device_key[rows.reading], source[rows.reading]
        ):
            self._judged = JudgedSites()  # whose phone a device is concerns all it has measured
        self.aside.add(*aside)
        self._judged.forget(self.footprints.site_row[aside.part])
        self.bins.add(rows.keys, rows.heard, self._floors_dbm)

    def set_aside(
        self,
        readings: SignalReadings,
        time_ms: Int64Column,
        route_operator: Int64Column,
        operators: Names,
        reason: Int64Column,
        *,
        ruled: Int64Column | None = None,
    ) -> None:
        """Write why rows that were counted do not count after all: the plausibility screen's reason of their bin.

        Arguments as those of `add`; asked after `screen`.
        """
        operator = self._networks.operators_of(readings, route_operator, operators)
        rows, _, _ = self._bin_rows(readings, time_ms, operator, reason, ruled)
        why = self._screening.reasons_of(self.bins, self.bins.find(rows.keys))
        # A reading in two sites is set aside in either: so it is listed.
        is_out = why != TAKEN
        reason[rows.reading[is_out]] = why[is_out]

    def screen(self, cells: CellState) -> None:
        """Bring the plausibility screen up to date; sites whose evidence is new or counts otherwise are judged anew."""
        masts = masts_of(cells.claims.export()[0], self.sites, self.footprints)
        changed = self._screening.update(self.bins, masts)
        if len(changed):
            self._quarantined = None
        self._judged.forget(self.footprints.site_row[changed])

    def _bin_rows(
        self,
        readings: SignalReadings,
        time_ms: Int64Column,
        operator: Int64Column,
        reason: Int64Column,
        ruled: Int64Column | None,
    ) -> tuple[BinRows, AsideKeys, int]:
        """Return what the rows whose reason is 0 say to their bins, what is not judged, and how many lie in no site."""
        taken = np.flatnonzero(reason == TAKEN)
        located = locate_readings(
            readings.latitude_deg[taken],
            readings.longitude_deg[taken],
            self.footprints.parts,
            self.footprints.index,
        )
        elsewhere_count = len(taken) - distinct_count(located.reading)
        is_released = np.zeros(len(reason), np.bool_) if ruled is None else ruled == Ruling.RELEASED
        said = Said(levels_of(readings), operator, time_ms, is_released)
        return *bin_rows(taken, located, readings, said, self._hours), elsewhere_count

    def merge(self, other: "CoverageState") -> None:
        """Add what another state of the same sites and policy has counted."""
        assert self.sites == other.sites, "states of one register are merged"
        assert self.policy == other.policy, "states of one policy are merged"
        self.bins.merge(other.bins)
        self.aside.merge(other.aside)
        self._judged = JudgedSites()
        self.elsewhere_count += other.elsewhere_count
        self.service.merge(other.service)
        self.sources.merge(other.sources)

    def export(self) -> dict[str, NDArray[Any]]:
        """Return everything counted, in an order that does not depend on how it came in."""
        bins = self.bins.export()
        arrays: dict[str, NDArray[Any]] = {}
        for columns in bins:
            arrays |= columns._asdict()
        arrays["aside_keys"], arrays["aside_count"] = self.aside.export()
        arrays |= self.service.export()
        arrays["device_sources"] = self.sources.export()
        arrays["elsewhere_count"] = np.array([self.elsewhere_count], np.int64)
        return arrays

    def restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Become what was exported by a state of the same sites and policy."""
        self.bins.restore(
            ExportedBins(
                BinKeys(*(arrays[name] for name in BinKeys._fields)),
                BinCounts(*(arrays[name] for name in BinCounts._fields)),
                BinTraces(*(arrays[name] for name in BinTraces._fields)),
            )
        )
        self._judge_anew()
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
        cells = cells or CellState()
        self.screen(cells)
        ground = self._ground(operators)
        judged = self._judged.rows(ground, self._site_evidence, as_of_ms)
        quarantined = quarantined_of(ground, self._quarantine(), as_of_ms)
        rows = told_rows(ground, judged, cells.site_claims(as_of_ms), quarantined)
        if self.policy.service is None or not self.policy.service.terms.decides:
            return rows
        tests = self.test_results(as_of_ms, operators, cells)
        names = ((row.site_code, row.operator, row.technology) for row in rows)
        return [
            with_service(row, tests.get(name, ()), self.policy)
            for row, name in zip(rows, names, strict=True)
        ]

    def test_results(
        self, as_of_ms: int, operators: Names, cells: CellState | None = None
    ) -> dict[tuple[str, str, str], tuple[TestResult, ...]]:
        """Return what tests of the service found, by site code, operator and technology, where any were made."""
        self.screen(cells or CellState())
        ground = self._ground(operators)
        return {
            (self.sites.sites[key.site].code, key.operator, RAT_NAMES[key.rat]): found
            for key, found in judge_service(ground, self._tests(), as_of_ms).items()
        }

    def verdict_since(
        self, row: SiteVerdict, span_ms: tuple[int, int], operators: Names, cells: CellState
    ) -> Verdict:
        """Return what readings of a span of time (after, until] alone say of a row, UNTESTED where there are none."""
        evidence = self._evidence(cells)
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

    def quarantined(
        self, as_of_ms: int, operators: Names, cells: CellState
    ) -> Counter[tuple[str, str, str]]:
        """Return how many readings the plausibility screen sets aside, by site code, operator and name of the reason."""
        self.screen(cells)
        return reading_counts(self._ground(operators), self._quarantine(), as_of_ms)

    def floor_shares(
        self, as_of_ms: int, operators: Names, cells: CellState | None = None
    ) -> dict[tuple[str, str, str], tuple[FloorShare, ...]]:
        """Return how each row with valid evidence stands at other levels, by site code, operator and technology.

        Seven times the work of the verdicts, so it is asked for by reports and not by whoever follows the journal.
        """
        ground, evidence = self._ground(operators), self._evidence(cells or CellState())
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
        ground, evidence = self._ground(operators), self._evidence(cells)
        serves = partial(self._serves, ground)
        days = first_verified_days(ground, evidence, as_of_ms, is_wanted, serves)
        verified = {
            (self.sites.sites[key.site].code, key.operator, RAT_NAMES[key.rat]): day
            for key, day in days.items()
        }
        return site_milestones(cells, as_of_ms, verified, lost_batches, site_codes)

    def _serves(self, ground: Ground, keys: Collection[RowKey], as_of_ms: int) -> set[RowKey]:
        """Return the rows whose tests were as asked by a time; all where tests do not decide."""
        if self.policy.service is None or not self.policy.service.terms.decides:
            return set(keys)
        found = judge_service(ground, self._tests(), as_of_ms)
        sites = self.sites.sites
        return {
            key
            for key in keys
            if is_served(found.get(key, ()), sites[key.site], key.rat, self.policy)
        }

    def _tests(self) -> ServiceTests:
        """Return the tests of the service, without those in bins that the screen sets aside."""
        tests = ServiceTests(*self.service.samples.export())
        row = self.bins.find(bins_of(tests, self.policy))
        counts = self._screening.reasons_of(self.bins, row) == TAKEN
        return ServiceTests(*(column[counts] for column in tests))

    def _judge_anew(self) -> None:
        self._screening = Screening(self.policy, self.footprints)
        self._judged = JudgedSites()
        self._quarantined = None

    def _ground(self, operators: Names) -> Ground:
        return Ground(
            self.sites, self.footprints, self.policy, operator_names(operators), self.sources
        )

    def _evidence(self, cells: CellState) -> Evidence:
        self.screen(cells)
        return self._site_evidence(np.arange(len(self.sites.sites)))

    def _site_evidence(self, sites: Int64Column) -> Evidence:
        """Return the evidence of some sites, as the screen has left it."""
        is_wanted = np.zeros(len(self.sites.sites), np.bool_)
        is_wanted[sites] = True
        is_wanted = is_wanted[self.footprints.site_row]
        row, _ = self.bins.rows_of_parts(np.flatnonzero(is_wanted))
        counted = self.bins.exported(row[self._screening.reasons_of(self.bins, row) == TAKEN])
        keys, count = self.aside.counts()
        is_of_sites = is_wanted[keys[:, 0]]
        aside = keys[is_of_sites], count[is_of_sites]
        return Evidence(counted.keys, counted.counts, *aside, self._quarantine())

    def _quarantine(self) -> Quarantine:
        """Return what the screen sets aside, as it was last brought up to date."""
        if self._quarantined is None:
            reason = self._screening.reasons_of(self.bins, np.arange(self.bins.count))
            out = np.flatnonzero(reason)
            self._quarantined = Quarantine(self.bins.exported(out), reason[out])
        return self._quarantined

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


def hours_of(policy: Policy) -> Hours:
    """Return when and on what readings are judged."""
    is_counted = np.zeros(RAT_LAST + 1, np.bool_)
    is_counted[list(policy.counted_rats)] = True
    time = policy.time
    return Hours(
        time.window_hours,
        time.measuring_hour_first,
        time.measuring_hour_end,
        policy.counted_rats[0],
        is_counted,
    )
