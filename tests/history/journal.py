"""The journal as an outsider reads it: SQLite, zstd and the published messages, none of the product's code."""

import hashlib
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import zstandard
from google.protobuf import json_format
from history.record import Key, key_of

from phusong.v1.journal_pb2 import JournalFrame, PayloadKind, Transport
from phusong.v1.telemetry_pb2 import Batch


class Envelope(NamedTuple):
    """One payload of a frame, and the route it came by."""

    sequence: int
    operator: str
    source: str
    transport: str  # as the `transport` label of metrics
    kind: int
    payload: bytes

    @property
    def is_batch(self) -> bool:
        return self.kind in {PayloadKind.PAYLOAD_KIND_BATCH, PayloadKind.PAYLOAD_KIND_BATCH_JSON}

    @property
    def key(self) -> Key:
        """What was sent, whatever way it came."""
        if self.kind == PayloadKind.PAYLOAD_KIND_BATCH_JSON:
            batch = json_format.Parse(self.payload, Batch())
        else:
            batch = Batch.FromString(self.payload)
        batch.operator = ""  # given over gRPC only
        return key_of(self.operator, batch)


def read_envelopes(folder: Path, after_sequence: int = 0) -> Iterator[Envelope]:
    """Yield what frames after `after_sequence` hold. Works on a copy: the service may be dead, or running."""
    chain, expected = None, None
    with tempfile.TemporaryDirectory() as name:
        for path in _copies(folder, Path(name)):
            with closing(sqlite3.connect(path)) as database:
                rows = database.execute(
                    "SELECT sequence, received_time_ms, body, chain FROM frame"
                    " WHERE sequence > ? ORDER BY sequence",
                    (after_sequence,),
                )
                for sequence, time_ms, body, stored in rows:
                    assert expected in {None, sequence}, f"{path.name}: {sequence} is no {expected}"
                    if chain is not None:
                        head = chain + sequence.to_bytes(8, "big") + time_ms.to_bytes(8, "big")
                        assert stored == hashlib.sha256(head + body).digest(), sequence
                    chain, expected = stored, sequence + 1
                    yield from _envelopes(sequence, body)


def _envelopes(sequence: int, body: bytes) -> Iterator[Envelope]:
    frame = JournalFrame.FromString(body)
    routes = {route.number: route for route in frame.routes}
    for envelope in frame.envelopes:
        route = routes[envelope.route]
        transport = Transport.Name(route.transport).removeprefix("TRANSPORT_").lower()
        yield Envelope(
            sequence, route.operator, route.source, transport, route.kind, envelope.payload
        )


def _copies(folder: Path, target: Path) -> list[Path]:
    for path in folder.glob("segment-*.sqlite*"):
        if path.suffix == ".zst":
            if not path.with_suffix("").exists():
                with path.open("rb") as packed, (target / path.stem).open("wb") as plain:
                    zstandard.ZstdDecompressor().copy_stream(packed, plain)
        elif path.suffix != ".sqlite-shm":
            shutil.copy(path, target / path.name)
    return sorted(target.glob("segment-*.sqlite"))
