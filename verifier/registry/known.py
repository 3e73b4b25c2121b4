"""The registries a state is built with: the versions in force at its known-at time."""

from bisect import bisect_left
from dataclasses import dataclass, field
from datetime import date
from operator import itemgetter
from typing import TYPE_CHECKING, TypeVar

from phusong.kernels.frame import PayloadKind
from phusong.kernels.registers import LineError, SourceRegister, read_sources
from phusong.verifier.coverage.policy import Policy, default_policy, read_policy
from phusong.verifier.coverage.rulings import Rulings
from phusong.verifier.disputes.book import DisputeBook, read_book
from phusong.verifier.disputes.entries import decode_steps
from phusong.verifier.disputes.limits import Limits, default_limits, read_limits
from phusong.verifier.disputes.records import Step
from phusong.verifier.journal import StoredFrame
from phusong.verifier.registry.entitlement import Reading
from phusong.verifier.registry.entries import STREAMS, RegistryHistory, Version
from phusong.verifier.registry.handovers import Handovers, joined_handovers, with_handovers
from phusong.verifier.registry.operators import OperatorRegister, read_operators
from phusong.verifier.registry.sims import SimRegister
from phusong.verifier.registry.sites import SiteRegister, read_sites
from phusong.verifier.rulings.entries import note_ruling

if TYPE_CHECKING:
    from phusong.verifier.programme.versions import ProgrammeInForce

Register = TypeVar(
    "Register",
    SiteRegister,
    Policy,
    SimRegister,
    SourceRegister,
    Handovers,
    Limits,
    OperatorRegister,
)


@dataclass(slots=True)
class KnownRegistries:
    """What the journal says of sites, SIMs, sources and policy, as known at a time.

    Entries were validated before they were journalled, so one that cannot be read is our own bug.
    """

    history: RegistryHistory = field(default_factory=RegistryHistory)
    known_at_ms: int | None = None
    # False: as if nobody had ruled on any reading, to see what was set aside and why.
    minds_rulings: bool = True
    sites: SiteRegister = field(init=False)
    policy: Policy = field(init=False)
    sims: SimRegister | None = field(init=False)  # with what records of handovers say
    handovers: Handovers | None = field(init=False)
    rulings: Rulings = field(init=False, default_factory=Rulings)  # those known at the time
    operators: OperatorRegister = field(init=False)
    _ruling_count: int = field(init=False, default=0)
    # Every register of sources and the frame it came in, in order.
    _sources: list[tuple[int, SourceRegister]] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        """Read the versions in force."""
        self._read_sites()
        self._read_sims()
        self._read_operators()
        self._read_sources()
        self._read_rulings()

    def note(
        self,
        frame: StoredFrame,
        envelope: int,
        payload: bytes,
        kind: int = PayloadKind.REGISTRY,
    ) -> bool:
        """Take note of an entry met while following the journal.

        Returns whether rows counted so far would now be judged differently: a new list of sites, a new policy, a ruling.
        """
        registry = self.history.note(frame, envelope, payload, kind)
        if registry in {"sims", "handovers", "programme"}:
            self._read_sims()
        elif registry == "operators":
            self._read_operators()
        elif registry == "sources":
            self._read_sources()
        elif registry in {"sites", "policy"}:
            before = (self.sites, self.policy)
            self._read_sites()
            return before != (self.sites, self.policy)
        elif registry == STREAMS[PayloadKind.RULING]:
            return self._read_rulings()
        return False

    def version(self, registry: str) -> Version | None:
        """Return the version of a registry this state is built with."""
        return self.history.known(registry, self.known_at_ms)

    def programme(self, as_of_day: date) -> "ProgrammeInForce":
        """Return the programme in force on a day, as known at the known-at time."""
        # Late: programme files are checked by pydantic, which most questions need not load.
        from phusong.verifier.programme.versions import programme_in_force  # noqa: PLC0415

        return programme_in_force(self.history.all_known("programme", self.known_at_ms), as_of_day)

    def sources(self, sequence: int) -> SourceRegister | None:
        """Return the register of sources in force when the frame at `sequence` arrived, None before the first.

        Senders are judged by the register of their day, never a later one: the receipt said so then.
        """
        count = bisect_left(self._sources, sequence, key=itemgetter(0))
        return self._sources[count - 1][1] if count else None

    def _read_sites(self) -> None:
        sites, policy = self.version("sites"), self.version("policy")
        self.sites = _sound(read_sites(sites.content)) if sites else SiteRegister.empty()
        self.policy = _sound(read_policy(policy.content)) if policy else default_policy()

    def disputes(self, at_ms: int) -> DisputeBook:
        """Return how disputes stand at a time, of what had been entered by then and by the known-at time."""
        at_ms = at_ms if self.known_at_ms is None else min(at_ms, self.known_at_ms)
        return read_book(
            decode_steps(self.history.entered(PayloadKind.DISPUTE, at_ms)), self.limits_at, at_ms
        )

    def limits(self) -> Limits:
        """Return the date limits of disputes in force."""
        version = self.version("disputes")
        return _sound(read_limits(version.content)) if version else default_limits()

    def limits_at(self, step: Step) -> Limits:
        """Return the limits in force when a step came in."""
        place = (step.sequence, step.envelope)
        versions = [
            version
            for version in self.history.versions.get("disputes", [])
            if (version.sequence, version.envelope) < place
        ]
        return _sound(read_limits(versions[-1].content)) if versions else default_limits()

    def _read_rulings(self) -> bool:
        """Note the rulings that are new; return whether any changes what held."""
        if not self.minds_rulings:
            return False
        versions = self.history.entered(PayloadKind.RULING, self.known_at_ms)
        is_changed = False
        for version in versions[self._ruling_count :]:
            is_changed |= note_ruling(version, self.rulings)
        self._ruling_count = len(versions)
        return is_changed

    def _read_sims(self) -> None:
        sims, records = (
            self.version("sims"),
            self.history.all_known("handovers", self.known_at_ms),
        )
        self.sims, self.handovers = None, None
        if not (sims or records):
            return
        # Late: Polars takes a quarter of a second to load, and most questions need no register of SIMs.
        from phusong.verifier.registry.handovers_file import read_handovers  # noqa: PLC0415
        from phusong.verifier.registry.sims_file import read_sims  # noqa: PLC0415

        is_longer = self._is_longer_reading()
        if records:
            files = [_sound(read_handovers(v.content, is_longer=is_longer)) for v in records]
            self.handovers = joined_handovers(files)
        register = _sound(read_sims(sims.content, is_longer=is_longer)) if sims else None
        self.sims = with_handovers(register, self.handovers)

    def _is_longer_reading(self) -> bool:
        """Tell how "three months" is read: by the newest programme known, whatever day is asked about."""
        if not self.history.all_known("programme", self.known_at_ms):
            return True
        return self.programme(date.max).programme.programme.entitlement is Reading.LONGER

    def _read_operators(self) -> None:
        version = self.version("operators")
        self.operators = _sound(read_operators(version.content)) if version else OperatorRegister()

    def _read_sources(self) -> None:
        for version in self.history.versions.get("sources", [])[len(self._sources) :]:
            register = _sound(read_sources(version.content, is_journalled=True))
            self._sources.append((version.sequence, register))


def _sound(register: Register | list[LineError]) -> Register:
    assert not isinstance(register, list), "entries are validated before they are journalled"
    return register
