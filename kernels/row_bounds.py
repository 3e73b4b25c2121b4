"""Which rows a credential may send: kinds of rows, sites of cell reports, a range of subscriber keys.

Columns in, reasons out. Row 0 of the bounds bounds nothing, so that a payload without bounds needs no case of its own.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from phusong.kernels.columns import Int, Int64Column
from phusong.kernels.grants import KEY_MAX, ROW_KINDS, Grant
from phusong.kernels.jit import kernel
from phusong.kernels.reject import TAKEN, Reject
from phusong.kernels.wire.text import text_hash

SIGNAL, USAGE, CELLS = ROW_KINDS["signal"], ROW_KINDS["usage"], ROW_KINDS["cells"]
# Turns the order of unsigned keys into that of int64.
SIGN_BIT = -(2**63)

# Numba sees an IntEnum member as itself, so the columns get plain numbers.
ROW_KIND_FORBIDDEN = int(Reject.ROW_KIND_FORBIDDEN)
SITE_FORBIDDEN = int(Reject.SITE_FORBIDDEN)
SUBSCRIBER_FORBIDDEN = int(Reject.SUBSCRIBER_FORBIDDEN)


class RowBounds(NamedTuple):
    """One row per bounded credential, after row 0; `site_code` holds the codes of row b from site_end[b - 1] on."""

    kind_bits: Int64Column  # 1 << kind for each kind that may be sent
    subscriber_first: Int64Column  # shifted by SIGN_BIT
    subscriber_last: Int64Column
    site_end: Int64Column
    site_code: Int64Column  # hashes, sorted within a row; none: every site


def bounds_of(grants: Sequence[Grant]) -> RowBounds:
    """Return the bounds of grants, the first in row 1."""
    codes = [sorted(text_hash(site) for site in grant.sites) for grant in grants]
    return RowBounds(
        kind_bits=_column([-1, *(_kind_bits(grant) for grant in grants)]),
        subscriber_first=_column([0, *(grant.subscriber_first for grant in grants)]) ^ SIGN_BIT,
        subscriber_last=_column([KEY_MAX, *(grant.subscriber_last for grant in grants)]) ^ SIGN_BIT,
        site_end=np.cumsum([0, *(len(found) for found in codes)], dtype=np.int64),
        site_code=np.array([code for found in codes for code in found], np.int64),
    )


@kernel
def refuse_kind(bound: Int64Column, kind: int, bounds: RowBounds, reason: Int64Column) -> None:
    """Write a reason for rows of a kind that may not be sent; bound: int64 per row, a row of `bounds`."""
    assert len(bound) == len(reason)
    for i in range(len(reason)):
        if reason[i] == TAKEN and not bounds.kind_bits[bound[i]] >> kind & 1:
            reason[i] = ROW_KIND_FORBIDDEN


@kernel
def refuse_subscribers(
    bound: Int64Column, subscriber_key: Int64Column, bounds: RowBounds, reason: Int64Column
) -> None:
    """Write a reason for rows of a subscriber outside the range."""
    assert len(bound) == len(subscriber_key) == len(reason)
    for i in range(len(reason)):
        key = subscriber_key[i] ^ SIGN_BIT
        first, last = bounds.subscriber_first[bound[i]], bounds.subscriber_last[bound[i]]
        if reason[i] == TAKEN and not first <= key <= last:
            reason[i] = SUBSCRIBER_FORBIDDEN


@kernel
def refuse_sites(
    bound: Int64Column, site_code: Int64Column, bounds: RowBounds, reason: Int64Column
) -> None:
    """Write a reason for rows of another site, or of none where sites are given. site_code: hashes of the wire."""
    assert len(bound) == len(site_code) == len(reason)
    for i in range(len(reason)):
        if reason[i] != TAKEN or bound[i] == 0:
            continue
        start, end = bounds.site_end[bound[i] - 1], bounds.site_end[bound[i]]
        if start < end and not _is_among(site_code[i], bounds.site_code, start, end):
            reason[i] = SITE_FORBIDDEN


@kernel
def _is_among(code: Int, codes: Int64Column, start: Int, end: Int) -> bool:
    """Tell whether a code is in codes[start:end], which are sorted."""
    last = end
    while start < last:
        middle = (start + last) // 2
        if codes[middle] < code:
            start = middle + 1
        else:
            last = middle
    return bool(start < end and codes[start] == code)


def _kind_bits(grant: Grant) -> int:
    kinds = [ROW_KINDS[word] for word in grant.row_kinds]
    return sum(1 << kind for kind in kinds) if kinds else -1


def _column(values: list[int]) -> Int64Column:
    """Return numbers of up to 64 bits, signed or not, as int64 bits."""
    return np.array([value % (1 << 64) for value in values], np.uint64).view(np.int64)
