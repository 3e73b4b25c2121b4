"""Any bytes as a batch in JSON: the protobuf bytes that the official mapping makes of it, or a reason."""

from batches import usage_batch
from decoding import told_by, told_by_kernels
from google.protobuf import json_format

from phusong.kernels.reject import Reject
from phusong.v1.json_payload import batch_from_json
from phusong.v1.telemetry_pb2 import Batch
from reference import wire

ROWS = {
    "source": "hg-1",
    "sequence": "3",
    "signalReadings": [{"deviceKey": "7", "rsrpDbm": -101.5, "rat": "RAT_LTE", "pci": 3}],
    "cellReports": [{"plmn": "452-04", "rsrpHistogramCount": [1, 2, 3], "isOnAir": True}],
}


def seeds() -> list[bytes]:
    """Return readable batches and what looks like one."""
    full = json_format.ParseDict(ROWS, Batch(), ignore_unknown_fields=True)
    return [
        json_format.MessageToJson(full, indent=0).encode(),
        json_format.MessageToJson(usage_batch(5, rows=2)).encode(),
        b'{"signalReadings":[{"rsrpDbm":"NaN","latitudeDeg":1e999}]}',
        b'{"source":"\\ud800"}',
        b'[["source","a"]]',
        b'{"usageReadings":[{"uplinkBytes":"18446744073709551616"}]}',
    ]


def one(payload: bytes) -> None:
    """Read it; what can be read reads the same once more, and as its bytes say."""
    encoded = batch_from_json(payload)
    if isinstance(encoded, Reject):
        assert encoded in (Reject.TOO_LARGE, Reject.NOT_UTF8, Reject.NOT_JSON)
        return
    (said,) = told_by_kernels([encoded])
    assert said == told_by(wire.decode(encoded)), "the slow twin reads it otherwise"
    assert len(said) == 2 or said[0] in ("EMPTY", "NO_ROWS", "TOO_MANY_ROWS", "TOO_LARGE"), said
    again = json_format.MessageToJson(Batch.FromString(encoded)).encode()
    assert batch_from_json(again) == encoded, "what was read says something else"
