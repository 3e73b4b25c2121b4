from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phusong.kernels.trails import RELEASED_WEIGHT, STEP_REACH, Pace, Visits, mark_speeds
from reference import plausibility
from reference.plausibility import Visit, unwalkable

PACE = Pace(70.0, 270.0, 1000.0)
WINDOW_MS = 14_400_000
MINUTE_MS = 60_000
HOME, NEAR, TOWN, FAR = (21.0, 105.5), (21.004, 105.5), (21.1, 105.5), (10.0, 106.7)


def visit(place: tuple[float, float], first_ms: int, **fields: Any) -> Visit:
    known = {
        "last_ms": first_ms,
        "window_ms": first_ms // WINDOW_MS * WINDOW_MS,
        "bits": (),
        "weight": 1,
        "name": (0, first_ms),
    }
    return Visit(*place, first_ms, **(known | fields))


def columns(visits: list[Visit]) -> Visits:
    def column(values: list[Any], dtype: Any = np.int64) -> Any:
        return np.array(values, dtype)

    bits = [sum(1 << bit for bit in v.bits) for v in visits]
    return Visits(
        column([v.latitude for v in visits], np.float64),
        column([v.longitude for v in visits], np.float64),
        column([v.first_ms for v in visits]),
        column([v.last_ms for v in visits]),
        column([v.window_ms for v in visits]),
        column([b - (1 << 64) if b >= 1 << 63 else b for b in bits]),
        column([v.weight for v in visits]),
        column([v.name[0] for v in visits]),
        column([v.name[1] for v in visits]),
    )


def marked(*trails: list[Visit]) -> list[int]:
    visits = [v for trail in trails for v in trail]
    start = np.cumsum([0, *map(len, trails)])
    is_out = np.zeros(len(visits), np.bool_)
    mark_speeds(start, columns(visits), WINDOW_MS, PACE, is_out)
    return np.flatnonzero(is_out).tolist()


@st.composite
def trails(draw: st.DrawFn) -> list[Visit]:
    found = []
    for number in range(draw(st.integers(1, 7))):
        first_ms = draw(st.integers(0, 400)) * 10_000
        bits = draw(st.sets(st.integers(0, 63), max_size=3))
        found.append(
            visit(
                draw(st.sampled_from([HOME, NEAR, TOWN, FAR])),
                first_ms,
                last_ms=first_ms + draw(st.sampled_from([0, 0, MINUTE_MS, 3_000_000])),
                bits=tuple(sorted(bits)),
                weight=draw(st.sampled_from([1, 1, 2, 7, RELEASED_WEIGHT])),
                name=(0, number),
            )
        )
    return found


@settings(deadline=None)
@given(trails(), trails())
def test_matches_the_reference(one: list[Visit], other: list[Visit]) -> None:
    pace = plausibility.Pace(*PACE)
    expected = [*sorted(unwalkable(one, pace, WINDOW_MS))]
    expected += [len(one) + i for i in sorted(unwalkable(other, pace, WINDOW_MS))]

    assert marked(one, other) == expected


@settings(deadline=None)
@given(trails(), st.randoms())
def test_the_order_in_which_bins_come_changes_nothing(trail: list[Visit], random: Any) -> None:
    shuffled = random.sample(trail, len(trail))

    assert {shuffled[i] for i in marked(shuffled)} == {trail[i] for i in marked(trail)}


@pytest.mark.parametrize(
    ("trail", "out"),
    [
        # 11 km in ten seconds, and in three minutes: a train's speed is no fraud.
        ([visit(HOME, 0), visit(TOWN, 10_000)], [1]),
        ([visit(HOME, 0), visit(TOWN, 180_000)], []),
        # At the same time a few hundred metres apart: equal times are no fraud.
        ([visit(HOME, 0), visit((21.003, 105.5), 0)], []),
        # A glitch within a walk: it goes, the walk stays.
        ([visit(HOME, 0), visit(TOWN, 10_000), visit(NEAR, 20_000)], [1]),
        # Who outweighs whom: readings.
        ([visit(HOME, 0), visit(TOWN, 10_000, weight=2)], [0]),
        ([visit(HOME, 0, weight=RELEASED_WEIGHT), visit(TOWN, 10_000, weight=2)], [1]),
        # A phone that stays at home all morning and, says somebody, was in the south meanwhile.
        (
            [
                visit(HOME, 0, last_ms=WINDOW_MS - 1, bits=tuple(range(64)), weight=90),
                visit(FAR, WINDOW_MS // 2, weight=9),
            ],
            [1],
        ),
    ],
)
def test_what_one_traveller_cannot_have_made_goes(trail: list[Visit], out: list[int]) -> None:
    assert marked(trail) == out


def test_a_position_that_stays_the_same_is_no_fraud() -> None:
    assert marked([visit(HOME, t * MINUTE_MS, name=(0, t)) for t in range(1000)]) == []


def test_two_phones_under_one_key_leave_the_one_that_says_more() -> None:
    home = [visit(HOME, t * 20_000, name=(0, t)) for t in range(200)]
    town = [visit(TOWN, t * 20_000 + 10_000, name=(1, t)) for t in range(180)]

    out = marked(home + town)

    assert out == list(range(200, 380))


def test_a_jump_for_longer_than_a_step_reaches_over_leaves_the_heavier_side() -> None:
    before = [visit(HOME, t * 1000, name=(0, t)) for t in range(STEP_REACH + 50)]
    jump_ms = len(before) * 1000
    after = [visit(FAR, jump_ms + t * 1000, name=(1, t)) for t in range(STEP_REACH + 80)]

    assert marked(before + after) == list(range(len(before)))
