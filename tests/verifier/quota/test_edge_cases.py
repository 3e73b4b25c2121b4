"""The ten groups of edge cases that every release must get right: those not tested elsewhere, and that docs/quota.md lists all."""

import ast
import re
from pathlib import Path

import numpy as np
import pytest

from phusong.kernels.clock import TIME_CLOCK_AHEAD, TIME_CLOCK_BEHIND
from phusong.kernels.columns import INT_MISSING
from phusong.verifier.names import Names
from phusong.verifier.quota.settings import QuotaSettings
from phusong.verifier.quota.state import QuotaState
from phusong.verifier.registry.sims import SimRegister
from phusong.verifier.registry.sims_file import read_sims
from reference.metering import accounts, add, meter_of, used
from reference.usage import (
    DAY_MS,
    FIRST_OF_OCTOBER,
    HOUR_MS,
    MIDNIGHT_MS,
    MINUTE_MS,
    Usage,
    columns,
)

ROOT = Path(__file__).parents[3]
TODAY = FIRST_OF_OCTOBER
NOON_MS = MIDNIGHT_MS + 12 * HOUR_MS
WRAP = 2**32
QUOTA = 4 * 2**30
GROUP = re.compile(r"^\| (\d+) \|.*\| (.*) \|$", re.MULTILINE)
CASE = re.compile(r"`(\w+)`")


def names_in(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {
        node.name
        for node in tree.body
        if isinstance(node, functions) and node.name.startswith("test_")
    }


def test_the_table_of_edge_cases_is_the_tests_there_are() -> None:
    text = (ROOT / "docs" / "quota.md").read_text(encoding="utf-8")
    rows = GROUP.findall(text[text.index("## The ten groups") :])
    listed = {name for _, cell in rows for name in CASE.findall(cell)}
    found = {name for path in (ROOT / "tests").rglob("test_*.py") for name in names_in(path)}
    edges = names_in(ROOT / "tests" / "kernels" / "test_meter_edges.py")
    own = names_in(Path(__file__)) - {"test_the_table_of_edge_cases_is_the_tests_there_are"}

    assert [number for number, _ in rows] == [str(k) for k in range(1, 11)]
    assert listed - found == set(), "the table names tests that do not exist"
    assert (edges | own) - listed == set(), "an edge case is tested and not listed"


def test_a_clock_that_jumps_in_the_middle_of_a_session_loses_no_byte() -> None:
    meter = meter_of([Usage(NOON_MS, down=100)])

    jumped = Usage(NOON_MS + 40 * DAY_MS, down=250)
    add(meter, [jumped], [NOON_MS + MINUTE_MS], TIME_CLOCK_AHEAD)
    back = Usage(NOON_MS - 40 * DAY_MS, down=400)
    add(meter, [back], [NOON_MS + 2 * MINUTE_MS], TIME_CLOCK_BEHIND)

    assert used(meter) == {(7, TODAY): {"metered": 400, "indeterminate": 0, "zero_rated": 0}}
    clock_far = 6
    assert accounts(meter)[0, TODAY][clock_far] == 2


def test_two_wraps_in_one_gap_are_exact_with_gigawords_and_never_guessed_without() -> None:
    first = Usage(NOON_MS, down=10, down_high=0, up_high=0, width=32)
    known = Usage(NOON_MS + 6 * HOUR_MS, down=20, down_high=2, up_high=0, width=32)

    assert used(meter_of([first, known]))[7, TODAY]["metered"] == 2 * WRAP + 20
    # Without them the lowest value that does not go back is taken, and flagged: no byte is made up.
    without = meter_of([first, known._replace(down_high=None, up_high=None)])
    assert used(without)[7, TODAY]["metered"] == 20
    inferred = 7
    assert accounts(without)[0, TODAY][inferred] == 1


def test_a_counter_since_the_rule_was_installed_counts_from_there() -> None:
    """A usage rule put in place in the middle of a session begins at 0 then: its own epoch, beside the session's counter."""
    session = [Usage(NOON_MS + k * HOUR_MS, down=900 + k * 100) for k in range(3)]
    rule = [
        Usage(NOON_MS + k * HOUR_MS, down=k * 50, epoch=1, start_ms=NOON_MS + HOUR_MS)
        for k in (1, 2)
    ]

    assert used(meter_of([*session, *rule]))[7, TODAY]["metered"] == 1100 + 100


@pytest.mark.slow
def test_a_million_sims_that_reset_in_one_second_each_begin_their_day_at_0() -> None:
    count = 1_000_000
    base = columns([Usage(MIDNIGHT_MS, down=5)])
    zeros = np.zeros(count, np.int64)

    def batch(time_ms: int, down: int, epoch: int) -> None:
        rows = base._replace(
            **{name: np.repeat(getattr(base, name), count) for name in base._fields}
        )._replace(
            subscriber_key=np.arange(1, count + 1),
            downlink_bytes=zeros + down,
            counter_epoch=zeros + epoch,
            observed_time_ms=zeros + time_ms,
            interval_start_time_ms=zeros + INT_MISSING,
        )
        reason = zeros.copy()
        meter.add(rows, zeros + time_ms, zeros, zeros + time_ms, zeros, zeros, zeros != 0, reason)
        assert not reason.any()

    meter = meter_of()
    batch(MIDNIGHT_MS - MINUTE_MS, 7, epoch=1)
    batch(MIDNIGHT_MS + 500, 3, epoch=2)

    for day, expected in ((TODAY - 1, 7), (TODAY, 3)):
        entries = meter.entries(day)
        assert len(entries) == count
        assert (entries[:, 1] == expected).all()


def register(text: str) -> SimRegister:
    sims = read_sims(("subscriber_key,operator,start,end\n" + text).encode())
    assert isinstance(sims, SimRegister)
    return sims


@pytest.mark.parametrize(
    ("window", "time_ms", "is_cut"),
    [
        (
            "7,viettel,2021-10-01,",
            MIDNIGHT_MS + HOUR_MS,
            True,
        ),  # handed over at noon: the day counts whole
        ("7,viettel,2021-10-02,", MIDNIGHT_MS + 23 * HOUR_MS, False),
        (
            "7,viettel,2021-07-01,2021-10-01",
            MIDNIGHT_MS + DAY_MS - 1,
            True,
        ),  # ends with its last day
        ("7,viettel,2021-07-01,2021-09-30", MIDNIGHT_MS + 1, False),
    ],
)
def test_an_entitlement_that_starts_or_ends_in_the_middle_of_a_day_counts_that_day_whole(
    window: str, time_ms: int, *, is_cut: bool
) -> None:
    state = QuotaState(register(window + "\n"), QuotaSettings(), Names(["viettel"]))
    rows = columns([Usage(time_ms, down=QUOTA)])
    zero = np.zeros(1, np.int64)

    state.add(rows, zero + time_ms, zero, zero + time_ms, zero, zero, zero != 0, zero.copy())

    assert bool(state.take_decisions()) is is_cut


def test_several_sessions_that_cross_in_one_batch_cut_once() -> None:
    state = QuotaState(None, QuotaSettings(), Names(["viettel"]))
    sessions = [Usage(NOON_MS + k, down=QUOTA - 1, session=k) for k in range(3)]
    zeros = np.zeros(3, np.int64)
    times = np.array([row.time_ms for row in sessions])

    state.add(columns(sessions), times, zeros, times, zeros, zeros, zeros != 0, zeros.copy())

    steps = [(record.action, record.threshold_percent) for record in state.take_decisions()]
    assert len(steps) == len(set(steps)) == 4
