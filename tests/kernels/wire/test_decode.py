"""The decoder against the official library and against a slow twin, on good bytes and on damaged ones."""

import json
from pathlib import Path
from typing import Any

import pytest
from decoding import told_by, told_by_kernels
from hypothesis import event, given, settings
from hypothesis import strategies as st

from reference import wire
from reference.wire_bytes import damaged, payloads


@pytest.mark.slow
@settings(deadline=None)  # the first call compiles
@given(st.lists(payloads, max_size=4))
def test_payloads_read_as_the_official_library_reads_them(batch: list[bytes]) -> None:
    expected = []
    for payload in batch:
        official = wire.from_official(payload)
        assert official is not None
        has_rows = any(official.rows.values())
        expected.append(told_by("EMPTY" if not payload else official if has_rows else "NO_ROWS"))

    assert told_by_kernels(batch) == expected


@pytest.mark.slow
@settings(deadline=None)
@given(st.lists(payloads | damaged() | st.binary(max_size=40), max_size=4))
def test_any_bytes_read_as_the_slow_twin_reads_them(batch: list[bytes]) -> None:
    assert told_by_kernels(batch) == [told_by(wire.decode(payload)) for payload in batch]


@pytest.mark.slow
@settings(deadline=None, max_examples=300)
@given(damaged())
def test_damaged_bytes_are_refused_wherever_the_official_library_refuses_them(
    payload: bytes,
) -> None:
    official = wire.from_official(payload)

    (said,) = told_by_kernels([payload])

    event(said[0] if len(said) == 1 else "read")
    if len(said) == 2:
        assert official is not None
        assert said == told_by(official)
    elif official is not None:
        # Stricter than protobuf: a batch without rows, another schema, field number 0 inside an unknown group.
        assert said[0] in ("EMPTY", "NO_ROWS", "MISTYPED", "MALFORMED")
        assert said[0] != "MALFORMED" or any(byte & 7 == 3 for byte in payload)


@pytest.mark.slow
@settings(deadline=None)
@given(st.lists(payloads | damaged(), max_size=6), st.integers(0, 6))
def test_a_batch_may_be_cut_anywhere(batch: list[bytes], cut: int) -> None:
    assert told_by_kernels(batch[:cut]) + told_by_kernels(batch[cut:]) == told_by_kernels(batch)


@pytest.mark.slow
@settings(deadline=None)
@given(payloads)
def test_every_cut_of_a_payload_reads_as_the_slow_twin_reads_it(payload: bytes) -> None:
    cuts = [payload[:i] for i in range(0, len(payload), max(1, len(payload) // 50))]

    assert told_by_kernels(cuts) == [told_by(wire.decode(cut)) for cut in cuts]


GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "wire.json").read_text())


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: golden["name"])
def test_yesterdays_bytes_read_as_they_did_yesterday(golden: dict[str, Any]) -> None:
    (said,) = told_by_kernels([bytes.fromhex(golden["payload"])])

    assert json.loads(json.dumps(said)) == golden["said"]
