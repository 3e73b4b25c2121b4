"""Batches of a frame to columns, whichever way they were written. Doors and verifier decode by this, so they agree."""

import numpy as np
from numpy.typing import NDArray

from phusong.kernels.columns import Decoded, Int64Column
from phusong.kernels.reject import Reject
from phusong.kernels.wire.decode import decode_payloads
from phusong.v1.json_payload import batch_from_json


def decode_batches(
    body: bytes, offset: Int64Column, length: Int64Column, is_json: NDArray[np.bool_]
) -> Decoded:
    """Return the columns of the payloads that lie in `body` at offset, length.

    Protobuf is decoded where it lies; JSON becomes protobuf behind the body first.
    """
    offset, length = offset.copy(), length.copy()
    pieces = [body]
    end = len(body)
    refused: dict[int, Reject] = {}
    for i in np.flatnonzero(is_json).tolist():
        start = int(offset[i])
        payload = batch_from_json(body[start : start + int(length[i])])
        if isinstance(payload, Reject):
            refused[i] = payload
            payload = b""
        pieces.append(payload)
        offset[i], length[i] = end, len(payload)
        end += len(payload)
    # Kernels take writable arrays only.
    buffer = np.frombuffer(bytearray().join(pieces), np.uint8)
    decoded = decode_payloads(buffer, offset, length)
    for i, reason in refused.items():
        decoded.payloads.reject[i] = reason
    return decoded
