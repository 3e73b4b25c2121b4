"""Which rows a credential may send."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phusong.kernels.columns import Int64Column
from phusong.kernels.grants import ROW_KINDS, Grant
from phusong.kernels.reject import Reject, reason_name
from phusong.kernels.row_bounds import (
    RowBounds,
    bounds_of,
    refuse_kind,
    refuse_sites,
    refuse_subscribers,
)
from phusong.kernels.wire.text import text_hash
from reference import grants as reference
from reference.grants import Row

KEYS = [0, 1, 5, 2**63 - 1, 2**63, 2**63 + 1, 2**64 - 2, 2**64 - 1]
keys = st.sampled_from(KEYS)
SITES = ["HN-1", "HN-2", "Hà Giang", "x" * 64]


@st.composite
def lines(draw: st.DrawFn) -> dict[str, Any]:
    first, last = sorted((draw(keys), draw(keys)))
    return {
        "row_kinds": tuple(draw(st.sets(st.sampled_from(sorted(ROW_KINDS))))),
        "sites": tuple(draw(st.sets(st.sampled_from(SITES)))),
        **draw(st.sampled_from([{}, {"subscriber_first": first, "subscriber_last": last}])),
    }


rows = st.one_of(
    st.just(Row("signal")),
    st.builds(lambda key: Row("usage", subscriber_key=key), keys),
    st.builds(lambda site: Row("cells", site=site), st.sampled_from([*SITES, "", "other"])),
)
# Rows of one payload kind each, and by which of the lines they are bound; 0 is none.
batches = st.lists(st.tuples(rows, st.integers(0, 3)), max_size=30)
registers = st.lists(lines(), min_size=3, max_size=3)


def run(bounds: RowBounds, *batches: list[tuple[Row, int]]) -> list[str]:
    names = []
    for batch in batches:
        found = dict.fromkeys(range(len(batch)), 0)
        for kind in ROW_KINDS:
            at = [i for i, (row, _) in enumerate(batch) if row.kind == kind]
            reason = refuse(bounds, kind, [batch[i] for i in at])
            found |= dict(zip(at, reason.tolist(), strict=True))
        names += [reason_name(found[i]) for i in range(len(batch))]
    return names


def refuse(bounds: RowBounds, kind: str, batch: list[tuple[Row, int]]) -> Int64Column:
    bound = np.array([number for _, number in batch], np.int64)
    reason = np.zeros(len(batch), np.int64)
    refuse_kind(bound, ROW_KINDS[kind], bounds, reason)
    if kind == "usage":
        key = np.array([row.subscriber_key for row, _ in batch], np.uint64).view(np.int64)
        refuse_subscribers(bound, key, bounds, reason)
    elif kind == "cells":
        site = np.array([text_hash(row.site) for row, _ in batch], np.int64)
        refuse_sites(bound, site, bounds, reason)
    return reason


def bounds_by(found: list[dict[str, Any]]) -> RowBounds:
    return bounds_of([Grant("viettel", str(i), **line) for i, line in enumerate(found)])


@settings(deadline=None, max_examples=300)
@given(registers, batches)
def test_matches_the_reference(found: list[dict[str, Any]], batch: list[tuple[Row, int]]) -> None:
    expected = [
        reference.row_refusal(row, found[number - 1] if number else None) for row, number in batch
    ]

    assert run(bounds_by(found), batch) == expected


@settings(deadline=None)
@given(registers, batches, st.integers(0, 30))
def test_a_batch_may_be_cut_anywhere(
    found: list[dict[str, Any]], batch: list[tuple[Row, int]], cut: int
) -> None:
    bounds = bounds_by(found)

    assert run(bounds, batch[:cut], batch[cut:]) == run(bounds, batch)


@pytest.mark.parametrize(
    ("line", "row", "reason"),
    [
        ({}, Row("signal"), "TAKEN"),
        ({"row_kinds": ("usage",)}, Row("signal"), "ROW_KIND_FORBIDDEN"),
        ({"row_kinds": ("usage",)}, Row("usage", subscriber_key=1), "TAKEN"),
        ({"subscriber_first": 2**63}, Row("usage", subscriber_key=2**63), "TAKEN"),
        (
            {"subscriber_first": 2**63},
            Row("usage", subscriber_key=2**63 - 1),
            "SUBSCRIBER_FORBIDDEN",
        ),
        ({"subscriber_last": 2**63}, Row("usage", subscriber_key=2**63), "TAKEN"),
        (
            {"subscriber_last": 2**63},
            Row("usage", subscriber_key=2**63 + 1),
            "SUBSCRIBER_FORBIDDEN",
        ),
        ({"subscriber_last": 9}, Row("signal"), "TAKEN"),
        ({"sites": ("HN-1", "HN-2")}, Row("cells", site="HN-2"), "TAKEN"),
        ({"sites": ("HN-1", "HN-2")}, Row("cells", site="HN-3"), "SITE_FORBIDDEN"),
        ({"sites": ("HN-1",)}, Row("cells"), "SITE_FORBIDDEN"),  # a cell that names no site
        ({"sites": ("HN-1",)}, Row("usage", subscriber_key=1), "TAKEN"),
    ],
)
def test_what_a_credential_may_not_send_has_its_reason(
    line: dict[str, Any], row: Row, reason: str
) -> None:
    assert run(bounds_by([line]), [(row, 1)]) == [reason]


def test_a_row_that_is_refused_already_keeps_its_reason() -> None:
    bounds = bounds_by([{"row_kinds": ("signal",), "sites": ("HN-1",), "subscriber_last": 1}])
    bound, reason = np.ones(1, np.int64), np.array([Reject.KEY_MISSING], np.int64)
    key = np.array([9], np.int64)

    refuse_kind(bound, ROW_KINDS["usage"], bounds, reason)
    refuse_subscribers(bound, key, bounds, reason)
    refuse_sites(bound, key, bounds, reason)

    assert reason.tolist() == [Reject.KEY_MISSING]
