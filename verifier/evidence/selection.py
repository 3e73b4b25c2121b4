"""Which payloads of the journal bear on the verdicts of some sites. Judged by the state itself, not beside it."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from phusong.kernels.columns import (
    INT_MISSING,
    BoolColumn,
    CellReports,
    Int64Column,
    SignalReadings,
)
from phusong.kernels.frame import PayloadKind, decode_frame
from phusong.kernels.locate import locate_readings
from phusong.kernels.reject import TAKEN
from phusong.kernels.wire.text import text_hash
from phusong.v1.journal_pb2 import RegistryEntry
from phusong.verifier.coverage.cells import CellState
from phusong.verifier.coverage.policy import Policy
from phusong.verifier.coverage.state import CoverageState
from phusong.verifier.disputes.entries import decode_steps
from phusong.verifier.disputes.records import Step, dispute_name
from phusong.verifier.journal import StoredFrame
from phusong.verifier.names import Names
from phusong.verifier.opened import open_frame
from phusong.verifier.placing import Horizon
from phusong.verifier.quota.settings import QuotaSettings
from phusong.verifier.registry.entries import ENTERED_KINDS, RegistryHistory, Version
from phusong.verifier.registry.sites import SiteRegister
from phusong.verifier.rulings.entries import read_ruling
from phusong.verifier.state import new_state

# What verdicts are judged and disputed by. Entitlements are not among them: they hold children's keys.
REGISTRIES = {"sites", "policy", "sources", "disputes"}


class UsedRows(NamedTuple):
    """Readings inside the sites, refused ones too; `payload_row` counts the batches of their frame."""

    readings: SignalReadings
    time_ms: Int64Column
    reason: Int64Column


class Selected(NamedTuple):
    """A frame that bears on the verdicts."""

    frame: StoredFrame
    previous_chain: bytes
    envelopes: list[int]
    used: UsedRows | None
    envelope_of: Int64Column  # by payload_row


class Seen(NamedTuple):
    """What was met in some sites."""

    device_key: Int64Column
    cell_identity: Int64Column


def seen_in(judged: CoverageState, codes: frozenset[str]) -> Seen:
    """Return the devices of the bins of sites, and the cells they heard loudest."""
    chosen = [site.code in codes for site in judged.sites.sites]
    parts = np.flatnonzero(np.array(chosen, np.bool_)[judged.footprints.site_row])
    bins = judged.bins.of_parts(parts)
    return Seen(np.unique(bins.keys.device_key), np.unique(bins.traces.loudest_cell))


class _WatchedCoverage(CoverageState):
    """Coverage that remembers which rows of the present frame lie in chosen parts."""

    def __init__(
        self, sites: SiteRegister, policy: Policy, codes: frozenset[str], seen: Seen
    ) -> None:
        super().__init__(sites, policy)
        self.used: UsedRows | None = None
        self.payload_rows: Int64Column = np.zeros(0, np.int64)
        self._seen = seen
        chosen = np.array([site.code in codes for site in sites.sites], np.bool_)
        self._is_chosen: BoolColumn = chosen[self.footprints.site_row]

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
        super().add(
            readings, time_ms, route_operator, operators, reason, ruled=ruled, source=source
        )
        located = locate_readings(
            readings.latitude_deg,
            readings.longitude_deg,
            self.footprints.parts,
            self.footprints.index,
        )
        inside = located.reading[reason[located.reading] != INT_MISSING]  # else known already
        is_seen = np.isin(readings.device_key[inside], self._seen.device_key)
        self.payload_rows = readings.payload_row[inside[is_seen]]
        row = np.unique(located.reading[self._is_chosen[located.part]])
        row = row[reason[row] != INT_MISSING]
        if len(row):
            columns: Any = (column[row] for column in readings)
            self.used = UsedRows(SignalReadings(*columns), time_ms[row], reason[row])


class _WatchedCells(CellState):
    """Cell reports, remembering which of the present frame speak of chosen sites."""

    def __init__(self, codes: frozenset[str], seen: Seen) -> None:
        super().__init__()
        self._seen = seen
        self.payload_rows: Int64Column = np.zeros(0, np.int64)
        self._hashes = np.array([text_hash(code) for code in codes], np.int64)

    def add(
        self,
        reports: CellReports,
        time_ms: Int64Column,
        sites: SiteRegister,
        reason: Int64Column,
        sender: Int64Column | None = None,
    ) -> None:
        super().add(reports, time_ms, sites, reason, sender)
        bears = np.isin(reports.site_code, self._hashes)
        # What says where the mast of a cell heard here stands, whatever site that is of.
        bears |= np.isin(reports.cell_identity, self._seen.cell_identity)
        self.payload_rows = reports.payload_row[bears & (reason == TAKEN)]


def select_frames(
    frames: Iterator[StoredFrame],
    history: RegistryHistory,
    horizon: Horizon,
    codes: frozenset[str],
    judged: CoverageState,
) -> Iterator[Selected]:
    """Yield, of all frames of a journal in order, those that bear on the verdicts of the sites.

    history: of the whole journal, so that rows are judged by what is in force at the horizon. judged: all of these frames;
    it says which devices and cells were met in the sites, for the plausibility screen judges readings by where else they were.
    """
    seen = seen_in(judged, codes)
    state = new_state(history, horizon, QuotaSettings())
    coverage = _WatchedCoverage(state.registries.sites, state.registries.policy, codes, seen)
    cells = _WatchedCells(codes, seen)
    state.coverage, state.cells = coverage, cells
    about = entries_about(codes, history, horizon)
    chosen: set[tuple[int, int]] = set()  # frame and envelope of the readings used
    for frame in frames:
        coverage.used = None
        coverage.payload_rows = cells.payload_rows = np.zeros(0, np.int64)
        previous_chain = state.position.chain
        state.apply(frame)
        entered = _entered_envelopes(frame, about, chosen, horizon)
        payload_rows = np.concatenate((cells.payload_rows, coverage.payload_rows))
        if coverage.used is None and not len(payload_rows) and not entered:
            continue
        opened = open_frame(frame)
        if coverage.used is not None:
            payload_rows = np.concatenate((payload_rows, coverage.used.readings.payload_row))
        bearing = opened.envelope[payload_rows].tolist()
        chosen.update((frame.sequence, envelope) for envelope in bearing)
        envelopes = set(bearing) | entered
        yield Selected(frame, previous_chain, sorted(envelopes), coverage.used, opened.envelope)


def entries_about(
    codes: frozenset[str], history: RegistryHistory, horizon: Horizon
) -> set[tuple[int, int]]:
    """Return where the steps stand, as known at the horizon, of the disputes about some sites."""
    steps = [
        step
        for step in decode_steps(history.entered(PayloadKind.DISPUTE, horizon.known_at_ms))
        if isinstance(step, Step)
    ]
    names = {
        dispute_name(step.sequence, step.envelope)
        for step in steps
        if step.verdict is not None and step.verdict.site_code in codes
    }
    return {
        (step.sequence, step.envelope)
        for step in steps
        if (step.dispute or dispute_name(step.sequence, step.envelope)) in names
    }


def _entered_envelopes(
    frame: StoredFrame,
    about: set[tuple[int, int]],
    chosen: set[tuple[int, int]],
    horizon: Horizon,
) -> set[int]:
    """Return the envelopes of a frame with what people entered that bears on the verdicts.

    about: where steps of disputes about the sites stand; chosen: the payloads whose readings are used, for rulings on them.
    """
    decoded = decode_frame(frame.body)
    kinds = {n: route.kind for n, route in decoded.routes.items() if route.kind in ENTERED_KINDS}
    found: set[int] = set()
    for i in np.flatnonzero(np.isin(decoded.route, list(kinds))).tolist() if kinds else ():
        start, length = int(decoded.offset[i]), int(decoded.length[i])
        payload = frame.body[start : start + length]
        match kinds[int(decoded.route[i])]:
            case PayloadKind.REGISTRY:
                bears = RegistryEntry.FromString(payload).registry in REGISTRIES
            case PayloadKind.RULING:
                ruling = read_ruling(Version(frame.sequence, 0, "", payload, i))
                named = () if ruling is None else ruling.readings
                is_known = horizon.knows(frame.received_time_ms)
                bears = is_known and any(reading[:2] in chosen for reading in named)
            case _:
                bears = (frame.sequence, i) in about
        if bears:
            found.add(i)
    return found
