"""Both sides of a dispute before the same judge: the verdict on everything, on the filer's readings, on the rebutter's.

The journal is replayed once. Every reading that counts goes to the whole and to each side that named it before, so that bounds,
minimums and policy are the same for all. Reports of base stations are judged with the whole alone: they are claims of one side.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from phusong.kernels.columns import INT_MISSING, BoolColumn, Int64Column, SignalReadings
from phusong.kernels.reject import TAKEN
from phusong.verifier.coverage.policy import Policy
from phusong.verifier.coverage.records import SiteVerdict
from phusong.verifier.coverage.state import CoverageState
from phusong.verifier.disputes.records import Selection
from phusong.verifier.journal import StoredFrame
from phusong.verifier.names import Names
from phusong.verifier.opened import OpenedFrame, open_frame
from phusong.verifier.placing import Horizon
from phusong.verifier.quota.settings import QuotaSettings
from phusong.verifier.registry.entries import RegistryHistory
from phusong.verifier.registry.sites import SiteRegister
from phusong.verifier.state import new_state

KEY_WRAP = 1 << 64
KEY_SIGN = 1 << 63


class Evidence(NamedTuple):
    """What one side relies on: its selections, of what stood in the journal before its entry."""

    selections: tuple[Selection, ...]
    before_sequence: int


class Judged(NamedTuple):
    """The rows of a report, by everything and by each side's evidence alone, in the order the sides were given."""

    whole: list[SiteVerdict]
    sides: list[list[SiteVerdict]]


class _SidedCoverage(CoverageState):
    """Coverage that hands on what it counts to the sides that named it."""

    def __init__(self, sites: SiteRegister, policy: Policy, evidence: tuple[Evidence, ...]) -> None:
        super().__init__(sites, policy)
        self._evidence_of = evidence
        self.sides = [CoverageState(sites, policy) for _ in evidence]
        self.opened: OpenedFrame | None = None

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
        if self.opened is None:
            return
        for evidence, side in zip(self._evidence_of, self.sides, strict=True):
            is_named = _is_named(evidence, self.opened, readings, time_ms)
            if is_named.any():
                its = np.where(is_named & (reason == TAKEN), TAKEN, INT_MISSING)
                side.add(
                    readings, time_ms, route_operator, operators, its, ruled=ruled, source=source
                )


def judge_sides(
    frames: Iterator[StoredFrame],
    history: RegistryHistory,
    horizon: Horizon,
    evidence: tuple[Evidence, ...],
    as_of_ms: int,
) -> Judged:
    """Return the verdicts on everything and on the evidence of each side.

    frames: of the whole journal in order; history: of the whole journal, so that rows are judged by what is in force.
    """
    state = new_state(history, horizon, QuotaSettings())
    coverage = _SidedCoverage(state.registries.sites, state.registries.policy, evidence)
    state.coverage = coverage
    for frame in frames:
        is_named = any(frame.sequence < its.before_sequence for its in evidence)
        coverage.opened = open_frame(frame) if is_named else None
        state.apply(frame)
    return Judged(
        state.verdicts(as_of_ms),
        [side.verdicts(as_of_ms, state.operators) for side in coverage.sides],
    )


def _is_named(
    evidence: Evidence, opened: OpenedFrame, readings: SignalReadings, time_ms: Int64Column
) -> BoolColumn:
    """Tell which readings of a frame a side named."""
    named = np.zeros(len(readings.row), np.bool_)
    if opened.frame.sequence >= evidence.before_sequence:
        return named
    routes = opened.routes
    payload = readings.payload_row
    for selection in evidence.selections:
        is_route = np.array(
            [
                selection.operator in ("", route.operator)
                and selection.source in ("", route.source)
                for route in routes
            ],
            np.bool_,
        )
        chosen = is_route[opened.route][payload]
        if selection.boot_epoch:
            chosen &= opened.decoded.payloads.boot_epoch[payload] == _signed(selection.boot_epoch)
        if selection.device_key:
            chosen &= readings.device_key == _signed(selection.device_key)
        if selection.from_time_ms:
            chosen &= time_ms >= selection.from_time_ms
        if selection.until_time_ms:
            chosen &= time_ms <= selection.until_time_ms
        named |= chosen
    return named


def _signed(key: int) -> int:
    """Return a 64-bit key as columns hold it."""
    return key - KEY_WRAP if key >= KEY_SIGN else key
