"""Tests of the service beside the level: downloads, delays, attempts to open a data session. State beside the bins.

A device contributes one sample of each measure in a slot of 30 s of a place cell, the first; samples nearer to each other
than 30 s are thinned when they are judged. New, add, merge, export; order, cuts and merges change nothing.
"""

from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phusong.kernels.columns import INT_MISSING, BoolColumn, Int64Column, SignalReadings
from phusong.kernels.days import ICT_OFFSET_MS
from phusong.kernels.locate import locate_readings
from phusong.kernels.radio import SERVICE_EMERGENCY_ONLY, SERVICE_NONE
from phusong.kernels.reject import TAKEN
from phusong.kernels.samples import FirstSamples
from phusong.verifier.coverage.footprint import Footprints
from phusong.verifier.coverage.policy import Policy

# QCVN 81:2019/BTTTT: attempts of one device at least 30 s apart. The same for downloads and delays, which are as alike.
SAMPLE_GAP_MS = 30_000
HOUR_MS = 3_600_000
HOURS_PER_DAY = 24
US_PER_MS = 1000
KEY_WIDTH = 8  # part, operator, technology, measure, place cell east and north, device, slot


class Measure(IntEnum):
    """What was tested."""

    DOWNLOAD = 0  # bit/s
    LATENCY = 1  # microseconds, negative: of every measure the higher value is the better one
    ACCESS = 2  # 1 or 0


class ServiceSamples:
    """Samples of one register of sites, within the measuring hours and of technologies that count."""

    def __init__(self, footprints: Footprints, policy: Policy) -> None:
        """Start with nothing tested."""
        self.samples = FirstSamples(KEY_WIDTH)
        self._footprints = footprints
        self._policy = policy

    def add(
        self,
        readings: SignalReadings,
        time_ms: Int64Column,
        operator: Int64Column,
        reason: Int64Column,
    ) -> None:
        """Add the tests of rows whose reason is 0; operator: its key (see `networks`)."""
        values = _values_of(readings)
        is_tested = np.logical_or.reduce([found for found, _ in values])
        row = np.flatnonzero(is_tested & (reason == TAKEN) & self._is_judged(readings, time_ms))
        if not len(row):
            return
        located = locate_readings(
            readings.latitude_deg[row],
            readings.longitude_deg[row],
            self._footprints.parts,
            self._footprints.index,
        )
        row = row[located.reading]
        rat = self._technology(readings)[row]
        for measure, (found, value) in zip(Measure, values, strict=True):
            at = np.flatnonzero(found[row])
            keys = (
                located.part[at],
                operator[row][at],
                rat[at],
                np.full(len(at), measure, np.int64),
                located.cell_east[at],
                located.cell_north[at],
                readings.device_key[row][at],
                time_ms[row][at] // SAMPLE_GAP_MS,
            )
            self.samples.add(keys, time_ms[row][at], value[row][at])

    def merge(self, other: "ServiceSamples") -> None:
        """Add the samples of another state of the same sites and policy."""
        self.samples.merge(other.samples)

    def export(self) -> dict[str, NDArray[Any]]:
        """Return all samples, sorted by key."""
        keys, time_ms, value = self.samples.export()
        return {"service_keys": keys, "service_time_ms": time_ms, "service_value": value}

    def restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Become what was exported."""
        self.samples.restore(
            arrays["service_keys"], arrays["service_time_ms"], arrays["service_value"]
        )

    def _technology(self, readings: SignalReadings) -> Int64Column:
        """Return the technology of each row; an attempt without service is of the one asked for first."""
        is_silent = np.isin(readings.service_state, (SERVICE_NONE, SERVICE_EMERGENCY_ONLY))
        return np.where(is_silent, self._policy.counted_rats[0], readings.rat)

    def _is_judged(self, readings: SignalReadings, time_ms: Int64Column) -> BoolColumn:
        time = self._policy.time
        hour = (time_ms + ICT_OFFSET_MS) // HOUR_MS % HOURS_PER_DAY
        is_within: BoolColumn = (hour >= time.measuring_hour_first) & (
            hour < time.measuring_hour_end
        )
        return is_within & np.isin(self._technology(readings), self._policy.counted_rats)


def _values_of(readings: SignalReadings) -> list[tuple[BoolColumn, Int64Column]]:
    """Return for each measure which rows tested it, and what they found."""
    has_latency = ~np.isnan(readings.latency_ms)
    latency_us = np.where(has_latency, readings.latency_ms, 0.0) * US_PER_MS
    return [
        (readings.download_bits_per_s != INT_MISSING, readings.download_bits_per_s),
        (has_latency, -np.rint(latency_us).astype(np.int64)),
        (readings.access_succeeded != INT_MISSING, readings.access_succeeded),
    ]
