"""Everything the verifier knows. The journal is the truth; this is derived from it.

Frames are applied once, in order. What is asked as of a date, or as known at a date, is a state built
with that horizon: rows beyond it are not counted at all.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

import numpy as np

from phusong.kernels.clock import place_times
from phusong.kernels.columns import (
    INT_MISSING,
    BoolColumn,
    CellReports,
    Int64Column,
    SignalReadings,
    UsageReadings,
)
from phusong.kernels.days import ict_day
from phusong.kernels.frame import PayloadKind, Route, Transport
from phusong.kernels.reject import TAKEN, Reject
from phusong.kernels.route_names import refusal_of_route
from phusong.kernels.screen_cells import screen_cells
from phusong.kernels.screen_signal import screen_signal
from phusong.kernels.screen_usage import screen_usage
from phusong.kernels.windows import SequenceWindows
from phusong.v1.enforcement_pb2 import Decision
from phusong.v1.ingest_pb2 import RowKind
from phusong.v1.journal_pb2 import FileRow
from phusong.verifier.coverage.cells import CellState
from phusong.verifier.coverage.records import SiteVerdict
from phusong.verifier.coverage.state import CoverageState
from phusong.verifier.journal import Position, StoredFrame
from phusong.verifier.names import Names
from phusong.verifier.opened import OpenedFrame, open_frame
from phusong.verifier.quota.settings import QuotaSettings
from phusong.verifier.quota.state import QuotaState
from phusong.verifier.registry.entries import RegistryHistory
from phusong.verifier.registry.known import KnownRegistries
from phusong.verifier.tallies import Refusals, RouteKey, Tallies, join_refusals, no_refusals

Readings = TypeVar("Readings", SignalReadings, UsageReadings, CellReports)

ROW_KINDS = {
    SignalReadings: RowKind.ROW_KIND_SIGNAL,
    UsageReadings: RowKind.ROW_KIND_USAGE,
    CellReports: RowKind.ROW_KIND_CELL,
}


class RegistriesChanged(Exception):
    """What past rows were judged by has a newer version: the state must be built again."""


class Horizon(NamedTuple):
    """Up to when events are judged, and by when they must have arrived; None is without bound."""

    as_of_ms: int | None = None
    known_at_ms: int | None = None


class PlacedRows(NamedTuple):
    """Per row: when it arrived, the time it counts under, and whether its batch came before."""

    received_time_ms: Int64Column
    time_ms: Int64Column
    time_flag: Int64Column
    is_repeated: BoolColumn


class PayloadFacts(NamedTuple):
    """Per payload of a frame, what its rows need to know."""

    is_repeated: BoolColumn
    is_imported: BoolColumn
    has_sequence: BoolColumn
    source: Int64Column
    operator: Int64Column
    key: Int64Column  # by which its rows are tallied, a place in `keys`
    keys: list[RouteKey]


@dataclass(slots=True)
class State:
    """The state after the frame at `position`."""

    registries: KnownRegistries
    coverage: CoverageState
    quota: QuotaState
    horizon: Horizon = field(default_factory=Horizon)
    position: Position = field(default_factory=Position)
    operators: Names = field(
        default_factory=Names
    )  # shared with `quota`, which names them in decisions
    sources: Names = field(default_factory=Names)
    windows: SequenceWindows = field(default_factory=SequenceWindows)
    cells: CellState = field(default_factory=CellState)
    tallies: Tallies = field(default_factory=Tallies)
    time_max_ms: int = 0  # the latest time any row counts under
    received_max_ms: int = 0  # the latest arrival of any row
    beyond_count: int = 0  # rows left out because they lie beyond the horizon

    def apply(self, stored: StoredFrame) -> Refusals:
        """Take in the next frame; return what of it is not counted, and why."""
        assert stored.sequence == self.position.sequence + 1, "frames are applied once, in order"
        opened = open_frame(stored)
        # First, so that a list of sites judges the rows it came with.
        others = self._add_others(opened)
        facts = self._judge_payloads(opened)
        refusals = [
            others,
            self._refuse_payloads(opened),
            self._add_signal(opened, facts),
            self._add_usage(opened, facts),
            self._add_cells(opened, facts),
        ]
        self.position = stored.position
        return join_refusals(refusals)

    def verdicts(self, as_of_ms: int) -> list[SiteVerdict]:
        """Return the verdict of every site, operator and technology."""
        return self.coverage.verdicts(as_of_ms, self.operators, self.cells)

    def _judge_payloads(self, opened: OpenedFrame) -> PayloadFacts:
        payloads = opened.decoded.payloads
        keys: dict[RouteKey, int] = {}
        of_route = [
            (
                # Slugs hold no "/", so the joined text is one source of one operator and no other.
                self.sources.row_of(f"{route.operator}/{route.source}"),
                self.operators.row_of(route.operator),
                keys.setdefault(RouteKey(route.operator, route.transport), len(keys)),
                route.transport == Transport.IMPORT,
                not self.registries.knows_source(route, opened.frame.sequence),
            )
            for route in opened.routes
        ]
        columns = np.array(of_route, np.int64).reshape(len(of_route), 5).T
        source, operator, key, is_imported, is_unknown = columns[:, opened.route]
        payloads.reject[(is_unknown != 0) & (payloads.reject == TAKEN)] = Reject.UNKNOWN_SOURCE
        is_repeated = np.zeros(len(payloads.reject), np.bool_)
        readable = np.flatnonzero(payloads.reject == TAKEN)
        # A payload that cannot be read claims no sequence: its mended second sending must count.
        is_repeated[readable] = self.windows.mark_repeated(
            source[readable], payloads.boot_epoch[readable], payloads.sequence[readable]
        )
        return PayloadFacts(
            is_repeated=is_repeated,
            is_imported=is_imported != 0,
            has_sequence=payloads.sequence != 0,
            source=source,
            operator=operator,
            key=key,
            keys=list(keys),
        )

    def _refuse_payloads(self, opened: OpenedFrame) -> Refusals:
        refused = np.flatnonzero(opened.decoded.payloads.reject != TAKEN)
        reason = opened.decoded.payloads.reject[refused]
        counts = Counter(zip(opened.route[refused].tolist(), reason.tolist(), strict=True))
        for (route, why), count in counts.items():
            self._count_refused(opened, opened.routes[route], why, count)
        zeros = np.zeros(len(refused), np.int64)
        return Refusals(opened.envelope[refused], zeros, zeros, reason)

    def _add_signal(self, opened: OpenedFrame, facts: PayloadFacts) -> Refusals:
        readings, placed = self._rows_in_horizon(opened, facts, opened.decoded.signal)
        if not len(readings.row):
            return no_refusals()
        reason = np.zeros(len(readings.row), np.int64)
        screen_signal(readings, reason)
        reason[(reason == TAKEN) & (placed.time_flag != 0)] = Reject.CLOCK_FAR
        # A repeated batch is neither evidence nor refused.
        judged = np.where(placed.is_repeated, INT_MISSING, reason)
        self.coverage.add(
            readings, placed.time_ms, facts.operator[readings.payload_row], self.operators, judged
        )
        reason = np.where(placed.is_repeated, TAKEN, judged)
        return self._tally(opened, facts, readings, placed, reason)

    def _add_usage(self, opened: OpenedFrame, facts: PayloadFacts) -> Refusals:
        readings, placed = self._rows_in_horizon(opened, facts, opened.decoded.usage)
        if not len(readings.row):
            return no_refusals()
        reason = np.zeros(len(readings.row), np.int64)
        screen_usage(readings, facts.has_sequence[readings.payload_row], reason)
        self.quota.add(
            readings,
            placed.time_ms,
            placed.time_flag,
            placed.received_time_ms,
            facts.source[readings.payload_row],
            facts.operator[readings.payload_row],
            placed.is_repeated,
            reason,
        )
        return self._tally(opened, facts, readings, placed, reason)

    def _add_cells(self, opened: OpenedFrame, facts: PayloadFacts) -> Refusals:
        reports, placed = self._rows_in_horizon(opened, facts, opened.decoded.cells)
        if not len(reports.row):
            return no_refusals()
        reason = np.zeros(len(reports.row), np.int64)
        screen_cells(reports, reason)
        reason[(reason == TAKEN) & (placed.time_flag != 0)] = Reject.CLOCK_FAR
        judged = np.where(placed.is_repeated, INT_MISSING, reason)
        self.cells.add(reports, placed.time_ms, self.coverage.sites, judged)
        reason = np.where(placed.is_repeated, TAKEN, judged)
        return self._tally(opened, facts, reports, placed, reason)

    def _rows_in_horizon(
        self, opened: OpenedFrame, facts: PayloadFacts, readings: Readings
    ) -> tuple[Readings, PlacedRows]:
        """Return the rows of readable payloads inside the horizon, and when they count."""
        is_readable = opened.decoded.payloads.reject[readings.payload_row] == TAKEN
        if not is_readable.all():
            readings = rows_where(readings, is_readable)
        placed = _place(opened, facts, readings)
        limit_ms, known_ms = self.horizon
        if limit_ms is not None or known_ms is not None:
            inside = (placed.time_ms <= (2**62 if limit_ms is None else limit_ms)) & (
                placed.received_time_ms <= (2**62 if known_ms is None else known_ms)
            )
            if not inside.all():
                self.beyond_count += int(np.count_nonzero(~inside))
                readings = rows_where(readings, inside)
                placed = PlacedRows(
                    placed.received_time_ms[inside],
                    placed.time_ms[inside],
                    placed.time_flag[inside],
                    placed.is_repeated[inside],
                )
        if len(placed.time_ms):
            self.time_max_ms = max(self.time_max_ms, int(placed.time_ms.max()))
            self.received_max_ms = max(self.received_max_ms, int(placed.received_time_ms.max()))
        return readings, placed

    def _tally(
        self,
        opened: OpenedFrame,
        facts: PayloadFacts,
        readings: Readings,
        placed: PlacedRows,
        reason: Int64Column,
    ) -> Refusals:
        self.tallies.add(facts.keys, facts.key[readings.payload_row], reason, placed.is_repeated)
        refused = np.flatnonzero((reason != TAKEN) & ~placed.is_repeated)
        return Refusals(
            opened.envelope[readings.payload_row[refused]],
            np.full(len(refused), ROW_KINDS[type(readings)], np.int64),
            readings.row[refused],
            reason[refused],
        )

    def _add_others(self, opened: OpenedFrame) -> Refusals:
        """Count what could not be read as a batch; note decisions and registries."""
        refused: list[tuple[int, int, int, int]] = []
        counts: Counter[tuple[Route, int]] = Counter()
        for other in opened.others:
            match other.route.kind:
                case PayloadKind.REGISTRY:
                    self._note_registry(opened.frame, other.payload)
                case PayloadKind.DECISION:
                    self.quota.note_decided(Decision.FromString(other.payload).decision_key)
                case PayloadKind.FILE_ROW:
                    row = FileRow.FromString(other.payload)
                    reason = int(Reject[row.reason])
                    refused.append((other.envelope, row.kind, row.line, reason))
                    counts[other.route, reason] += 1
                case PayloadKind.UNREADABLE:
                    reason = refusal_of_route(other.route)
                    refused.append((other.envelope, 0, 0, reason))
                    counts[other.route, reason] += 1
                case _:  # acknowledgements concern the collector's board only
                    pass
        for (route, why), count in counts.items():
            self._count_refused(opened, route, why, count)
        if not refused:
            return no_refusals()
        return Refusals(*np.array(refused, np.int64).T.copy())

    def _note_registry(self, frame: StoredFrame, payload: bytes) -> None:
        if not self.registries.note(frame, payload):
            self.quota.sims = self.registries.sims
            return
        if self.time_max_ms:
            raise RegistriesChanged(f"sequence {frame.sequence} changes the sites or the policy")
        self.coverage = CoverageState(self.registries.sites, self.registries.policy)

    def _count_refused(self, opened: OpenedFrame, route: Route, reason: int, count: int) -> None:
        """Count payloads or file rows that were never rows of ours, under the day they arrived."""
        self.tallies.add_refused(RouteKey(route.operator, route.transport), reason, count)
        known_at_ms = self.horizon.known_at_ms
        if known_at_ms is None or opened.frame.received_time_ms <= known_at_ms:
            source = self.sources.row_of(f"{route.operator}/{route.source}")
            self.quota.add_rejected(source, int(ict_day(opened.frame.received_time_ms)), count)


def new_state(history: RegistryHistory, horizon: Horizon, settings: QuotaSettings) -> State:
    """Return the state before the first frame, built with the registries known at the horizon."""
    registries = KnownRegistries(history, horizon.known_at_ms)
    operators = Names()
    return State(
        registries=registries,
        coverage=CoverageState(registries.sites, registries.policy),
        quota=QuotaState(registries.sims, settings, operators),
        horizon=horizon,
        operators=operators,
    )


def rows_where(readings: Readings, mask: BoolColumn) -> Readings:
    """Return the rows for which the mask is true."""
    columns: Any = (column[mask] for column in readings)
    return type(readings)(*columns)


def _place(opened: OpenedFrame, facts: PayloadFacts, readings: Readings) -> PlacedRows:
    """Work out when rows arrived and under which time they count.

    A live row arrived with its frame. An imported row arrived when its importer says; where it does not
    say, its clock cannot be checked, and for the horizon it arrived with its frame.
    """
    is_imported = facts.is_imported[readings.payload_row]
    arrived = np.where(is_imported, readings.received_time_ms, opened.frame.received_time_ms)
    time_ms = np.empty(len(arrived), np.int64)
    time_flag = np.empty(len(arrived), np.int64)
    place_times(
        readings.observed_time_ms,
        arrived,
        readings.reporting_delay_ms,
        is_imported,
        time_ms,
        time_flag,
    )
    received = np.where(arrived == INT_MISSING, opened.frame.received_time_ms, arrived)
    return PlacedRows(received, time_ms, time_flag, facts.is_repeated[readings.payload_row])
