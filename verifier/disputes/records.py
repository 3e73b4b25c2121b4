"""The words of disputes: who takes which step, in which state a dispute is, and why a step had no effect."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import NamedTuple

# What people write by hand; a page of text, and a list of readings they can still name.
TEXT_LENGTH_MAX = 4000
NAME_LENGTH_MAX = 200
SELECTION_COUNT_MAX = 64


class Act(IntEnum):
    """A step; the numbers of journal.proto."""

    FILE = 1
    REBUT = 2
    CONCEDE = 3
    WITHDRAW = 4
    DECIDE = 5


class Side(IntEnum):
    """The two sides; the numbers of journal.proto."""

    FILER = 1
    RESPONDENT = 2


class DisputeState(StrEnum):
    """Where a dispute stands. Only the first two are open."""

    OPEN = "OPEN"  # filed; the other side can answer
    REBUTTED = "REBUTTED"  # answered with evidence; somebody gives in, or an auditor decides
    CONCEDED = "CONCEDED"  # the other side gave in
    WITHDRAWN = "WITHDRAWN"  # the filer gave in
    LAPSED = "LAPSED"  # nobody answered in time
    UPHELD = "UPHELD"  # decided for the filer
    DISMISSED = "DISMISSED"  # decided for the other side

    @property
    def is_open(self) -> bool:
        """Tell whether somebody can still take a step."""
        return self in (DisputeState.OPEN, DisputeState.REBUTTED)


class Refusal(StrEnum):
    """Why a step had no effect. It stays in the journal all the same."""

    MALFORMED = "MALFORMED"  # a field is missing or longer than anybody writes
    REPEATED = "REPEATED"  # the same step of the same person, word by word: it counts once
    UNKNOWN_DISPUTE = "UNKNOWN_DISPUTE"
    VERDICT_TO_COME = "VERDICT_TO_COME"  # as of a time after the filing
    FILED_LATE = "FILED_LATE"
    FILED_ALREADY = "FILED_ALREADY"  # the same filer has a dispute about this verdict open
    CLOSED = "CLOSED"
    REBUTTED_LATE = "REBUTTED_LATE"  # the limit has passed; CONCEDED and DECIDED have none
    REBUTTED_ALREADY = "REBUTTED_ALREADY"
    NOT_REBUTTED = "NOT_REBUTTED"  # nothing to decide while the other side can still answer
    OWN_DISPUTE = "OWN_DISPUTE"  # who filed cannot answer for the other side, and no party decides
    NOT_THE_FILER = "NOT_THE_FILER"


class Selection(NamedTuple):
    """Readings that one side relies on: those of the site in the journal before the entry that fit all of this.

    Empty texts and zeros are any. Times are Unix ms, both ends included.
    """

    operator: str = ""
    source: str = ""
    device_key: int = 0  # unsigned
    from_time_ms: int = 0
    until_time_ms: int = 0
    file: str = ""
    file_sha256: str = ""
    boot_epoch: int = 0


class DisputedVerdict(NamedTuple):
    """What a dispute is about, as its filer read it."""

    site_code: str
    operator: str
    technology: str
    as_of_ms: int
    verdict: str
    policy_digest: str


class Step(NamedTuple):
    """One entry of the journal, opened. `name` and `role` say who took it."""

    sequence: int
    envelope: int
    time_ms: int
    act: Act
    dispute: str
    name: str
    role: str
    text: str
    evidence: tuple[Selection, ...] = ()
    verdict: DisputedVerdict | None = None
    in_favour_of: Side | None = None

    @property
    def content(self) -> tuple[object, ...]:
        """What somebody said, wherever and whenever it came into the journal."""
        return self[3:]


class RefusedStep(NamedTuple):
    """An entry without effect: where it stands, what it was where that could be read, and why."""

    sequence: int
    envelope: int
    refusal: Refusal
    step: Step | None
    dispute: str  # which dispute speaks against it, "" for none


@dataclass(frozen=True, slots=True)
class Dispute:
    """One dispute as it stands at a time. Times are Unix ms; `ended_ms` and `in_favour_of` are None while it is open."""

    name: str
    filing: Step
    state: DisputeState
    steps: tuple[Step, ...]  # that had an effect, the filing first
    rebuttal_due_ms: int  # the last millisecond for an answer
    limits_id: str
    ended_ms: int | None = None
    in_favour_of: Side | None = None

    @property
    def verdict(self) -> DisputedVerdict:
        """What it is about."""
        assert self.filing.verdict is not None, "a filing names a verdict"
        return self.filing.verdict

    @property
    def rebuttal(self) -> Step | None:
        """Return the answer, None before it."""
        return next((step for step in self.steps if step.act is Act.REBUT), None)


def dispute_name(sequence: int, envelope: int) -> str:
    """Return how the dispute is called that was filed at a place of the journal."""
    return f"D{sequence}.{envelope}"
