"""What is impossible in a row, rule by rule, from the tables of DOMAIN §2."""

import math
from typing import Any

LEVELS = {
    1: ("rxlev_dbm", -110, -47),
    2: ("rscp_dbm", -120, -24),
    3: ("rsrp_dbm", -140, -43),
    4: ("ss_rsrp_dbm", -156, -31),
}
CELL_BITS = {0: 36, 1: 16, 2: 28, 3: 28, 4: 36}
YEAR_2100_MS = 4_102_444_800_000


def signal_reason(row: dict[str, Any]) -> int:
    """Return the number of the first rule broken, 0 for none."""
    return next((number for number, is_broken in signal_rules(row) if is_broken), 0)


def signal_rules(row: dict[str, Any]):
    rat, in_service = row["rat"], row["service_state"] in (0, 1)
    yield 100, row["device_key"] == 0
    yield 101, row["observed_time_ms"] <= 0
    yield 102, row["observed_time_ms"] > YEAR_2100_MS
    yield 121, row["reporting_delay_ms"] < -1
    yield 117, rat not in range(5) or row["service_state"] not in range(4)
    yield 117, row["cell_role"] not in range(3)
    yield 103, rat == 0 and in_service
    yield 107, math.isnan(row["latitude_deg"]) or math.isnan(row["longitude_deg"])
    yield 108, abs(row["latitude_deg"]) > 90 or abs(row["longitude_deg"]) > 180
    yield 108, not is_possible(row["position_accuracy_m"], 0, 1e30)
    if in_service:
        name, low, high = LEVELS[rat]
        yield 104, math.isnan(row[name])
        yield 105, not is_possible(row[name], low, high)
        if rat >= 3:
            yield 106, not is_possible(row["rsrq_db"], -43, 20)
            yield 106, not is_possible(row["sinr_db"], -23, 40)
    yield 110, -2 in (row["sim_plmn"], row["serving_plmn"])
    yield 112, not -1 <= row["cell_identity"] < 2 ** CELL_BITS[rat]
    if rat >= 3:
        yield 113, not -1 <= row["pci"] <= {3: 503, 4: 1007}[rat]
        yield 114, not -1 <= row["tac"] < 2 ** {3: 16, 4: 24}[rat]
    yield 115, row["download_bits_per_s"] < -1 or row["upload_bits_per_s"] < -1
    yield 115, not is_possible(row["latency_ms"], 0, 1e30)
    yield 116, not is_possible(row["speed_m_per_s"], 0, 70)


def is_possible(value: float, low: float, high: float) -> bool:
    """Tell whether a value is absent or within its range."""
    return math.isnan(value) or low <= value <= high


def cell_reason(row: dict[str, int]) -> int:
    """Return the number of the first rule a cell report breaks, 0 for none."""
    rules = [
        (100, row["cell_identity"] == -1),
        (101, row["observed_time_ms"] <= 0),
        (102, row["observed_time_ms"] > YEAR_2100_MS),
        (121, not -1 <= row["on_air_since_time_ms"] <= row["observed_time_ms"]),
        (121, row["heartbeat_interval_ms"] < -1 or row["heartbeat_interval_ms"] == 0),
        (121, row["reporting_delay_ms"] < -1),
        (117, row["rat"] not in range(5)),
        (103, row["rat"] == 0),
        (110, row["plmn"] in (0, -2)),
        (112, not 0 <= row["cell_identity"] < 2 ** CELL_BITS.get(row["rat"], 36)),
        (123, not -1 <= row["load_permille"] <= 1000),
        (118, row["uplink_bytes"] < -1 or row["downlink_bytes"] < -1),
    ]
    return next((number for number, is_broken in rules if is_broken), 0)
