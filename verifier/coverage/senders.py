"""By which source each device sends: the second kind of strata that may contradict each other, besides devices themselves.

A device that has sent by several sources stands for itself: nobody can say whose phone it is. New, add, merge, export; order, cuts and
merges change nothing.
"""

import numpy as np

from phusong.kernels.columns import Int64Column
from phusong.kernels.identity import EMPTY, KeyTable

LOWEST_START, HIGHEST_START = np.iinfo(np.int64).max, np.iinfo(np.int64).min


class DeviceSources:
    """The lowest and the highest key of the sources of each device: the same where there is one."""

    def __init__(self) -> None:
        """Start with no device."""
        self._devices = KeyTable(1)
        self._bounds = np.zeros((0, 2), np.int64)

    def add(self, device_key: Int64Column, source: Int64Column) -> bool:
        """Note by which sources devices send; return whether one that was known sends by another, too."""
        return self._join(device_key, source, source)

    def merge(self, other: "DeviceSources") -> None:
        """Note what another table knows."""
        self._join(other._devices.keys[:, 0], *other._known().T)  # noqa: SLF001 - of the same kind

    def strata(self, device_key: Int64Column) -> Int64Column:
        """Return the stratum of each device: its source, or the device itself where that is not one."""
        row = self._devices.find(device_key)
        if not len(self._known()):
            return device_key
        lowest, highest = self._known()[np.maximum(row, 0)].T
        found: Int64Column = np.where((row != EMPTY) & (lowest == highest), lowest, device_key)
        return found

    def export(self) -> Int64Column:
        """Return device, lowest and highest source, sorted by device."""
        order = np.argsort(self._devices.keys[:, 0])
        return np.column_stack((self._devices.keys, self._known()))[order]

    def restore(self, rows: Int64Column) -> None:
        """Become what was exported."""
        self._devices = KeyTable(1, rows[:, :1])
        self._bounds = rows[:, 1:].copy()

    def _known(self) -> Int64Column:
        return self._bounds[: self._devices.count]

    def _join(self, device_key: Int64Column, lowest: Int64Column, highest: Int64Column) -> bool:
        known_count = self._devices.count
        row = self._devices.rows_of(device_key)
        self._grow()
        known = np.unique(row[row < known_count])
        before = self._bounds[known]
        np.minimum.at(self._bounds[:, 0], row, lowest)
        np.maximum.at(self._bounds[:, 1], row, highest)
        return bool((self._bounds[known] != before).any())

    def _grow(self) -> None:
        size = self._devices.count
        if size <= len(self._bounds):
            return
        bounds = np.empty((max(size, 2 * len(self._bounds)), 2), np.int64)
        bounds[:] = LOWEST_START, HIGHEST_START
        bounds[: len(self._bounds)] = self._bounds
        self._bounds = bounds
