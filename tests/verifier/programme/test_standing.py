"""The obligations by a live state: the numbers that `phusong programme status` says, without building a state of another day."""

from dataclasses import replace

import pytest

from phusong.dashboards.commands.options import time_ms
from phusong.verifier.coverage.records import Verdict
from phusong.verifier.placing import Horizon
from phusong.verifier.programme.reading import default_programme
from phusong.verifier.programme.standing import end_of_day_ms, obligation_figures
from phusong.verifier.programme.status import Standing
from phusong.verifier.quota.settings import QuotaSettings
from phusong.verifier.registry.entries import RegistryHistory, Version
from phusong.verifier.state import State, new_state

SITES = (
    b"site_code,name,province_code,list,operators,part,latitude_deg,longitude_deg,radius_m\n"
    b"A,a,01,283,viettel,centre,21.0,105.8,300\n"
    b"B,b,01,283,viettel,centre,21.1,105.8,300\n"
)


def state_of(**registries: bytes) -> State:
    versions = {
        name: [Version(1, 0, f"{name}.csv", content, 0)] for name, content in registries.items()
    }
    return new_state(RegistryHistory(versions), Horizon(), QuotaSettings())


@pytest.mark.parametrize("day", ["2021-09-30", "2021-12-31", "1970-01-01", "2024-02-29"])
def test_a_day_ends_as_the_command_line_says(day) -> None:
    assert end_of_day_ms(day) == time_ms(day, "")


def test_every_obligation_of_the_programme_is_there_with_its_deadline() -> None:
    state = state_of(sites=SITES)
    as_of_ms = time_ms("2021-12-20", "")

    found = obligation_figures(state, state.verdicts(as_of_ms), as_of_ms)

    programme = default_programme()
    assert [each.status.id for each in found] == [each.id for each in programme.obligation]
    for each, obligation in zip(found, programme.obligation, strict=True):
        day = obligation.deadline
        assert each.deadline_ms == (None if day is None else time_ms(day.isoformat(), ""))


def test_the_day_of_the_deadline_is_asked_of_the_state_as_of_that_day(monkeypatch) -> None:
    state = state_of(sites=SITES)
    as_of_ms, deadline_ms = time_ms("2021-12-20", ""), time_ms("2021-09-30", "")
    untested = state.verdicts(as_of_ms)
    covered = [replace(row, verdict=Verdict.COVERED, parts=()) for row in untested]
    monkeypatch.setattr(State, "verdicts", lambda _, at_ms: {deadline_ms: covered}[at_ms])

    found = [each.status for each in obligation_figures(state, untested, as_of_ms)]

    (status,) = (each for each in found if each.deadline == "2021-09-30" and each.verdicts)
    assert (status.verified_count, status.verified_by_deadline_count) == (0, 2)
    assert status.standing is Standing.UNPROVEN
