import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phusong.kernels.reject import Reject, reason_name
from phusong.kernels.screen_usage import screen_usage
from reference import screen_usage as reference
from reference.usage import DELTA, MIDNIGHT_MS, Usage, columns

GOOD = Usage(MIDNIGHT_MS, up=1, down=2)

EDGES = [2**22 - 1, 2**22, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**54, 2**54 + 1, 2**63 - 1]
edges = st.sampled_from([0, 1, *EDGES, -2, -(2**63)])
# -1 stands for "absent" in the columns, so an optional field never holds it.
readings = st.fixed_dictionaries(
    {},
    optional={
        "time_ms": st.sampled_from([0, -1, MIDNIGHT_MS, 4_102_444_800_001, 2**63 - 1]),
        "sim": st.sampled_from([0, -1, 7]),
        "up": edges,
        "down": edges,
        "up_high": st.none() | edges,
        "down_high": st.none() | edges,
        "width": st.sampled_from([0, 16, 32, 64, -1]),
        "kind": st.integers(-1, 3),
        "traffic": st.integers(-1, 3),
        "record": st.integers(-1, 4),
        "start_ms": st.none() | edges,
        "age_ms": st.none() | edges,
        "delay_ms": st.none() | edges,
    },
).map(lambda fields: GOOD._replace(**fields))
batches = st.lists(st.tuples(readings, st.booleans()), max_size=20)


def run(*batches: list[tuple[Usage, bool]]) -> list[str]:
    names = []
    for batch in batches:
        reason = np.zeros(len(batch), np.int64)
        has_sequence = np.array([has for _, has in batch], np.bool_)
        screen_usage(columns([row for row, _ in batch]), has_sequence, reason)
        names += [reason_name(why) for why in reason.tolist()]
    return names


@settings(deadline=None, max_examples=300)
@given(batches)
def test_matches_the_reference(batch: list[tuple[Usage, bool]]) -> None:
    assert run(batch) == [reference.reason(row, has_sequence=has) for row, has in batch]


@settings(deadline=None)
@given(batches, st.integers(0, 20))
def test_a_batch_may_be_cut_anywhere(batch: list[tuple[Usage, bool]], cut: int) -> None:
    assert run(batch[:cut], batch[cut:]) == run(batch)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, "TAKEN"),
        ({"sim": 0}, "KEY_MISSING"),
        ({"time_ms": 0}, "TIME_MISSING"),
        ({"time_ms": 1_633_021_200_000_000}, "CLOCK_FAR"),  # microseconds
        ({"traffic": 3}, "ENUM_UNKNOWN"),
        ({"record": -1}, "ENUM_UNKNOWN"),
        ({"up": -1}, "COUNTER_OUT_OF_RANGE"),  # a uint64 over 2^63-1
        ({"up": 2**32, "width": 32}, "COUNTER_OUT_OF_RANGE"),
        ({"up": 2**32 - 1, "width": 32}, "TAKEN"),
        ({"up": 2**32}, "TAKEN"),
        ({"up": 2**32, "up_high": 0}, "COUNTER_OUT_OF_RANGE"),
        ({"up_high": 2**31}, "COUNTER_OUT_OF_RANGE"),
        ({"up_high": 2**31 - 1}, "COUNTER_OUT_OF_RANGE"),
        ({"up": 0, "up_high": 2**22}, "TAKEN"),
        ({"up": 1, "up_high": 2**22}, "COUNTER_OUT_OF_RANGE"),
        ({"up": 2**54, "down": 2**54}, "TAKEN"),
        ({"up": 2**54 + 1}, "COUNTER_OUT_OF_RANGE"),  # more than any radio carries
        ({"down": 2**54 + 1}, "COUNTER_OUT_OF_RANGE"),
        ({"width": 16}, "COUNTER_OUT_OF_RANGE"),
        ({"start_ms": MIDNIGHT_MS + 1}, "INTERVAL_INVALID"),
        ({"start_ms": MIDNIGHT_MS}, "TAKEN"),
        ({"age_ms": -2}, "INTERVAL_INVALID"),
        ({"delay_ms": -2}, "INTERVAL_INVALID"),
        ({"kind": DELTA}, "SEQUENCE_MISSING"),
    ],
)
def test_what_is_impossible_has_its_reason(change: dict[str, int], reason: str) -> None:
    assert run([(GOOD._replace(**change), False)]) == [reason]


def test_a_delta_in_a_numbered_batch_is_taken() -> None:
    assert run([(GOOD._replace(kind=DELTA), True)]) == ["TAKEN"]


def test_a_row_that_is_refused_already_keeps_its_reason() -> None:
    reason = np.array([Reject.SITE_UNKNOWN], np.int64)

    screen_usage(columns([GOOD._replace(sim=0)]), np.zeros(1, np.bool_), reason)

    assert reason.tolist() == [Reject.SITE_UNKNOWN]
