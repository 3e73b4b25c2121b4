"""A day in a handful of numbers: they are sums of the report of that day."""

import numpy as np
import pytest

from phusong.verifier.names import Names
from phusong.verifier.quota.report import SimState
from phusong.verifier.quota.settings import QuotaSettings
from phusong.verifier.quota.state import QuotaState
from phusong.verifier.registry.sims import SimRegister
from phusong.verifier.registry.sims_file import read_sims
from reference.usage import FIRST_OF_OCTOBER, HOUR_MS, MIDNIGHT_MS, ZERO_RATED, Usage, columns

QUOTA = 4 * 2**30
NOON_MS = MIDNIGHT_MS + 12 * HOUR_MS
ROWS = (
    Usage(NOON_MS, down=QUOTA + 5, sim=1),
    Usage(NOON_MS, down=QUOTA + 9, sim=2),
    Usage(NOON_MS, down=QUOTA - 1, sim=3),
    Usage(NOON_MS, down=70, sim=3, session=2, traffic=ZERO_RATED),
    Usage(MIDNIGHT_MS + HOUR_MS, start_ms=MIDNIGHT_MS - HOUR_MS, down=2 * QUOTA + 2, sim=4),
    Usage(NOON_MS, down=QUOTA + 100, sim=5),
)


def state_of(*rows: Usage, sims: SimRegister | None = None) -> QuotaState:
    state = QuotaState(sims, QuotaSettings(), Names(["viettel"]))
    readings = columns(list(rows))
    zeros = np.zeros(len(rows), np.int64)
    times = (readings.observed_time_ms, zeros, readings.observed_time_ms)
    state.add(readings, *times, zeros, zeros, np.zeros(len(rows), np.bool_), zeros.copy())
    return state


@pytest.fixture
def sims() -> SimRegister:
    lines = "".join(f"{sim},viettel,2021-09-20\n" for sim in (1, 2, 3, 4))
    found = read_sims(("subscriber_key,operator,handover_date\n" + lines).encode())
    assert isinstance(found, SimRegister)
    return found


def test_figures_are_the_sums_of_the_report(sims) -> None:
    state = state_of(*ROWS, sims=sims)

    for day in (FIRST_OF_OCTOBER - 1, FIRST_OF_OCTOBER):
        report, figures = state.day(day), state.figures(day)
        assert sum(figures.sims.values()) == len(report.sims)
        for each in SimState:
            assert figures.sims[each] == sum(row.state is each for row in report.sims)
        used = sum(row.used_bytes for row in report.sims)
        assert figures.determinate_bytes + figures.indeterminate_bytes == used
        assert figures.indeterminate_bytes == sum(row.indeterminate_bytes for row in report.sims)
        assert figures.zero_rated_bytes == sum(row.zero_rated_bytes for row in report.sims)
        assert figures.readings == {name: report.totals[name] for name in figures.readings}


def test_beyond_the_quota_are_bytes_of_entitled_sims_that_surely_used_them(sims) -> None:
    figures = state_of(*ROWS, sims=sims).figures(FIRST_OF_OCTOBER)

    assert figures.overshoot_bytes == 5 + 9
    assert figures.overshoot_max_bytes == 9


def test_a_day_nobody_was_heard_of_is_all_noughts() -> None:
    figures = state_of(*ROWS).figures(FIRST_OF_OCTOBER + 7)

    assert not any(figures.sims.values())
    assert set(figures.sims) == set(SimState)
    assert (figures.determinate_bytes, figures.overshoot_max_bytes) == (0, 0)
