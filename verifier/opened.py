"""A journal frame opened: its payloads decoded into columns and sorted by what they are. Counts nothing."""

from typing import NamedTuple

import numpy as np

from phusong.kernels.columns import ByteColumn, Decoded, Int64Column
from phusong.kernels.frame import Frame, PayloadKind, Route, decode_frame
from phusong.kernels.reject import TAKEN, Reject
from phusong.kernels.wire.decode import decode_payloads
from phusong.kernels.wire.text import text_hash
from phusong.v1.json_payload import batch_from_json
from phusong.verifier.journal import StoredFrame

BATCH_KINDS = (PayloadKind.BATCH, PayloadKind.BATCH_JSON)


class OtherPayload(NamedTuple):
    """An envelope that is no batch of telemetry."""

    envelope: int
    route: Route
    payload: bytes


class OpenedFrame(NamedTuple):
    """Batches in columns, the rest as bytes.

    `envelope` and `route` have one row per payload of `decoded.payloads`: which envelope of the frame it
    was, and by which of the frame's routes it came.
    """

    frame: StoredFrame
    routes: dict[int, Route]
    decoded: Decoded
    envelope: Int64Column
    route: Int64Column
    others: list[OtherPayload]

    def route_of(self, envelope_route: int) -> Route:
        """Return the route an envelope came by."""
        return self.routes[envelope_route]


def open_frame(stored: StoredFrame) -> OpenedFrame:
    """Decode everything one frame holds. Raises FrameDamaged for a body that is no frame."""
    frame = decode_frame(stored.body)
    kind_of = np.zeros(max(frame.routes, default=0) + 1, np.int64)
    for number, route in frame.routes.items():
        kind_of[number] = route.kind
    kind = kind_of[frame.route]
    is_batch = np.isin(kind, BATCH_KINDS)
    others = [
        OtherPayload(
            int(i), frame.routes[int(frame.route[i])], _payload(stored.body, frame, int(i))
        )
        for i in np.flatnonzero(~is_batch)
    ]
    envelope = np.flatnonzero(is_batch)
    decoded = _decode_batches(stored.body, frame, envelope, kind)
    _refuse_other_sources(decoded, frame, envelope)
    return OpenedFrame(stored, frame.routes, decoded, envelope, frame.route[envelope], others)


def _payload(body: bytes, frame: Frame, envelope: int) -> bytes:
    start = int(frame.offset[envelope])
    return body[start : start + int(frame.length[envelope])]


def _decode_batches(body: bytes, frame: Frame, envelope: Int64Column, kind: Int64Column) -> Decoded:
    """Decode in place; JSON payloads are turned into protobuf behind the body first."""
    offset, length = frame.offset[envelope].copy(), frame.length[envelope].copy()
    buffer: ByteColumn = frame.buffer
    refused: dict[int, Reject] = {}
    converted: list[bytes] = []
    end = len(body)
    for i in np.flatnonzero(kind[envelope] == PayloadKind.BATCH_JSON).tolist():
        payload = batch_from_json(_payload(body, frame, int(envelope[i])))
        if isinstance(payload, Reject):
            refused[i] = payload
            offset[i], length[i] = 0, 0
            continue
        converted.append(payload)
        offset[i], length[i] = end, len(payload)
        end += len(payload)
    if converted:
        buffer = np.frombuffer(body + b"".join(converted), np.uint8).copy()
    decoded = decode_payloads(buffer, offset, length)
    for row, reason in refused.items():
        decoded.payloads.reject[row] = reason
    return decoded


def _refuse_other_sources(decoded: Decoded, frame: Frame, envelope: Int64Column) -> None:
    """Refuse batches that name another source than the route they came by."""
    claimed = decoded.payloads.source
    if not claimed.any():
        return
    source_of = np.zeros(max(frame.routes, default=0) + 1, np.int64)
    for number, route in frame.routes.items():
        source_of[number] = text_hash(route.source)
    is_other = (claimed != 0) & (claimed != source_of[frame.route[envelope]])
    decoded.payloads.reject[is_other & (decoded.payloads.reject == TAKEN)] = Reject.SOURCE_MISMATCH
