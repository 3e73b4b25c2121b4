"""A verdict as it leaves the verifier. The fields are those of `phusong coverage --format json`."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What is known of a site, an operator and a technology. "Not enough" is an answer."""

    UNTESTED = "UNTESTED"  # nothing that counts was measured
    INSUFFICIENT = "INSUFFICIENT"  # measured, and not enough to say
    COVERED = "COVERED"
    NOT_COVERED = "NOT_COVERED"
    CONFLICTED = "CONFLICTED"  # sources contradict each other beyond chance
    STALE = "STALE"  # was covered; the evidence is older than its validity
    DISPUTED = "DISPUTED"  # laid over another verdict while a dispute about it is open


@dataclass(frozen=True, slots=True)
class Counts:
    """How much evidence a verdict rests on, over all parts of the site.

    `effective`: how many independent place cells the surveyed ones are worth, all parts together.
    """

    raw: int
    bins: int
    clusters: int
    effective: float
    devices: int
    windows: int
    days: int
    quarantined: int = 0  # readings that the plausibility screen sets aside; in none of the others


class Standing(StrEnum):
    """How tests of the service compare with what is asked."""

    NOT_ASKED = "NOT_ASKED"
    OPEN = "OPEN"  # not enough to say
    MET = "MET"
    NOT_MET = "NOT_MET"


@dataclass(frozen=True, slots=True)
class TestResult:
    """What tests of one measure found, of the part of a site that is weakest in it.

    `measure` is download (bit/s), latency (ms) or access; `bound` and `median` are in its unit, None for access. Share and
    bounds are of places (for access: of attempts, each place weighing the same) at which what is asked is met; where
    nothing is asked, at which anything came through.
    """

    __test__ = False  # pytest looks for classes of this name

    measure: str
    standing: Standing
    bound: int | None
    sample_count: int
    place_count: int
    device_count: int
    median: int | None
    share: float
    lower_bound: float
    upper_bound: float
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DisputeMark:
    """A dispute about a row, by name, and where it stands; `answer_due` is an ISO 8601 time while an answer is awaited."""

    dispute: str
    state: str
    in_favour_of: str | None
    answer_due: str | None


@dataclass(frozen=True, slots=True)
class PartVerdict:
    """What is known of one part of a site; None where nothing was measured."""

    part: str
    verdict: Verdict
    place_count: int  # place cells of its footprint
    surveyed_count: int
    share: float | None
    lower_bound: float | None
    upper_bound: float | None


@dataclass(frozen=True, slots=True)
class SiteVerdict:
    """The verdict on one site, operator and technology.

    `overlay` is DISPUTED while the verdict is (docs/disputes.md); the verdict itself stays what the evidence says. Share, bounds and design effect are those of the surveyed part that decides, the weakest one; None where
    nothing was measured. Times are ISO 8601 in UTC. `missing` says what evidence would decide.
    """

    site_code: str
    name: str
    province_code: str
    list: str
    operator: str
    technology: str
    verdict: Verdict
    reason: str
    counts: Counts
    design_effect: float | None
    share: float | None
    lower_bound: float | None
    upper_bound: float | None
    median_level_dbm: int | None
    first_observed: str | None
    last_observed: str | None
    missing: tuple[str, ...]
    overlay: Verdict | None = None
    disputes: tuple[DisputeMark, ...] = ()
    parts: tuple[PartVerdict, ...] = ()  # all of the site, in the order of their names

    @property
    def standing(self) -> Verdict:
        """What can be relied on: DISPUTED while the verdict is."""
        return self.overlay or self.verdict
