"""Columns of synthetic readings to messages of the wire, with the official protobuf library, as any sender would."""

import math
from typing import Any

from phusong.dashboards.demo import season
from phusong.dashboards.demo.drives import GSM, LTE, NO_OPERATOR, UMTS, SignalRows
from phusong.dashboards.demo.sessions import ZERO_RATED, UsageRows
from phusong.dashboards.demo.sites import OPERATORS
from phusong.kernels.columns import INT_MISSING, Int64Column
from phusong.kernels.plmn import OPERATORS as PLMN_OF
from phusong.v1.telemetry_pb2 import SignalReading, UsageReading

LEVEL_FIELD = {GSM: "rxlev_dbm", UMTS: "rscp_dbm", LTE: "rsrp_dbm"}
PLMN = [PLMN_OF[operator][0] for operator in OPERATORS]

RATING_GROUP_METERED = 100
RATING_GROUP_FREE = 900


def signal_readings(rows: SignalRows) -> list[SignalReading]:
    """Return one message per row; each says how long its phone held it back."""
    return [
        _signal_reading(values)
        for values in zip(*(column.tolist() for column in rows[2:]), strict=True)
    ]


def usage_readings(rows: UsageRows, subscriber_key: Int64Column) -> list[UsageReading]:
    """Return one message per row."""
    keys = subscriber_key[rows.sim].tolist()
    columns = (column.tolist() for column in rows)
    return [
        _usage_reading(key, values)
        for key, values in zip(keys, zip(*columns, strict=True), strict=True)
    ]


def _signal_reading(values: tuple[Any, ...]) -> SignalReading:
    (
        device_key,
        sim_operator,
        serving_operator,
        observed_time_ms,
        latitude_deg,
        longitude_deg,
        position_accuracy_m,
        rat,
        cell_identity,
        level_dbm,
        rsrq_db,
        sinr_db,
        service_state,
        cell_role,
    ) = values
    reading = SignalReading(
        device_key=device_key,
        observed_time_ms=observed_time_ms,
        latitude_deg=latitude_deg,
        longitude_deg=longitude_deg,
        position_accuracy_m=position_accuracy_m,
        rat=rat,
        sim_plmn=PLMN[sim_operator],
        service_state=service_state,
        cell_role=cell_role,
        reporting_delay_ms=season.CLOCK_START_MS - observed_time_ms,
    )
    if serving_operator == NO_OPERATOR:
        return reading
    reading.serving_plmn = PLMN[serving_operator]
    reading.cell_identity = cell_identity
    setattr(reading, LEVEL_FIELD[rat], level_dbm)
    if not math.isnan(rsrq_db):
        reading.rsrq_db = rsrq_db
        reading.sinr_db = sinr_db
    return reading


def _usage_reading(subscriber_key: int, values: tuple[Any, ...]) -> UsageReading:
    row: Any = UsageRows(*values)  # one value of each column
    reading = UsageReading(
        subscriber_key=subscriber_key,
        session=f"s{row.session}",
        counter_epoch=row.counter_epoch,
        sequence=row.sequence,
        observed_time_ms=row.observed_time_ms,
        session_time_ms=row.session_time_ms,
        uplink_bytes=row.uplink_bytes,
        downlink_bytes=row.downlink_bytes,
        counter_width_bits=row.counter_width_bits,
        counter_kind=row.counter_kind,
        traffic_class=row.traffic_class,
        rating_group=RATING_GROUP_FREE if row.traffic_class == ZERO_RATED else RATING_GROUP_METERED,
        record_type=row.record_type,
    )
    if row.interval_start_time_ms != INT_MISSING:
        reading.interval_start_time_ms = row.interval_start_time_ms
    if row.uplink_gigawords != INT_MISSING:
        reading.uplink_gigawords = row.uplink_gigawords
        reading.downlink_gigawords = row.downlink_gigawords
    return reading
