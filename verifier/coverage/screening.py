"""Which readings cannot be, taken together: the plausibility screen of a policy, brought up to date when asked.

What is judged is the bin, all that a device sent from one place in one window, because a bin is what readings contribute to a verdict,
and because bins do not depend on how readings came in. So neither does anything here: reasons are a function of the
bins that there are, and are no part of the state that is written down. A bin of which an auditor released a reading counts.
"""

import numpy as np

from phusong.kernels.bin_sorting import sort_runs
from phusong.kernels.bin_table import NO_LEVEL_HIGH
from phusong.kernels.bins import Bins
from phusong.kernels.columns import BoolColumn, Int64Column
from phusong.kernels.locate import DEGREE_M
from phusong.kernels.radio import RAT_LTE, RAT_NR
from phusong.kernels.reject import TAKEN, Reject
from phusong.kernels.screen_places import FreeSpace, mark_shared_positions, mark_too_loud
from phusong.kernels.screen_trails import Heard, Stuck, mark_stuck_cells, mark_stuck_levels
from phusong.kernels.trails import RELEASED_WEIGHT, Pace, Visits, mark_speeds
from phusong.verifier.coverage.footprint import Footprints
from phusong.verifier.coverage.masts import Masts
from phusong.verifier.coverage.policy import Policy
from phusong.verifier.coverage.terms import Plausibility

# Times of many phones are whole seconds.
SLACK_MS = 1000.0
# The middle of a place cell stands for any point of it: half a diagonal at each end.
DIAGONAL = 2.0**0.5


class Screening:
    """The reason of every bin, by its row, 0 where nothing speaks against it."""

    def __init__(self, policy: Policy, footprints: Footprints) -> None:
        """Start with nothing judged."""
        self._terms = policy.plausibility
        self._place = policy.place
        self._footprints = footprints
        self._masts: Masts | None = None
        self._of_trail = np.zeros(0, np.int64)
        self._of_place = np.zeros(0, np.int64)

    def update(self, bins: Bins, masts: Masts) -> Int64Column:
        """Judge the bins of devices and places of which anything new is known; return the parts whose evidence changed."""
        touched = bins.take_touched()
        for name in ("_of_trail", "_of_place"):
            reason = np.zeros(bins.count, np.int64)
            reason[: len(getattr(self, name))] = getattr(self, name)
            setattr(self, name, reason)
        is_changed = touched.is_part_touched
        if self._terms is None:
            return np.flatnonzero(is_changed)
        trails = np.flatnonzero(touched.is_trail_touched)
        if len(trails):
            self._judge_trails(bins, trails, self._terms, is_changed)
        if self._masts is None or not masts.is_as(self._masts):
            self._masts = masts
            is_changed[:] = True
        parts = np.flatnonzero(is_changed)
        if len(parts):
            self._judge_places(bins, parts, self._terms, masts)
        return parts

    def reasons_of(self, bins: Bins, row: Int64Column) -> Int64Column:
        """Return the reasons of bins, 0 for those that count."""
        reason = np.where(self._of_trail[row] != TAKEN, self._of_trail[row], self._of_place[row])
        found: Int64Column = np.where(bins.columns.is_released[row] != 0, TAKEN, reason)
        return found

    def _judge_trails(
        self, bins: Bins, trails: Int64Column, terms: Plausibility, is_changed: BoolColumn
    ) -> None:
        row, start = bins.rows_of_trails(trails)
        visits, heard = self._visits_of(bins, row), heard_of(bins, row)
        accuracy_m, cell_m = self._place.position_accuracy_max_m, self._place.cell_size_m
        pace = Pace(terms.speed_max_m_per_s, 2 * accuracy_m + DIAGONAL * cell_m, SLACK_MS)
        stuck = Stuck(terms.stuck_places_min, terms.stuck_extent_min_m, terms.cell_reach_max_m)
        is_out = np.zeros((3, len(row)), np.bool_)
        mark_speeds(start, visits, bins.window_ms, pace, is_out[0])
        mark_stuck_levels(start, visits, heard, stuck, is_out[1])
        mark_stuck_cells(start, visits, heard, stuck, is_out[2])
        why = (Reject.SPEED_IMPLIED, Reject.LEVEL_STUCK, Reject.CELL_STUCK)
        reason = first_reason(is_out, why)
        other = row[self._of_trail[row] != reason]
        is_changed[bins.parts_of(other)] = True
        self._of_trail[row] = reason

    def _judge_places(
        self, bins: Bins, parts: Int64Column, terms: Plausibility, masts: Masts
    ) -> None:
        row, start = bins.rows_of_parts(parts)
        columns = bins.columns
        place = bins.parts_of(row) << 32 | (columns.when[row] >> 32 & 0xFFFFFFFF)
        position, trail = columns.position_low[row], columns.trail[row].astype(np.int64)
        order = np.empty(len(row), np.int64)
        sort_runs(start, np.stack((place, position, trail), axis=1), order)
        is_out = np.zeros((2, len(row)), np.bool_)
        mark_shared_positions(
            order, place, position, trail, terms.devices_at_position_max, is_out[0]
        )
        self._mark_loud(bins, row, terms, masts, is_out[1])
        why = (Reject.POSITION_SHARED, Reject.LEVEL_ABOVE_FREE_SPACE)
        self._of_place[row] = first_reason(is_out, why)

    def _mark_loud(
        self, bins: Bins, row: Int64Column, terms: Plausibility, masts: Masts, is_out: BoolColumn
    ) -> None:
        columns = bins.columns
        keys = bins.keys_of(row)
        says = columns.loudest_mdbm[row] != NO_LEVEL_HIGH
        says &= (columns.loudest_cell[row] >= 0) & np.isin(keys.rat, (RAT_LTE, RAT_NR))
        chosen = np.flatnonzero(says)
        if not len(chosen) or not masts.cells.count:
            return
        first, end = masts.places_of(keys.operator[chosen], columns.loudest_cell[row[chosen]])
        latitude_deg, longitude_deg = self._middles(keys.part, keys.cell_east, keys.cell_north)
        free = FreeSpace(
            terms.eirp_max_dbm,
            terms.frequency_min_mhz,
            terms.free_space_sigmas * terms.free_space_sigma_db,
            terms.mast_distance_max_m,
        )
        is_loud = np.zeros(len(chosen), np.bool_)
        mark_too_loud(
            latitude_deg[chosen],
            longitude_deg[chosen],
            columns.loudest_mdbm[row[chosen]].astype(np.int64),
            first,
            end,
            *masts[2:],
            free,
            is_loud,
        )
        is_out[chosen] = is_loud

    def _visits_of(self, bins: Bins, row: Int64Column) -> Visits:
        columns, keys = bins.columns, bins.keys_of(row)
        latitude_deg, longitude_deg = self._middles(keys.part, keys.cell_east, keys.cell_north)
        is_released = columns.is_released[row] != 0
        return Visits(
            latitude_deg=latitude_deg,
            longitude_deg=longitude_deg,
            first_time_ms=columns.first_time_ms[row],
            last_time_ms=columns.last_time_ms[row],
            window_start_ms=bins.window_start_ms(keys.window),
            presence=columns.presence[row],
            weight=np.where(
                is_released, RELEASED_WEIGHT, columns.heard_count[row].astype(np.int64)
            ),
            where=columns.where[row],
            when=columns.when[row],
        )

    def _middles(
        self, part: Int64Column, cell_east: Int64Column, cell_north: Int64Column
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return latitude and longitude of the middles of place cells."""
        parts = self._footprints.parts
        north_m = (cell_north + 0.5) * parts.cell_size_m
        east_m = (cell_east + 0.5) * parts.cell_size_m
        return (
            parts.latitude_deg[part] + north_m / DEGREE_M,
            parts.longitude_deg[part] + east_m / parts.degree_east_m[part],
        )


def heard_of(bins: Bins, row: Int64Column) -> Heard:
    """Return what was heard in bins."""
    columns = bins.columns
    return Heard(
        rat=columns.where[row] & 0xFF,
        has_level=columns.loudest_mdbm[row] != NO_LEVEL_HIGH,
        quietest_mdbm=columns.quietest_mdbm[row].astype(np.int64),
        loudest_mdbm=columns.loudest_mdbm[row].astype(np.int64),
        cell_low=columns.cell_low[row],
        cell_high=columns.cell_high[row],
    )


def first_reason(is_out: BoolColumn, why: tuple[Reject, ...]) -> Int64Column:
    """Return for each column of marks the reason of the first row that is marked, 0 for none."""
    reason = np.zeros(is_out.shape[1], np.int64)
    for marks, one in zip(is_out[::-1], why[::-1], strict=True):
        reason[marks] = one
    return reason
