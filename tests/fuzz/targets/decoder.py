"""Any bytes as a batch: the same rows as the slow twin and the official library, or a refusal where they refuse."""

import json
from pathlib import Path

from decoding import told_by, told_by_kernels

from phusong.collector.importing.screening import refused_rows
from phusong.kernels.batch_names import batch_names
from reference import wire
from reference.wire_bytes import delimited, tagged, varint

GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "wire.json").read_text())


def seeds() -> list[bytes]:
    """Return the payloads whose reading never changes, and nested groups nobody knows."""
    group = tagged(40, 3) + tagged(41, 0, varint(300)) + tagged(40, 4)
    return [*(bytes.fromhex(golden["payload"]) for golden in GOLDEN), delimited(5, group), b""]


def one(payload: bytes) -> None:
    """Read a payload in four ways."""
    (said,) = told_by_kernels([payload])
    assert said == told_by(wire.decode(payload)), "the slow twin reads it otherwise"
    official = wire.from_official(payload)
    if len(said) == 2:
        assert official is not None, "the official library refuses it"
        assert said == told_by(official), "the official library reads it otherwise"
        names = batch_names(payload)
        assert (names.operator, names.source) == (official.own["operator"], official.own["source"])
    elif official is not None:
        # Stricter than protobuf: a batch without rows, another schema, field number 0 inside an unknown group.
        assert said[0] in ("EMPTY", "NO_ROWS", "MISTYPED", "MALFORMED"), said
        assert said[0] != "MALFORMED" or any(byte & 7 == 3 for byte in payload)
    refused = refused_rows(payload)
    assert sum(refused.values()) <= max(1, len(payload) // 2), "each row has a tag and a length"
    batch_names(payload)
