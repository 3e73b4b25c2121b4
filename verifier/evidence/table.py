"""The readings a pack is about as Parquet, to be looked at with any tool: what was measured, and what became of it."""

from pathlib import Path

import numpy as np

from phusong.kernels.columns import Int64Column
from phusong.kernels.plmn import operator_of
from phusong.kernels.radio import RAT_NAMES, levels_of
from phusong.kernels.reject import reason_name
from phusong.verifier.evidence.selection import UsedRows

KEY_BITS = 64


def readings_columns(
    sequence: int, envelope_of: Int64Column, used: UsedRows
) -> dict[str, list[object]]:
    """Return the rows of one frame as columns. `device_key` is unsigned and decimal, as in all reports."""
    readings = used.readings
    level_dbm = levels_of(readings)
    return {
        "sequence": [sequence] * len(readings.row),
        "envelope": envelope_of[readings.payload_row].tolist(),
        "row": readings.row.tolist(),
        "device_key": [str(key % 2**KEY_BITS) for key in readings.device_key.tolist()],
        "observed_time_ms": readings.observed_time_ms.tolist(),
        "counted_time_ms": used.time_ms.tolist(),
        "latitude_deg": readings.latitude_deg.tolist(),
        "longitude_deg": readings.longitude_deg.tolist(),
        "position_accuracy_m": _known(readings.position_accuracy_m.tolist()),
        "technology": [RAT_NAMES[rat] for rat in readings.rat.tolist()],
        "serving_operator": [operator_of(plmn) for plmn in readings.serving_plmn.tolist()],
        "level_dbm": _known(level_dbm.tolist()),
        "service_state": readings.service_state.tolist(),
        "became": [reason_name(reason) for reason in used.reason.tolist()],
    }


def write_readings(path: Path, parts: list[dict[str, list[object]]]) -> int:
    """Write the rows of all frames; return how many there are."""
    import polars as pl  # noqa: PLC0415 - a quarter of a second that checking a pack need not pay

    columns: dict[str, list[object]] = {name: [] for name in COLUMNS}
    for part in parts:
        for name, values in part.items():
            columns[name] += values
    frame = pl.DataFrame(
        columns, schema={name: getattr(pl, kind) for name, kind in COLUMNS.items()}
    )
    frame.write_parquet(path, statistics=False)
    return frame.height


COLUMNS = {
    "sequence": "Int64",
    "envelope": "Int64",
    "row": "Int64",
    "device_key": "String",
    "observed_time_ms": "Int64",
    "counted_time_ms": "Int64",
    "latitude_deg": "Float64",
    "longitude_deg": "Float64",
    "position_accuracy_m": "Float64",
    "technology": "String",
    "serving_operator": "String",
    "level_dbm": "Float64",
    "service_state": "Int64",
    "became": "String",
}


def _known(values: list[float]) -> list[float | None]:
    return [None if np.isnan(value) else value for value in values]
