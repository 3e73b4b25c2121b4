"""A journal frame opened: its payloads decoded into columns and sorted by what they are. Counts nothing."""

from typing import NamedTuple

import numpy as np

from phusong.kernels.admission import BATCH_KINDS
from phusong.kernels.columns import Decoded, Int64Column
from phusong.kernels.frame import Frame, PayloadKind, Route, decode_frame
from phusong.kernels.reject import TAKEN, Reject
from phusong.kernels.wire.text import text_hash
from phusong.v1.batches import decode_batches
from phusong.verifier.journal import StoredFrame


class OtherPayload(NamedTuple):
    """An envelope that is no batch of telemetry."""

    envelope: int
    route: Route
    payload: bytes


class OpenedFrame(NamedTuple):
    """Batches in columns, the rest as bytes.

    `envelope` and `route` have one row per payload of `decoded.payloads`: which envelope of the frame it
    was, and by which of `routes` it came. Routes are counted from 0 here: the numbers in a frame are those of
    the writer's own table, which may have millions.
    """

    frame: StoredFrame
    routes: list[Route]
    decoded: Decoded
    envelope: Int64Column
    route: Int64Column
    others: list[OtherPayload]


def open_frame(stored: StoredFrame) -> OpenedFrame:
    """Decode everything one frame holds. Raises FrameDamaged for a body that is no frame."""
    frame = decode_frame(stored.body)
    routes = list(frame.routes.values())
    route = _places(frame)
    kind = np.array([one.kind for one in routes], np.int64)[route]
    is_batch = np.isin(kind, BATCH_KINDS)
    others = [
        OtherPayload(int(i), routes[int(route[i])], _payload(stored.body, frame, int(i)))
        for i in np.flatnonzero(~is_batch)
    ]
    envelope = np.flatnonzero(is_batch)
    decoded = decode_batches(
        stored.body,
        frame.offset[envelope],
        frame.length[envelope],
        kind[envelope] == PayloadKind.BATCH_JSON,
    )
    _refuse_other_sources(decoded, routes, route[envelope])
    return OpenedFrame(stored, routes, decoded, envelope, route[envelope], others)


def _places(frame: Frame) -> Int64Column:
    """Return the place of every envelope's route in the order of the frame's routes."""
    number = np.array(list(frame.routes), np.int64)
    order = np.argsort(number)
    return order[np.searchsorted(number, frame.route, sorter=order)]


def _payload(body: bytes, frame: Frame, envelope: int) -> bytes:
    start = int(frame.offset[envelope])
    return body[start : start + int(frame.length[envelope])]


def _refuse_other_sources(decoded: Decoded, routes: list[Route], route: Int64Column) -> None:
    """Refuse batches that name another source than the route they came by."""
    claimed = decoded.payloads.source
    if not claimed.any():
        return
    source_of = np.array([text_hash(one.source) for one in routes], np.int64)
    is_other = (claimed != 0) & (claimed != source_of[route])
    decoded.payloads.reject[is_other & (decoded.payloads.reject == TAKEN)] = Reject.SOURCE_MISMATCH
