"""What the decoder says of payloads, in plain Python, beside what the slow twin or the official library says."""

from typing import Any

import numpy as np

from phusong.kernels.columns import Decoded
from phusong.kernels.plmn import plmn_number
from phusong.kernels.reject import Reject
from phusong.kernels.wire.decode import decode_payloads
from phusong.kernels.wire.histogram import read_histogram
from phusong.kernels.wire.text import text_hash
from reference import wire

SETS = {"signal_readings": "signal", "usage_readings": "usage", "cell_reports": "cells"}
COUNTS = {
    "signal_readings": "signal_count",
    "usage_readings": "usage_count",
    "cell_reports": "cell_count",
}

# Everything that a batch of payloads says, in plain Python.
Said = list[tuple[Any, ...]]


def decode(batch: list[bytes]) -> tuple[Decoded, np.ndarray]:
    # Garbage around every payload: a read past an end is then seen.
    buffer = np.frombuffer(bytearray(b"\xff" + b"\xff".join(batch) + b"\xff"), np.uint8)
    length = np.array([len(payload) for payload in batch], np.int64)
    offset = np.cumsum(length + 1) - length
    return decode_payloads(buffer, offset, length), buffer


def told_by_kernels(batch: list[bytes]) -> Said:
    decoded, buffer = decode(batch)
    rows: dict[tuple[str, int], list[wire.Cells]] = {}
    for kind, name in SETS.items():
        columns = getattr(decoded, name)._asdict()
        payload_row, row = columns.pop("payload_row"), columns.pop("row")
        for i in range(len(row)):
            cells = [(column, plain(values[i])) for column, values in columns.items()]
            of_payload = rows.setdefault((kind, int(payload_row[i])), [])
            assert int(row[i]) == len(of_payload), "rows are numbered within their payload"
            of_payload.append(with_histogram(cells, buffer))
        assert sorted(payload_row.tolist()) == payload_row.tolist()
    said: Said = []
    for i in range(len(batch)):
        payload = {name: int(column[i]) for name, column in decoded.payloads._asdict().items()}
        of_kinds = {kind: rows.get((kind, i), []) for kind in SETS}
        assert {COUNTS[kind]: len(found) for kind, found in of_kinds.items()} == {
            name: payload[name] for name in COUNTS.values()
        }
        if payload["reject"]:
            said.append((Reject(payload["reject"]).name,))
        else:
            own = {n: payload[n] for n in ("source", "boot_epoch", "sequence", "operator")}
            said.append((own, of_kinds))
    return said


def plain(value: np.int64 | np.float64) -> Any:
    return value.item().hex() if isinstance(value, np.float64) else value.item()


def with_histogram(cells: wire.Cells, buffer: np.ndarray) -> wire.Cells:
    found = dict(cells)
    if "rsrp_histogram_offset" not in found:
        return cells
    bins = np.zeros(1000, np.int64)
    count = read_histogram(
        buffer, found.pop("rsrp_histogram_offset"), found["rsrp_histogram_bytes"], bins
    )
    return [
        ("rsrp_histogram_count", bins[:count].tolist()) if name == "rsrp_histogram_bytes" else cell
        for cell in cells
        for name in [cell[0]]
        if name != "rsrp_histogram_offset"
    ]


def told_by(batch: wire.Batch | str) -> tuple[Any, ...]:
    if isinstance(batch, str):
        return (batch,)
    own = {
        "source": text_hash(batch.own["source"]),
        "boot_epoch": signed(batch.own["boot_epoch"]),
        "sequence": signed(batch.own["sequence"]),
        "operator": text_hash(batch.own["operator"]),
    }
    return own, {
        kind: [wire.cells_of(row, kind, text_hash, plmn_number) for row in rows]
        for kind, rows in batch.rows.items()
    }


def signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value
