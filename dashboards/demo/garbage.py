"""What goes wrong in the field: payloads that cannot be read, and rows that can be read and not believed.

Each is wrong in exactly one way, so that the reason the service gives can be compared with the reason it must give.
"""

from collections.abc import Callable

from phusong.dashboards.demo import season
from phusong.dashboards.demo.messages import Message, source_of
from phusong.dashboards.demo.sites import Site
from phusong.kernels.reject import Reject
from phusong.kernels.wire.decode import ROW_COUNT_MAX
from phusong.v1.telemetry_pb2 import (
    Batch,
    CellReport,
    CounterKind,
    Rat,
    SignalReading,
    UsageReading,
)

SignalChange = tuple[Reject, Callable[[SignalReading], object]]
UsageChange = tuple[Reject, Callable[[UsageReading], object]]

LOST_KEY = 0x00C0FFEE  # of devices and subscribers that exist in no register


def bad_signal_rows(site: Site) -> list[tuple[SignalReading, Reject]]:
    """Return one reading per rule, each a good one with one thing changed."""
    changes: list[SignalChange] = [
        (Reject.KEY_MISSING, lambda r: r.ClearField("device_key")),
        (Reject.TIME_MISSING, lambda r: r.ClearField("observed_time_ms")),
        (Reject.RAT_UNKNOWN, lambda r: r.ClearField("rat")),
        (Reject.LEVEL_MISSING, lambda r: r.ClearField("rsrp_dbm")),
        (Reject.LEVEL_OUT_OF_RANGE, lambda r: _write(r, rsrp_dbm=-200.0)),
        (Reject.LEVEL_OUT_OF_RANGE, lambda r: _write(r, rsrp_dbm=-167.06)),
        (Reject.LEVEL_OUT_OF_RANGE, lambda r: _write(r, rsrp_dbm=-30.0)),
        (Reject.LEVEL_OUT_OF_RANGE, lambda r: _write(r, rsrp_dbm=2147483647.0)),
        (Reject.QUALITY_OUT_OF_RANGE, lambda r: _write(r, sinr_db=99.0)),
        (Reject.POSITION_MISSING, lambda r: r.ClearField("latitude_deg")),
        (Reject.POSITION_OUT_OF_RANGE, lambda r: _write(r, latitude_deg=105.8)),
        (Reject.POSITION_INACCURATE, lambda r: _write(r, position_accuracy_m=5_000.0)),
        (Reject.PLMN_INVALID, lambda r: _write(r, serving_plmn="4520")),
        (Reject.CELL_IDENTITY_OUT_OF_RANGE, lambda r: _write(r, cell_identity=2**28)),
        (Reject.PCI_OUT_OF_RANGE, lambda r: _write(r, pci=504)),
        (Reject.SPEED_IMPOSSIBLE, lambda r: _write(r, speed_m_per_s=340.0)),
        (Reject.CLOCK_FAR, lambda r: _write(r, observed_time_ms=9 * 10**14)),
    ]
    rows = []
    for i, (reason, change) in enumerate(changes):
        reading = _good_signal_row(site, i)
        change(reading)
        rows.append((reading, reason))
    return rows


def bad_usage_rows() -> list[tuple[UsageReading, Reject]]:
    """Return one usage reading per rule, of SIMs that exist in no register."""
    changes: list[UsageChange] = [
        (Reject.KEY_MISSING, lambda r: r.ClearField("subscriber_key")),
        (Reject.TIME_MISSING, lambda r: r.ClearField("observed_time_ms")),
        (Reject.COUNTER_OUT_OF_RANGE, lambda r: _write(r, downlink_bytes=2**63)),
        (
            Reject.COUNTER_OUT_OF_RANGE,
            lambda r: _write(r, counter_width_bits=32, downlink_bytes=2**32),
        ),
        (
            Reject.INTERVAL_INVALID,
            lambda r: _write(r, interval_start_time_ms=r.observed_time_ms + season.HOUR_MS),
        ),
        (Reject.ENUM_UNKNOWN, lambda r: _write(r, traffic_class=9)),
    ]
    rows = []
    for i, (reason, change) in enumerate(changes):
        reading = UsageReading(
            subscriber_key=LOST_KEY + i,
            session="lost",
            sequence=1,
            observed_time_ms=season.MIDNIGHT_MS + 9 * season.HOUR_MS,
            uplink_bytes=1_000,
            downlink_bytes=20_000,
        )
        change(reading)
        rows.append((reading, reason))
    return rows


def bad_cell_rows(site: Site) -> list[tuple[CellReport, Reject]]:
    """Return reports no base station can mean."""
    observed_time_ms = season.CLOCK_START_MS - season.HOUR_MS
    good = CellReport(
        plmn="45204",
        cell_identity=257,
        site_code=site.site_code,
        rat=Rat.RAT_LTE,
        observed_time_ms=observed_time_ms,
        on_air=True,
    )
    stranger, overloaded, future = CellReport(), CellReport(), CellReport()
    for report in (stranger, overloaded, future):
        report.CopyFrom(good)
    stranger.site_code = "DEMO-NOWHERE"
    overloaded.load_permille = 1_001
    future.on_air_since_time_ms = observed_time_ms + 1
    return [
        (stranger, Reject.SITE_UNKNOWN),
        (overloaded, Reject.LOAD_OUT_OF_RANGE),
        (future, Reject.INTERVAL_INVALID),
    ]


def bad_payloads(site: Site) -> list[tuple[Message, Reject]]:
    """Return payloads that cannot be counted at all, on both doors."""
    drive, phones = source_of("viettel", "drive-2"), source_of("viettel", "phones")
    core = source_of("vinaphone", "core")
    good = Batch(signal_readings=[_good_signal_row(site, i) for i in range(3)]).SerializeToString()
    stranger = drive._replace(name="viettel-stranger")
    mqtt: list[tuple[str, bytes, Reject]] = [
        (drive.topic(), b"", Reject.EMPTY),
        (drive.topic(), good[:-1], Reject.TRUNCATED),
        (drive.topic(), b"\x7f\x00", Reject.MALFORMED),  # there is no wire type 7
        (drive.topic(), b"\x22\x02\x08\x01", Reject.MISTYPED),  # device_key as a varint
        (drive.topic(), b"\x22\x00" * (ROW_COUNT_MAX + 1), Reject.TOO_MANY_ROWS),
        (drive.topic(), Batch(sequence=10**9).SerializeToString(), Reject.NO_ROWS),
        (drive.topic(), _named("somebody-else", site), Reject.SOURCE_MISMATCH),
        (stranger.topic(), good, Reject.UNKNOWN_SOURCE),
        (phones.topic(is_json=True), b'{"signalReadings": [{"deviceKey": ', Reject.NOT_JSON),
        (phones.topic(is_json=True), b'{"source": "\xff\xfe"}', Reject.NOT_UTF8),
        ("phusong/v1/viettel/viettel-phones/telegram", good, Reject.BAD_TOPIC),
    ]
    messages = [
        (Message(phones if "phones" in topic else drive, topic, payload, 1), reason)
        for topic, payload, reason in mqtt
    ]
    for payload, reason in (
        # Its names can still be read, its last row cannot.
        (_named(core.name, site, core.operator) + b"\x22\x7f\x09", Reject.TRUNCATED),
        (_named("vinaphone-stranger", site, core.operator), Reject.UNKNOWN_SOURCE),
        (_named("BAD SOURCE", site, core.operator), Reject.BAD_SOURCE),
    ):
        messages.append((Message(core, "", payload, 1), reason))
    return messages


def _good_signal_row(site: Site, number: int) -> SignalReading:
    observed_time_ms = season.CLOCK_START_MS - season.DAY_MS + number * season.MINUTE_MS
    return SignalReading(
        device_key=LOST_KEY,
        observed_time_ms=observed_time_ms,
        latitude_deg=site.parts[0].latitude_deg,
        longitude_deg=site.parts[0].longitude_deg,
        position_accuracy_m=5.0,
        rat=Rat.RAT_LTE,
        sim_plmn="45204",
        serving_plmn="45204",
        cell_identity=257,
        rsrp_dbm=-95.0,
        rsrq_db=-10.0,
        sinr_db=12.0,
        reporting_delay_ms=season.CLOCK_START_MS - observed_time_ms,
    )


def _named(source: str, site: Site, operator: str = "") -> bytes:
    rows = [_good_signal_row(site, 0)]
    batch = Batch(source=source, operator=operator, signal_readings=rows)
    payload: bytes = batch.SerializeToString()
    return payload


def _write(row: SignalReading | UsageReading, **values: float | str) -> None:
    for name, value in values.items():
        setattr(row, name, value)


DELTA_WITHOUT_SEQUENCE = UsageReading(
    subscriber_key=LOST_KEY,
    session="lost",
    observed_time_ms=season.MIDNIGHT_MS + 9 * season.HOUR_MS,
    downlink_bytes=20_000,
    counter_kind=CounterKind.COUNTER_KIND_DELTA,
)
