"""Journal frames of signal readings, as they stand in a journal, for tests of what is derived from them."""

from typing import Any

from phusong.kernels.frame import (
    CHAIN_START,
    PayloadKind,
    Route,
    Transport,
    chain_hash,
    encode_envelope_head,
    encode_route,
)
from phusong.v1.telemetry_pb2 import Batch, Rat, SignalReading
from phusong.verifier.journal import StoredFrame

TIME_MS = 1_638_320_400_000  # 2021-12-01 08:00 in Vietnam
SITES = (
    b"site_code,name,province_code,list,operators,part,latitude_deg,longitude_deg,radius_m\n"
    b"A,a,01,283,viettel,centre,21.0,105.8,300\n"
)
ROUTE = Route("viettel", "probe", "", Transport.MQTT, PayloadKind.BATCH)


def reading(**fields: Any) -> SignalReading:
    """Return a reading in the middle of the site."""
    known = {
        "device_key": 1,
        "observed_time_ms": TIME_MS,
        "latitude_deg": 21.0,
        "longitude_deg": 105.8,
        "position_accuracy_m": 5,
        "rat": Rat.RAT_LTE,
        "serving_plmn": "45204",
        "rsrp_dbm": -90,
    }
    return SignalReading(**(known | fields))


def frame_of(sequence: int, *batches: list[SignalReading]) -> StoredFrame:
    """Return the frame `sequence` with an envelope for each batch; the chain before it is made up."""
    body = encode_route(1, ROUTE)
    for number, rows in enumerate(batches):
        batch = Batch(boot_epoch=1, sequence=1000 * sequence + number, signal_readings=rows)
        payload = batch.SerializeToString()
        body += encode_envelope_head(1, len(payload)) + payload
    return StoredFrame(sequence, TIME_MS, body, chain_hash(CHAIN_START, sequence, TIME_MS, body))
