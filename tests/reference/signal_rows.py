"""Signal readings for tests: rows as dicts, missing fields as on the wire, and the columns of them."""

import math
from typing import Any

import numpy as np

from phusong.kernels.columns import SignalReadings

RAT = {"GSM": 1, "UMTS": 2, "LTE": 3, "NR": 4}
VIETTEL, VINAPHONE, REDDI = 45204, 45202, 45209

GOOD: dict[str, Any] = {
    "payload_row": 0,
    "row": 0,
    "device_key": 7,
    "observed_time_ms": 1_633_060_800_000,  # 2021-10-01T04:00:00Z, 11:00 in Vietnam
    "latitude_deg": 21.0,
    "longitude_deg": 105.5,
    "position_accuracy_m": 8.0,
    "rat": RAT["LTE"],
    "sim_plmn": VIETTEL,
    "serving_plmn": VIETTEL,
    "cell_identity": 1000,
    "rsrp_dbm": -95.0,
    "ss_rsrp_dbm": math.nan,
    "rscp_dbm": math.nan,
    "rxlev_dbm": math.nan,
    "rsrq_db": math.nan,
    "sinr_db": math.nan,
    "service_state": 1,
    "cell_role": 1,
    "download_bits_per_s": -1,
    "upload_bits_per_s": -1,
    "latency_ms": math.nan,
    "access_succeeded": -1,
    "speed_m_per_s": math.nan,
    "pci": -1,
    "tac": -1,
    "reporting_delay_ms": -1,
    "received_time_ms": -1,
}


def columns_of(rows: list[dict[str, Any]]) -> SignalReadings:
    """Return the columns of rows; a field a row leaves out is that of GOOD."""
    full = [GOOD | row for row in rows]
    return SignalReadings(
        *(
            np.array(
                [row[name] for row in full], np.float64 if isinstance(value, float) else np.int64
            )
            for name, value in GOOD.items()
        )
    )
