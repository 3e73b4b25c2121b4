"""Everything the verifier knows. The journal is the truth; this is derived from it.

Frames are applied once, in order. What is asked as of a date, or as known at a date, is a state built
with that horizon: rows beyond it are not counted at all.
"""

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

import numpy as np
from google.protobuf.message import DecodeError

from phusong.kernels.admission import refusal_of
from phusong.kernels.columns import (
    INT_MISSING,
    CellReports,
    Int64Column,
    SignalReadings,
    UsageReadings,
)
from phusong.kernels.days import ict_day
from phusong.kernels.frame import PayloadKind, Route
from phusong.kernels.grants import principal_of
from phusong.kernels.reject import TAKEN, Reject
from phusong.kernels.route_names import refusal_of_route
from phusong.kernels.unnumbered import Arrival, UnnumberedRows
from phusong.kernels.windows import SequenceWindows
from phusong.v1.enforcement_pb2 import AcknowledgeRequest, Decision, DecisionsSent
from phusong.v1.ingest_pb2 import RowKind
from phusong.v1.journal_pb2 import FileRow, RegistryEntry
from phusong.verifier.coverage.cells import CellState
from phusong.verifier.coverage.floors import FloorShare
from phusong.verifier.coverage.milestones import Milestones
from phusong.verifier.coverage.records import SiteVerdict
from phusong.verifier.coverage.rulings import Ruling
from phusong.verifier.coverage.state import CoverageState
from phusong.verifier.disputes.overlay import overlaid
from phusong.verifier.journal import Position, StoredFrame
from phusong.verifier.judging import judge_payloads, screened
from phusong.verifier.lost_batches import lost_batches, sender_keys
from phusong.verifier.names import Names
from phusong.verifier.opened import OpenedFrame, OtherPayload, open_frame
from phusong.verifier.placing import (
    Horizon,
    PayloadFacts,
    PlacedRows,
    Readings,
    place_rows,
    readable_rows,
    rows_within,
)
from phusong.verifier.quota.enforcement import EnforcementState
from phusong.verifier.quota.ledger import Ledger
from phusong.verifier.quota.ledger_pieces import Cause
from phusong.verifier.quota.settings import QuotaSettings
from phusong.verifier.quota.state import QuotaState
from phusong.verifier.registry.entries import RegistryHistory
from phusong.verifier.registry.known import KnownRegistries
from phusong.verifier.stopwatch import no_lap
from phusong.verifier.tallies import Refusals, Tallies, join_refusals, no_refusals

ROW_KINDS = {
    SignalReadings: RowKind.ROW_KIND_SIGNAL,
    UsageReadings: RowKind.ROW_KIND_USAGE,
    CellReports: RowKind.ROW_KIND_CELL,
}


NO_USAGE_KINDS = (RowKind.ROW_KIND_SIGNAL, RowKind.ROW_KIND_CELL)
NAMELESS_SOURCE = "/"


class RegistriesChanged(Exception):
    """What past rows were judged by has a newer version: the state must be built again."""


@dataclass(slots=True)
class State:
    """The state after the frame at `position`."""

    registries: KnownRegistries
    coverage: CoverageState
    quota: QuotaState
    enforcement: EnforcementState
    horizon: Horizon = field(default_factory=Horizon)
    position: Position = field(default_factory=Position)
    used: Position = field(default_factory=Position)  # the last frame within the horizon
    # Shared with `quota`, which names them in decisions.
    operators: Names = field(default_factory=Names)
    sources: Names = field(default_factory=Names)
    windows: SequenceWindows = field(default_factory=SequenceWindows)
    unnumbered: UnnumberedRows = field(default_factory=UnnumberedRows)
    cells: CellState = field(default_factory=CellState)
    ledger: Ledger = field(default_factory=Ledger)
    tallies: Tallies = field(default_factory=Tallies)
    time_max_ms: int = 0  # the latest time any row counts under
    received_max_ms: int = 0  # the latest arrival of any row
    beyond_count: int = 0  # rows left out because they lie beyond the horizon
    # Of senders of cell reports, as it was when the first frame beyond the horizon came; None before.
    lost_at_horizon: dict[int, int] | None = None
    # A state that knows all frames to come: by it, rows that the plausibility screen sets aside are told as refused.
    screened_by: "State | None" = None
    lap: Callable[[str], None] = no_lap  # told the name of each stage of `apply` that is done

    def apply(self, stored: StoredFrame) -> Refusals:
        """Take in the next frame; return what of it is not counted, and why."""
        assert stored.sequence == self.position.sequence + 1, "frames are applied once, in order"
        if self.lost_at_horizon is None and not self.horizon.knows(stored.received_time_ms):
            self.lost_at_horizon = lost_batches(self.windows, self.sources, self.cells)
        # As it stood before this frame: days close between two frames.
        if self.horizon.knows(stored.received_time_ms):
            self.quota.close_days(self.ledger, self.position.sequence, stored.received_time_ms)
        known = (stored.sequence, stored.received_time_ms)
        opened = open_frame(stored)
        # First, so that a list of sites judges the rows it came with.
        others = self._add_others(opened)
        self.quota.note_revisions(self.ledger, known, Cause.RERATED)
        self.lap("decode")
        facts = judge_payloads(
            opened,
            register=self.registries.sources(stored.sequence),
            sources=self.sources,
            operators=self.operators,
            tallies=self.tallies,
            windows=self.windows,
        )
        refusals = [others, self._refuse_payloads(opened)]
        self.lap("payloads")
        refusals.append(self._add_signal(opened, facts))
        self.lap("signal")
        refusals.append(self._add_usage(opened, facts))
        self.quota.note_revisions(self.ledger, known, Cause.LATE)
        self.lap("usage")
        refusals.append(self._add_cells(opened, facts))
        self.lap("cells")
        self.position = stored.position
        if self.horizon.knows(stored.received_time_ms):
            self.used = stored.position
        return join_refusals(refusals)

    def verdicts(self, as_of_ms: int) -> list[SiteVerdict]:
        """Return the verdict of every site, operator and technology."""
        return self.coverage.verdicts(as_of_ms, self.operators, self.cells)

    def reported(self, as_of_ms: int, known_at_ms: int) -> list[SiteVerdict]:
        """Return the verdicts as reports show them: those under dispute, as it stands at a known-at time, marked."""
        return list(
            overlaid(
                self.verdicts(as_of_ms),
                self.registries.disputes(known_at_ms),
                as_of_ms,
                lambda row, since_ms: self.coverage.verdict_since(
                    row, (since_ms, as_of_ms), self.operators, self.cells
                ),
            )
        )

    def quarantined(self, as_of_ms: int) -> Counter[tuple[str, str, str]]:
        """Return how many readings the plausibility screen sets aside, by site code, operator and name of the reason."""
        return self.coverage.quarantined(as_of_ms, self.operators, self.cells)

    def floor_shares(self, as_of_ms: int) -> dict[tuple[str, str, str], tuple[FloorShare, ...]]:
        """Return how rows stand at other levels, by site code, operator and technology."""
        return self.coverage.floor_shares(as_of_ms, self.operators, self.cells)

    def milestones(
        self, as_of_ms: int, site_codes: Collection[str]
    ) -> dict[tuple[str, str, str], Milestones]:
        """Return the milestones of some sites, by site code, operator and technology, where there are any."""
        lost = self.lost_at_horizon
        if lost is None:
            lost = lost_batches(self.windows, self.sources, self.cells)
        return self.coverage.milestones(as_of_ms, self.operators, self.cells, lost, site_codes)

    def _refuse_payloads(self, opened: OpenedFrame) -> Refusals:
        refused = np.flatnonzero(opened.decoded.payloads.reject != TAKEN)
        reason = opened.decoded.payloads.reject[refused]
        payloads = opened.decoded.payloads
        # A refused batch of which we can see that it held no usage is none of the quota's.
        is_other = (payloads.signal_count + payloads.cell_count > 0) & (payloads.usage_count == 0)
        counts = Counter(
            zip(
                opened.route[refused].tolist(),
                reason.tolist(),
                is_other[refused].tolist(),
                strict=True,
            )
        )
        for (route, why, is_no_usage), count in counts.items():
            self._count_refused(opened, opened.routes[route], why, count)
            if not is_no_usage:
                self._reject_usage(opened, opened.routes[route], count)
        zeros = np.zeros(len(refused), np.int64)
        return Refusals(opened.envelope[refused], zeros, zeros, reason)

    def _add_signal(self, opened: OpenedFrame, facts: PayloadFacts) -> Refusals:
        readings, placed = self._rows_in_horizon(opened, facts, opened.decoded.signal)
        if not len(readings.row):
            return no_refusals()
        reason = placed.reason
        reason[(reason == TAKEN) & (placed.time_flag != 0)] = Reject.CLOCK_FAR
        envelope = opened.envelope[readings.payload_row]
        ruled = self.registries.rulings.of_rows(opened.frame.sequence, envelope, readings.row)
        reason[(reason == TAKEN) & (ruled == Ruling.CONFIRMED)] = Reject.RULED_OUT
        # What came before is neither evidence nor refused.
        judged = np.where(placed.is_repeated, INT_MISSING, reason)
        operator = facts.operator[readings.payload_row]
        said = (readings, placed.time_ms, operator, self.operators, judged)
        source = sender_keys(self.sources, facts.source)[readings.payload_row]
        self.coverage.add(*said, ruled=ruled, source=source)
        if self.screened_by is not None:
            self.screened_by.coverage.set_aside(*said, ruled=ruled)
        reason = np.where(placed.is_repeated, TAKEN, judged)
        return self._tally(opened, facts, readings, placed, reason)

    def _add_usage(self, opened: OpenedFrame, facts: PayloadFacts) -> Refusals:
        readings, placed = self._rows_in_horizon(opened, facts, opened.decoded.usage)
        if not len(readings.row):
            return no_refusals()
        reason = placed.reason
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
        is_counted = (reason == TAKEN) & ~placed.is_repeated
        self.enforcement.observe(
            readings.subscriber_key[is_counted], placed.time_ms[is_counted], self.quota
        )
        return self._tally(opened, facts, readings, placed, reason)

    def _add_cells(self, opened: OpenedFrame, facts: PayloadFacts) -> Refusals:
        reports, placed = self._rows_in_horizon(opened, facts, opened.decoded.cells)
        if not len(reports.row):
            return no_refusals()
        reason = placed.reason
        reason[(reason == TAKEN) & (placed.time_flag != 0)] = Reject.CLOCK_FAR
        judged = np.where(placed.is_repeated, INT_MISSING, reason)
        sender = sender_keys(self.sources, facts.source[reports.payload_row])
        self.cells.add(reports, placed.time_ms, self.coverage.sites, judged, sender)
        reason = np.where(placed.is_repeated, TAKEN, judged)
        return self._tally(opened, facts, reports, placed, reason)

    def _rows_in_horizon(
        self, opened: OpenedFrame, facts: PayloadFacts, readings: Readings
    ) -> tuple[Readings, PlacedRows]:
        readings = readable_rows(opened, readings)
        placed = place_rows(opened, facts, readings, screened(readings, facts))
        # Before the horizon is looked at: whether there was room for a row depends on all rows before it.
        if not isinstance(readings, UsageReadings):
            arrival = Arrival(opened.frame.received_time_ms, facts.source, facts.is_imported)
            placed.is_repeated[:] |= self.unnumbered.mark_repeated(
                opened.decoded, readings, arrival, placed.reason
            )
        readings, placed, beyond_count = rows_within(readings, placed, self.horizon)
        self.beyond_count += beyond_count
        if len(placed.time_ms):
            self.used = opened.frame.position
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
        counts: Counter[tuple[Route, int, bool]] = Counter()
        for other in opened.others:
            match other.route.kind:
                case PayloadKind.REGISTRY | PayloadKind.DISPUTE | PayloadKind.RULING:
                    self._note_entered(opened.frame, other)
                case PayloadKind.DECISION:
                    self.quota.note_decided(Decision.FromString(other.payload).decision_key)
                    self._note_enforcement(opened.frame, other)
                case PayloadKind.DECISIONS_SENT | PayloadKind.ACKNOWLEDGEMENT:
                    self._note_enforcement(opened.frame, other)
                case PayloadKind.FILE_ROW:
                    row = FileRow.FromString(other.payload)
                    reason = int(Reject[row.reason])
                    refused.append((other.envelope, row.kind, row.line, reason))
                    counts[other.route, reason, row.kind in NO_USAGE_KINDS] += 1
                case PayloadKind.UNREADABLE | PayloadKind.OVERSIZED:
                    reason = refusal_of_route(other.route)
                    refused.append((other.envelope, 0, 0, reason))
                    counts[other.route, reason, False] += 1
                case _:  # of a newer writer
                    pass
        for (route, why, is_no_usage), count in counts.items():
            self._count_refused(opened, route, why, count)
            if not is_no_usage:
                self._reject_usage(opened, route, count)
        if not refused:
            return no_refusals()
        return Refusals(*np.array(refused, np.int64).T.copy())

    def _note_enforcement(self, frame: StoredFrame, other: OtherPayload) -> None:
        """Take in what was decided, sent or acknowledged, where the horizon has it."""
        received_ms = frame.received_time_ms
        if not self.horizon.knows(received_ms) or not self.horizon.includes(received_ms):
            self.beyond_count += 1
            return
        match other.route.kind:
            case PayloadKind.DECISION:
                self.enforcement.note_decision(Decision.FromString(other.payload), received_ms)
            case PayloadKind.DECISIONS_SENT:
                self.enforcement.note_sent(DecisionsSent.FromString(other.payload), received_ms)
            case _:
                keys = _acknowledged_keys(other.payload)
                self.enforcement.note_acknowledged(other.route.operator, keys, received_ms)

    def _note_entered(self, frame: StoredFrame, other: OtherPayload) -> None:
        if other.route.kind == PayloadKind.REGISTRY:
            self._rate(frame, other.payload)
        if not self.registries.note(frame, other.envelope, other.payload, other.route.kind):
            self.quota.sims = self.registries.sims
            self.quota.after_quota = self.registries.operators
            return
        if self.time_max_ms:
            raise RegistriesChanged(
                f"sequence {frame.sequence} changes the sites, the policy or which readings count"
            )
        self.coverage = CoverageState(self.registries.sites, self.registries.policy)

    def _rate(self, frame: StoredFrame, payload: bytes) -> None:
        """Rate by a list of platforms from its frame on, however early whoever builds this state knew of the list."""
        entry = RegistryEntry.FromString(payload)
        if entry.registry == "platforms" and self.horizon.knows(frame.received_time_ms):
            self.quota.rate(entry.content, frame.received_time_ms)

    def _count_refused(self, opened: OpenedFrame, route: Route, reason: int, count: int) -> None:
        """Count payloads or file rows that were never rows of ours."""
        register = self.registries.sources(opened.frame.sequence)
        self.tallies.add_refused(self.tallies.key_of(route, register), reason, count)

    def _reject_usage(self, opened: OpenedFrame, route: Route, count: int) -> None:
        """Account for what may have been usage readings, under the day it arrived: the sums must reconcile."""
        if self.horizon.knows(opened.frame.received_time_ms):
            # Names that are none, or are used without the right to, are not remembered: they are as many as somebody
            # cares to make up.
            register = self.registries.sources(opened.frame.sequence)
            is_named = refusal_of(route, register) == TAKEN
            name = principal_of(route.operator, route.source) if is_named else NAMELESS_SOURCE
            day = int(ict_day(opened.frame.received_time_ms))
            self.quota.add_rejected(self.sources.row_of(name), day, count)


def _acknowledged_keys(payload: bytes) -> list[str]:
    """Return the keys of an acknowledgement, none where it cannot be read: whoever sent it acknowledges nothing."""
    try:
        return list(AcknowledgeRequest.FromString(payload).decision_keys)
    except DecodeError:
        return []


def new_state(
    history: RegistryHistory,
    horizon: Horizon,
    settings: QuotaSettings,
    *,
    minds_rulings: bool = True,
) -> State:
    """Return the state before the first frame, built with the registries known at the horizon.

    minds_rulings: False is as if no auditor had ruled on any reading.
    """
    registries = KnownRegistries(history, horizon.known_at_ms, minds_rulings)
    operators = Names()
    quota = QuotaState(registries.sims, settings, operators)
    quota.after_quota = registries.operators
    return State(
        registries=registries,
        coverage=CoverageState(registries.sites, registries.policy),
        quota=quota,
        enforcement=EnforcementState(operators),
        horizon=horizon,
        operators=operators,
    )
