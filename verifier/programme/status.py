"""How each obligation stands: target, deadline, what is proven, what is refuted, and what is unproven.

Coverage is judged on the day of its deadline, and again on the day asked for. A statement (a list entry, a handover record)
is counted beside what telemetry shows, never as it.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from phusong.verifier.coverage.intervals import wrong_count_max
from phusong.verifier.coverage.records import Verdict
from phusong.verifier.programme import wording
from phusong.verifier.programme.pupils import Pupils
from phusong.verifier.programme.terms import Kind, Obligation, Programme
from phusong.verifier.registry.sites import SiteRegister

SHARE_CONFIDENCE = 0.95


class Standing(StrEnum):
    """What can be said of an obligation. Doubt is neither met nor missed."""

    MET = "MET"
    NOT_MET = "NOT_MET"
    RUNNING = "RUNNING"  # its deadline has not passed
    UNPROVEN = "UNPROVEN"


@dataclass(frozen=True, slots=True)
class Coverage:
    """The sites of one list as known on one day."""

    listed_count: int
    of_verdict: Mapping[Verdict, int]

    @property
    def verified_count(self) -> int:
        """How many sites are covered by some operator."""
        return self.of_verdict.get(Verdict.COVERED, 0)

    @property
    def refuted_count(self) -> int:
        """How many sites are proven not to be covered by any of their operators."""
        return self.of_verdict.get(Verdict.NOT_COVERED, 0)


@dataclass(frozen=True, slots=True)
class Status:
    """One obligation as it stands. Counts are of sites, pupils or platforms; None where nothing counts them.

    claimed_count: sites that base stations claim to be on air at, of which none is counted anywhere else.
    verified_by_deadline_count: as known now of the day of the deadline; None before it.
    verified_lower_bound: of `verified_count` at 95 %, since each verdict may be wrong.
    """

    id: str
    kind: Kind
    title: str
    title_en: str
    target_count: int | None
    deadline: str | None
    standing: Standing
    stated_count: int | None
    claimed_count: int | None
    verified_count: int | None
    verified_by_deadline_count: int | None
    verified_lower_bound: int | None
    refuted_count: int | None
    unproven_count: int | None
    verdicts: dict[str, int]
    unproven: tuple[str, ...]
    source: str
    is_source_verified: bool


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What the programme is compared with. Times are Unix ms; a day ends with its last ms in Vietnam."""

    as_of_ms: int
    confidence: float  # of one coverage verdict
    sites: SiteRegister
    # Verdicts by site code as of a time. Asked for the deadline of each list and for `as_of_ms`.
    verdicts_as_of: Callable[[int], Mapping[str, Verdict]]
    end_of_day_ms: Callable[[str], int]
    pupils: Pupils
    platform_count: int | None  # on the published list, None without one
    claimed_sites: frozenset[str] = frozenset()  # codes of sites claimed to be on air by then


def programme_status(programme: Programme, known: Knowledge) -> list[Status]:
    """Return how every obligation stands, in the order of the file."""
    judges = {
        Kind.COVERAGE: _coverage,
        Kind.HANDOVERS: _handovers,
        Kind.DATA: _data,
        Kind.PLATFORMS: _platforms,
        Kind.SUPPORT: _support,
    }
    return [judges[obligation.kind](obligation, known) for obligation in programme.obligation]


def coverage_of(sites: SiteRegister, name: str, verdicts: Mapping[str, Verdict]) -> Coverage:
    """Return how the sites of a list stand."""
    codes = [site.code for site in sites.sites if site.list == name]
    return Coverage(len(codes), Counter(verdicts[code] for code in codes))


def _coverage(obligation: Obligation, known: Knowledge) -> Status:
    assert obligation.list is not None, "checked when the file was read"
    assert obligation.target_count is not None, "checked when the file was read"
    assert obligation.deadline is not None, "checked when the file was read"
    target = obligation.target_count
    deadline_ms = known.end_of_day_ms(obligation.deadline.isoformat())
    now = coverage_of(known.sites, obligation.list, known.verdicts_as_of(known.as_of_ms))
    then = None
    if known.as_of_ms >= deadline_ms:
        then = coverage_of(known.sites, obligation.list, known.verdicts_as_of(deadline_ms))
    standing = Standing.RUNNING
    if then is not None:
        standing = Standing.UNPROVEN
        # All of the target was promised, so one site without coverage on the day is a promise not kept.
        if then.refuted_count > 0:
            standing = Standing.NOT_MET
        elif then.verified_count >= target:
            standing = Standing.MET
    codes = {site.code for site in known.sites.sites if site.list == obligation.list}
    claimed_count = len(codes & known.claimed_sites)
    verified = now.verified_count
    wrong = wrong_count_max(verified, 1.0 - known.confidence, SHARE_CONFIDENCE)
    return _status(
        obligation,
        standing,
        stated_count=now.listed_count,
        claimed_count=claimed_count,
        verified_count=verified,
        verified_by_deadline_count=None if then is None else then.verified_count,
        verified_lower_bound=verified - wrong,
        refuted_count=now.refuted_count,
        unproven_count=max(target - verified - now.refuted_count, 0),
        verdicts={verdict.value: count for verdict, count in now.of_verdict.items() if count},
        unproven=wording.of_coverage(obligation, now.listed_count, now.of_verdict, claimed_count),
    )


def _handovers(obligation: Obligation, known: Knowledge) -> Status:
    assert obligation.begins is not None, "checked when the file was read"
    assert obligation.deadline is not None, "checked when the file was read"
    deadline = obligation.deadline.isoformat()
    recorded, heard = known.pupils.handed_over(
        obligation.begins.isoformat(), deadline, obligation.phase
    )
    target = obligation.target_count
    standing = Standing.RUNNING
    if known.as_of_ms >= known.end_of_day_ms(deadline):
        is_met = target is not None and heard >= target
        standing = Standing.MET if is_met else Standing.UNPROVEN
    return _status(
        obligation,
        standing,
        stated_count=recorded,
        verified_count=heard,
        unproven_count=None if target is None else max(target - heard, 0),
        unproven=wording.of_handovers(obligation, recorded, heard),
    )


def _data(obligation: Obligation, known: Knowledge) -> Status:
    entitled, heard = known.pupils.entitled_count, known.pupils.entitled_heard_count
    target = obligation.target_count
    return _status(
        obligation,
        Standing.UNPROVEN,
        stated_count=entitled,
        verified_count=heard,
        unproven_count=None if target is None else max(target - heard, 0),
        unproven=wording.of_data(obligation, entitled, heard),
    )


def _platforms(obligation: Obligation, known: Knowledge) -> Status:
    return _status(
        obligation,
        Standing.UNPROVEN,
        stated_count=known.platform_count,
        unproven=wording.of_platforms(known.platform_count),
    )


def _support(obligation: Obligation, known: Knowledge) -> Status:
    standing = Standing.UNPROVEN
    met_on = obligation.met_on
    if met_on is not None and known.end_of_day_ms(met_on.isoformat()) <= known.as_of_ms:
        is_late = obligation.deadline is not None and met_on > obligation.deadline
        standing = Standing.NOT_MET if is_late else Standing.MET
    words = wording.of_support(obligation, is_met=standing is Standing.MET)
    return _status(obligation, standing, unproven=words)


def _status(
    obligation: Obligation,
    standing: Standing,
    *,
    unproven: tuple[str, ...],
    stated_count: int | None = None,
    claimed_count: int | None = None,
    verified_count: int | None = None,
    verified_by_deadline_count: int | None = None,
    verified_lower_bound: int | None = None,
    refuted_count: int | None = None,
    unproven_count: int | None = None,
    verdicts: dict[str, int] | None = None,
) -> Status:
    return Status(
        id=obligation.id,
        kind=obligation.kind,
        title=obligation.title,
        title_en=obligation.title_en,
        target_count=obligation.target_count,
        deadline=None if obligation.deadline is None else obligation.deadline.isoformat(),
        standing=standing,
        stated_count=stated_count,
        claimed_count=claimed_count,
        verified_count=verified_count,
        verified_by_deadline_count=verified_by_deadline_count,
        verified_lower_bound=verified_lower_bound,
        refuted_count=refuted_count,
        unproven_count=unproven_count,
        verdicts=verdicts or {},
        unproven=unproven,
        source=obligation.source,
        is_source_verified=obligation.verified,
    )
