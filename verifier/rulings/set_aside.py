"""Signal readings that were set aside by judgement, with what somebody who rules on them asks for.

The journal is replayed as if nobody had ruled yet, so that what was released and what was confirmed stay listed with the reason
they were set aside for.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from phusong.kernels.columns import Int64Column, SignalReadings
from phusong.kernels.locate import locate_readings
from phusong.kernels.reject import Reject
from phusong.v1.ingest_pb2 import RowKind
from phusong.verifier.coverage.policy import Policy
from phusong.verifier.coverage.rulings import RELEASABLE, ReadingName
from phusong.verifier.coverage.state import CoverageState
from phusong.verifier.journal import StoredFrame
from phusong.verifier.names import Names
from phusong.verifier.opened import open_frame
from phusong.verifier.placing import Horizon
from phusong.verifier.quota.settings import QuotaSettings
from phusong.verifier.registry.entries import RegistryHistory
from phusong.verifier.registry.sites import SiteRegister
from phusong.verifier.state import new_state

KEY_WRAP = 1 << 64


class SetAside(NamedTuple):
    """One reading that a ruling can concern. `device_key` is unsigned; `sites` are the codes of those it lies in."""

    reading: ReadingName
    reason: Reject
    device_key: int
    time_ms: int
    operator: str
    source: str
    sites: tuple[str, ...]


class Wanted(NamedTuple):
    """Which of them are asked for; empty texts, zeros and None are any. Times are Unix ms, both ends included."""

    readings: frozenset[ReadingName] | None = None
    site: str = ""
    device_key: int = 0
    reason: Reject | None = None
    operator: str = ""
    source: str = ""
    from_time_ms: int = 0
    until_time_ms: int = 0

    def takes(self, found: SetAside) -> bool:
        """Tell whether a reading is among those asked for."""
        return (
            (self.readings is None or found.reading in self.readings)
            and (not self.site or self.site in found.sites)
            and self.device_key in (0, found.device_key)
            and self.reason in (None, found.reason)
            and self.operator in ("", found.operator)
            and self.source in ("", found.source)
            and self.from_time_ms <= found.time_ms
            and (not self.until_time_ms or found.time_ms <= self.until_time_ms)
        )

    def __str__(self) -> str:
        """Say it in words, for the journal."""
        if self.readings is not None:
            return f"{len(self.readings)} readings by name"
        named = {name: value for name, value in self._asdict().items() if value}
        if self.reason is not None:
            named["reason"] = self.reason.name
        return ", ".join(f"{name} {value}" for name, value in named.items()) or "all"


class _WatchedCoverage(CoverageState):
    """Coverage that remembers the rows of the present frame, whose reasons are complete once the frame is applied."""

    def __init__(self, sites: SiteRegister, policy: Policy) -> None:
        super().__init__(sites, policy)
        self.judged: tuple[SignalReadings, Int64Column, Int64Column] | None = None

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
        self.judged = readings, time_ms, reason


class SetAsideReader:
    """Reads a journal for readings that a ruling can concern."""

    def __init__(self, history: RegistryHistory) -> None:
        """history: of the whole journal; the rulings in it are left out."""
        self._whole, self._state = (
            new_state(history, Horizon(), QuotaSettings(), minds_rulings=False) for _ in range(2)
        )
        registries = self._state.registries
        self._coverage = _WatchedCoverage(registries.sites, registries.policy)
        self._state.coverage = self._coverage
        self._codes = [site.code for site in registries.sites.sites]
        # Of signal readings that do not count for a reason that no ruling touches.
        self.refused: dict[ReadingName, Reject] = {}

    def read(
        self,
        frames: Callable[[], Iterator[StoredFrame]],
        named: frozenset[ReadingName] = frozenset(),
    ) -> Iterator[SetAside]:
        """Yield them in journal order. `refused` tells then why others of the `named` do not count.

        frames: of the same journal each time. They are read twice: the plausibility screen judges readings by what came after them.
        """
        for frame in frames():
            self._whole.apply(frame)
        self._whole.coverage.screen(self._whole.cells)
        self._state.screened_by = self._whole
        for frame in frames():
            self._coverage.judged = None
            refusals = self._state.apply(frame)
            for envelope, kind, row, reason in zip(
                *(column.tolist() for column in refusals), strict=True
            ):
                name = ReadingName(frame.sequence, envelope, row)
                if kind == RowKind.ROW_KIND_SIGNAL and name in named:
                    self.refused[name] = Reject(reason)
            if self._coverage.judged is not None:
                yield from self._of_frame(frame, *self._coverage.judged)

    def _of_frame(
        self,
        frame: StoredFrame,
        readings: SignalReadings,
        time_ms: Int64Column,
        reason: Int64Column,
    ) -> Iterator[SetAside]:
        row = np.flatnonzero(np.isin(reason, list(RELEASABLE)))
        if not len(row):
            return
        columns: Any = (column[row] for column in readings)
        readings, time_ms, reason = SignalReadings(*columns), time_ms[row], reason[row]
        opened = open_frame(frame)
        footprints = self._coverage.footprints
        located = locate_readings(
            readings.latitude_deg, readings.longitude_deg, footprints.parts, footprints.index
        )
        sites: dict[int, set[str]] = {}
        for place, part in zip(located.reading.tolist(), located.part.tolist(), strict=True):
            sites.setdefault(place, set()).add(self._codes[int(footprints.site_row[part])])
        for i, payload in enumerate(readings.payload_row.tolist()):
            route = opened.routes[int(opened.route[payload])]
            yield SetAside(
                ReadingName(frame.sequence, int(opened.envelope[payload]), int(readings.row[i])),
                Reject(int(reason[i])),
                int(readings.device_key[i]) % KEY_WRAP,
                int(time_ms[i]),
                route.operator,
                route.source,
                tuple(sorted(sites.get(i, ()))),
            )
