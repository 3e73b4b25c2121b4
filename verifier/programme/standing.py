"""How the obligations stand by a live state: what metrics show of the programme."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from phusong.kernels.days import DAY_MS, day_start_ms, ict_day
from phusong.verifier.coverage.milestones import claimed_sites
from phusong.verifier.coverage.records import SiteVerdict, Verdict
from phusong.verifier.programme.pupils import UNIX_DAY, pupils_of
from phusong.verifier.programme.reading import platform_count
from phusong.verifier.programme.sites import verdicts_by_site
from phusong.verifier.programme.status import Knowledge, Status, programme_status
from phusong.verifier.state import State

PERMILLE = 1000


@dataclass(frozen=True, slots=True)
class ObligationFigures:
    """One obligation; `deadline_ms` is the last millisecond of its day in Vietnam."""

    status: Status
    deadline_ms: int | None


def obligation_figures(
    state: State, rows: Iterable[SiteVerdict], as_of_ms: int
) -> tuple[ObligationFigures, ...]:
    """Return every obligation of the programme in force. rows: the verdicts as of `as_of_ms`.

    What is asked of the day of a deadline is asked of this state, which knows what came later, too: bins that begin after it are
    left out. `phusong programme status` builds a state of that day.
    """
    verdicts: dict[int, Mapping[str, Verdict]] = {as_of_ms: verdicts_by_site(rows)}

    def verdicts_as_of(moment_ms: int) -> Mapping[str, Verdict]:
        if moment_ms not in verdicts:
            verdicts[moment_ms] = verdicts_by_site(state.reported(moment_ms, as_of_ms))
        return verdicts[moment_ms]

    known = Knowledge(
        as_of_ms=as_of_ms,
        confidence=state.registries.policy.share.confidence_permille / PERMILLE,
        sites=state.registries.sites,
        verdicts_as_of=verdicts_as_of,
        end_of_day_ms=end_of_day_ms,
        pupils=pupils_of(
            state.registries.sims,
            state.registries.handovers,
            state.quota.meter,
            int(ict_day(as_of_ms)),
        ),
        platform_count=platform_count(state.registries),
        claimed_sites=claimed_sites(state.registries.sites, state.cells, as_of_ms),
    )
    programme, _ = state.registries.programme(UNIX_DAY + timedelta(days=int(ict_day(as_of_ms))))
    return tuple(
        ObligationFigures(
            status, None if status.deadline is None else end_of_day_ms(status.deadline)
        )
        for status in programme_status(programme, known)
    )


def end_of_day_ms(day: str) -> int:
    """Return the last millisecond of a day in Vietnam, written 2021-12-31."""
    number = (date.fromisoformat(day) - UNIX_DAY).days
    return int(day_start_ms(number)) + DAY_MS - 1
