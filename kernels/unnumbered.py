"""Rows of batches without a sequence, counted once. Collector and verifier call the same, so their answers agree.

Signal readings and cell reports are known again by what they say (`kernels.row_identity`). Usage readings need nothing: a
cumulative counter sent again changes nothing, and the meter knows it again by its value; a delta without a sequence is
refused.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from phusong.kernels.clock import TIME_AS_OBSERVED, place_times
from phusong.kernels.columns import BoolColumn, CellReports, Decoded, Int64Column, SignalReadings
from phusong.kernels.reject import TAKEN, Reject
from phusong.kernels.row_hash import row_hashes
from phusong.kernels.row_identity import BEYOND, REPEATED, RowIdentities


class Arrival(NamedTuple):
    """When the payloads of a frame arrived, and per payload whose it is and whether an importer brought it."""

    received_time_ms: int
    source: Int64Column
    is_imported: BoolColumn


class UnnumberedRows:
    """What is remembered of the rows of batches without a sequence."""

    def __init__(self) -> None:
        """Start with nothing seen."""
        self.signal = RowIdentities()
        self.cells = RowIdentities()

    def mark_repeated(
        self,
        decoded: Decoded,
        readings: SignalReadings | CellReports,
        arrival: Arrival,
        reason: Int64Column,
    ) -> BoolColumn:
        """Tell which rows came before in a batch without a sequence, bool[n]; write why others are not counted.

        readings: rows of `decoded`, all of one kind; reason: of what is known of a row without state, written
        (SEQUENCE_NEEDED) where nobody could tell. A row that is not counted for another reason, or whose payload is refused,
        claims no identity: mended or permitted, it counts. So does one whose clock is too far off, which is the verifier's to refuse.
        """
        is_repeated = np.zeros(len(readings.row), np.bool_)
        is_unnumbered = (decoded.payloads.sequence == 0) & (decoded.payloads.reject == TAKEN)
        if not is_unnumbered.any():
            return is_repeated
        at = np.flatnonzero(is_unnumbered[readings.payload_row] & (reason == TAKEN))
        rows = _rows_at(readings, at)
        is_imported = arrival.is_imported[rows.payload_row]
        received_time_ms = np.where(is_imported, rows.received_time_ms, arrival.received_time_ms)
        time_ms, time_flag = np.empty((2, len(at)), np.int64)
        place_times(
            rows.observed_time_ms,
            received_time_ms,
            rows.reporting_delay_ms,
            is_imported,
            time_ms,
            time_flag,
        )
        is_placed = time_flag == TIME_AS_OBSERVED
        if not is_placed.all():
            rows, at = _rows_at(rows, np.flatnonzero(is_placed)), at[is_placed]
        if not len(at):
            return is_repeated
        identities = self.signal if isinstance(readings, SignalReadings) else self.cells
        outcome = identities.recall(
            arrival.source[rows.payload_row],
            rows.observed_time_ms,
            row_hashes(rows, decoded.buffer),
            arrival.received_time_ms,
        )
        reason[at[outcome == BEYOND]] = Reject.SEQUENCE_NEEDED
        is_repeated[at] = outcome == REPEATED
        return is_repeated

    def export(self) -> dict[str, NDArray[np.int64]]:
        """Return the state as int64 arrays by name."""
        return {
            f"{kind}_{name}": array
            for kind, identities in (("signal", self.signal), ("cells", self.cells))
            for name, array in identities.export().items()
        }

    def restore(self, arrays: dict[str, NDArray[np.int64]]) -> None:
        """Take the state from what `export` returned."""
        for kind, identities in (("signal", self.signal), ("cells", self.cells)):
            identities.restore({name: arrays[f"{kind}_{name}"] for name in identities.export()})


def _rows_at(
    readings: SignalReadings | CellReports, at: Int64Column
) -> SignalReadings | CellReports:
    columns: Any = (column[at] for column in readings)
    return type(readings)(*columns)
