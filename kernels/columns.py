"""Column sets: one array per field, one dtype per column name.

Every column is int64 or float64: int64 for anything counted, owed, keyed or enumerated, float64
for measured quantities. The names are the field names of `proto/phusong/v1/telemetry.proto`.

Missing: an `optional` integer field that is absent holds INT_MISSING, an absent `optional` float
holds NaN. Fields without presence hold 0 when absent, as protobuf says. 64-bit keys travel as
int64 bits. PLMNs are numbers made by `kernels.plmn`; strings become 64-bit hashes by `kernels.wire`.
"""

from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Int32Column: TypeAlias = NDArray[np.int32]
Int64Column: TypeAlias = NDArray[np.int64]
Float64Column: TypeAlias = NDArray[np.float64]
BoolColumn: TypeAlias = NDArray[np.bool_]
ByteColumn: TypeAlias = NDArray[np.uint8]

# A scalar inside a kernel: Python's when the same code runs uncompiled.
Int: TypeAlias = int | np.int64

# No field of the wire may hold it: optional integers are 0 or more.
INT_MISSING = -1


class Payloads(NamedTuple):
    """One row per payload of a frame, in journal order.

    `reject` is a `kernels.reject.Reject` for the payload as a whole, 0 when it could be read.
    The counts say how many rows of each kind it holds.
    """

    reject: Int64Column
    source: Int64Column  # hash of Batch.source, 0 when empty
    boot_epoch: Int64Column
    sequence: Int64Column
    operator: Int64Column  # hash of Batch.operator, 0 when empty
    signal_count: Int64Column
    usage_count: Int64Column
    cell_count: Int64Column


class SignalReadings(NamedTuple):
    """Rows of `SignalReading`; `payload_row` points into `Payloads`, `row` counts within the payload."""

    payload_row: Int64Column
    row: Int64Column
    device_key: Int64Column
    observed_time_ms: Int64Column
    latitude_deg: Float64Column
    longitude_deg: Float64Column
    position_accuracy_m: Float64Column
    rat: Int64Column
    sim_plmn: Int64Column
    serving_plmn: Int64Column
    cell_identity: Int64Column
    rsrp_dbm: Float64Column
    ss_rsrp_dbm: Float64Column
    rscp_dbm: Float64Column
    rxlev_dbm: Float64Column
    rsrq_db: Float64Column
    sinr_db: Float64Column
    service_state: Int64Column
    cell_role: Int64Column
    download_bits_per_s: Int64Column
    upload_bits_per_s: Int64Column
    latency_ms: Float64Column
    access_succeeded: Int64Column
    speed_m_per_s: Float64Column
    pci: Int64Column
    tac: Int64Column
    reporting_delay_ms: Int64Column
    received_time_ms: Int64Column


class UsageReadings(NamedTuple):
    """Rows of `UsageReading`."""

    payload_row: Int64Column
    row: Int64Column
    subscriber_key: Int64Column
    session: Int64Column
    counter_epoch: Int64Column
    sequence: Int64Column
    interval_start_time_ms: Int64Column
    observed_time_ms: Int64Column
    uplink_bytes: Int64Column
    downlink_bytes: Int64Column
    uplink_gigawords: Int64Column
    downlink_gigawords: Int64Column
    counter_width_bits: Int64Column
    counter_kind: Int64Column
    traffic_class: Int64Column
    rating_group: Int64Column
    record_type: Int64Column
    session_time_ms: Int64Column
    reporting_delay_ms: Int64Column
    received_time_ms: Int64Column


class CellReports(NamedTuple):
    """Rows of `CellReport`. The histogram stays in the payload: where it starts and how many bytes it has."""

    payload_row: Int64Column
    row: Int64Column
    plmn: Int64Column
    cell_identity: Int64Column
    site_code: Int64Column
    rat: Int64Column
    observed_time_ms: Int64Column
    on_air: Int64Column
    on_air_since_time_ms: Int64Column
    heartbeat_interval_ms: Int64Column
    load_permille: Int64Column
    uplink_bytes: Int64Column
    downlink_bytes: Int64Column
    rsrp_histogram_offset: Int64Column
    rsrp_histogram_bytes: Int64Column
    reporting_delay_ms: Int64Column
    received_time_ms: Int64Column


class Decoded(NamedTuple):
    """All rows of a run of payloads."""

    payloads: Payloads
    signal: SignalReadings
    usage: UsageReadings
    cells: CellReports
    buffer: ByteColumn  # what they were decoded from: histograms stay there
