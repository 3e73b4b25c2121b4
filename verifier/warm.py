"""Compile what judging needs before anything waits for it: one made-up frame through a state that is thrown away."""

from phusong.kernels.days import DAY_MS
from phusong.kernels.frame import (
    CHAIN_START,
    PayloadKind,
    Route,
    Transport,
    chain_hash,
    encode_envelope_head,
    encode_route,
)
from phusong.v1.telemetry_pb2 import Batch, CellReport, Rat, SignalReading, UsageReading
from phusong.verifier.journal import StoredFrame
from phusong.verifier.placing import Horizon
from phusong.verifier.quota.settings import QuotaSettings
from phusong.verifier.registry.entries import RegistryHistory, Version
from phusong.verifier.state import new_state

# A site around the one reading, so that it is located, binned and judged.
SITES = (
    b"site_code,name,province_code,list,operators,part,latitude_deg,longitude_deg,radius_m\n"
    b"W,warm,01,warm,viettel,centre,21.0,105.8,100\n"
)
# A bounded source, so that its rows are looked at.
SOURCES = b"source,operator,row_kinds\nwarm,viettel,signal usage cells\n"
TIME_MS = 1_633_050_000_000


def warm_up(settings: QuotaSettings) -> None:
    """Run every kernel that a frame of telemetry meets, and those of a verdict."""
    history = RegistryHistory(
        {
            "sites": [Version(0, 0, "warm.csv", SITES)],
            "sources": [Version(0, 0, "warm.csv", SOURCES)],
        }
    )
    state = new_state(history, Horizon(), settings)
    state.apply(_frame(_batch().SerializeToString()))
    state.verdicts(TIME_MS)
    state.ledger.close(TIME_MS + 2 * DAY_MS, 1, state.quota.days, state.quota.entries)
    state.quota.take_decisions()


def _batch() -> Batch:
    batch = Batch(boot_epoch=1)  # without a sequence: its rows are looked at most closely
    batch.signal_readings.append(
        SignalReading(
            device_key=1,
            observed_time_ms=TIME_MS,
            latitude_deg=21.0,
            longitude_deg=105.8,
            position_accuracy_m=5,
            rat=Rat.RAT_LTE,
            serving_plmn="45204",
            rsrp_dbm=-90,
            cell_identity=1,
        )
    )
    for step in range(2):
        batch.usage_readings.append(
            UsageReading(
                subscriber_key=1,
                session="warm",
                observed_time_ms=TIME_MS + step,
                uplink_bytes=step,
                downlink_bytes=2**32 * step,
            )
        )
    batch.cell_reports.append(
        CellReport(
            plmn="45204",
            cell_identity=1,
            site_code="W",
            rat=Rat.RAT_LTE,
            observed_time_ms=TIME_MS,
            on_air=True,
        )
    )
    return batch


def _frame(payload: bytes) -> StoredFrame:
    route = Route("viettel", "warm", "", Transport.MQTT, PayloadKind.BATCH)
    body = encode_route(1, route) + encode_envelope_head(1, len(payload)) + payload
    return StoredFrame(1, TIME_MS, body, chain_hash(CHAIN_START, 1, TIME_MS, body))
