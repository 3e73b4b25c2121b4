"""The messages of telemetry.proto as tables: which column a field fills, and how.

A test compares every line with the descriptors of the generated code.
"""

from typing import NamedTuple

import numpy as np

from phusong.kernels.columns import (
    INT_MISSING,
    CellReports,
    Int64Column,
    SignalReadings,
    UsageReadings,
)
from phusong.kernels.wire.fields import FIXED32, FIXED64, LENGTH, VARINT

# How a value is stored. The first four are varints.
INT64 = 0  # int64 and uint64: the 64 bits as they are
UINT32 = 1  # the low 32 bits, as protobuf does
INT32 = 2  # enums: the low 32 bits, with their sign
BOOL = 3
VARINT_LAST = BOOL
BITS64 = 4  # fixed64 and double: the 8 bytes as they are
FLOAT = 5  # to float64
TEXT = 6  # its 64-bit hash
PLMN = 7  # its number
PACKED = 8  # repeated uint32: where it lies
UNPACKED = 9  # the same, one field for each
UNKNOWN = 10  # not ours: skipped
MISTYPED = 11  # one of our fields, with another wire type than the `.proto` says

WIRE_TYPE = {
    INT64: VARINT,
    UINT32: VARINT,
    INT32: VARINT,
    BOOL: VARINT,
    BITS64: FIXED64,
    FLOAT: FIXED32,
    TEXT: LENGTH,
    PLMN: LENGTH,
    PACKED: LENGTH,
    UNPACKED: VARINT,
}

# The bits of the NaN that stands for a missing measured quantity.
NAN_BITS = int(np.float64(np.nan).view(np.int64))

# An action is `column << COLUMN_SHIFT | store`.
COLUMN_SHIFT = 4
STORE_MASK = 15

# Tags of one byte and the first of two: field numbers up to 31. Any tag above is of an unknown field.
TAG_COUNT = 256
WIRE_TYPE_COUNT = 8

# The first two columns of every set of rows.
PAYLOAD_ROW = 0
ROW = 1


class Field(NamedTuple):
    """One field of a message; `missing` is what its column holds when it is absent."""

    number: int
    column: str
    store: int
    missing: int = 0


class Message(NamedTuple):
    """One kind of row, and the columns it fills."""

    columns: type[SignalReadings | UsageReadings | CellReports]
    fields: tuple[Field, ...]


SIGNAL = Message(
    SignalReadings,
    (
        Field(1, "device_key", BITS64),
        Field(2, "observed_time_ms", INT64),
        Field(3, "latitude_deg", BITS64, NAN_BITS),
        Field(4, "longitude_deg", BITS64, NAN_BITS),
        Field(5, "position_accuracy_m", FLOAT, NAN_BITS),
        Field(6, "rat", INT32),
        Field(7, "sim_plmn", PLMN),
        Field(8, "serving_plmn", PLMN),
        Field(9, "cell_identity", INT64, INT_MISSING),
        Field(10, "rsrp_dbm", FLOAT, NAN_BITS),
        Field(11, "ss_rsrp_dbm", FLOAT, NAN_BITS),
        Field(12, "rscp_dbm", FLOAT, NAN_BITS),
        Field(13, "rxlev_dbm", FLOAT, NAN_BITS),
        Field(14, "rsrq_db", FLOAT, NAN_BITS),
        Field(15, "sinr_db", FLOAT, NAN_BITS),
        Field(16, "service_state", INT32),
        Field(17, "cell_role", INT32),
        Field(18, "download_bits_per_s", INT64, INT_MISSING),
        Field(19, "upload_bits_per_s", INT64, INT_MISSING),
        Field(20, "latency_ms", FLOAT, NAN_BITS),
        Field(21, "access_succeeded", BOOL, INT_MISSING),
        Field(22, "speed_m_per_s", FLOAT, NAN_BITS),
        Field(23, "pci", UINT32, INT_MISSING),
        Field(24, "tac", UINT32, INT_MISSING),
        Field(25, "reporting_delay_ms", INT64, INT_MISSING),
        Field(26, "received_time_ms", INT64, INT_MISSING),
    ),
)

USAGE = Message(
    UsageReadings,
    (
        Field(1, "subscriber_key", BITS64),
        Field(2, "session", TEXT),
        Field(3, "counter_epoch", INT64),
        Field(4, "sequence", INT64),
        Field(5, "interval_start_time_ms", INT64, INT_MISSING),
        Field(6, "observed_time_ms", INT64),
        Field(7, "uplink_bytes", INT64),
        Field(8, "downlink_bytes", INT64),
        Field(9, "uplink_gigawords", UINT32, INT_MISSING),
        Field(10, "downlink_gigawords", UINT32, INT_MISSING),
        Field(11, "counter_width_bits", UINT32),
        Field(12, "counter_kind", INT32),
        Field(13, "traffic_class", INT32),
        Field(14, "rating_group", UINT32),
        Field(15, "record_type", INT32),
        Field(16, "session_time_ms", INT64, INT_MISSING),
        Field(17, "reporting_delay_ms", INT64, INT_MISSING),
        Field(18, "received_time_ms", INT64, INT_MISSING),
    ),
)

CELL = Message(
    CellReports,
    (
        Field(1, "plmn", PLMN),
        Field(2, "cell_identity", INT64, INT_MISSING),
        Field(3, "site_code", TEXT),
        Field(4, "rat", INT32),
        Field(5, "observed_time_ms", INT64),
        Field(6, "on_air", BOOL, INT_MISSING),
        Field(7, "on_air_since_time_ms", INT64, INT_MISSING),
        Field(8, "heartbeat_interval_ms", INT64, INT_MISSING),
        Field(9, "load_permille", UINT32, INT_MISSING),
        Field(10, "uplink_bytes", INT64, INT_MISSING),
        Field(11, "downlink_bytes", INT64, INT_MISSING),
        Field(12, "rsrp_histogram_offset", PACKED),
        Field(12, "rsrp_histogram_offset", UNPACKED),
        Field(13, "reporting_delay_ms", INT64, INT_MISSING),
        Field(14, "received_time_ms", INT64, INT_MISSING),
    ),
)

# In the order of the fields of Batch: a row of kind k is its field FIRST_KIND_FIELD + k.
MESSAGES = (SIGNAL, USAGE, CELL)
FIRST_KIND_FIELD = 4


def _actions(message: Message) -> Int64Column:
    """Return the action of every tag: int64[TAG_COUNT]."""
    actions = np.full(TAG_COUNT, UNKNOWN, np.int64)
    for field in message.fields:
        # A known field of another wire type is a sure sign of another schema. Protobuf would skip it as unknown, and
        # a reading without its level or its volume would be believed. Wire types 6 and 7 do not exist: left to the walker.
        for wire_type in range(FIXED32 + 1):
            tag = field.number << 3 | wire_type
            if actions[tag] == UNKNOWN:
                actions[tag] = MISTYPED
    for field in message.fields:
        column = message.columns._fields.index(field.column)
        tag = field.number << 3 | WIRE_TYPE[field.store]
        actions[tag] = column << COLUMN_SHIFT | field.store
    return actions


def _missing(message: Message) -> Int64Column:
    """Return the bits a column holds where its field is absent."""
    missing = np.zeros(len(message.columns._fields), np.int64)
    for field in message.fields:
        missing[message.columns._fields.index(field.column)] = field.missing
    return missing


# Kernels read these as constants: the action of tag t in a row of kind k is ACTIONS[k * TAG_COUNT + t].
ACTIONS = np.concatenate([_actions(message) for message in MESSAGES])
WIDTHS = np.array([len(message.columns._fields) for message in MESSAGES], np.int64)
MISSING_BITS = np.zeros((len(MESSAGES), int(WIDTHS.max())), np.int64)
for _kind, _message in enumerate(MESSAGES):
    MISSING_BITS[_kind, : WIDTHS[_kind]] = _missing(_message)
