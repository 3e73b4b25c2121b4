"""The terms of a programme: obligations with targets and deadlines, and the money set aside for them.

A programme file is TOML like `3667.toml`, which explains each key. Files of the first version, whose obligations had no
`kind`, are read as they were meant: with a list they speak of coverage, without one of support.
"""

import datetime as dt
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from phusong.verifier.registry.entitlement import Reading

# A target of all the people of the country has nine digits.
COUNT_MAX = 10**9
# More than the state's budget of a year, and far within int64.
AMOUNT_MAX_VND = 10**16
OBLIGATION_COUNT_MAX = 100
PHASE_MAX = 9  # the plan has two

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{0,63}$")]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]


class Kind(StrEnum):
    """By what an obligation is judged."""

    COVERAGE = "coverage"  # verdicts on the sites of a list
    HANDOVERS = "handovers"  # records of computers given, the register of SIMs
    DATA = "data"  # the quota ledger
    PLATFORMS = "platforms"  # the published list
    SUPPORT = "support"  # nothing we can measure: what the file states


class Stated(BaseModel):
    """What everything in a programme file carries: where it is from, and whether somebody read it there."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    id: Name
    title: str = ""
    title_en: str = ""
    source: Text
    verified: bool = False


class Obligation(Stated):
    """One thing that was promised. Days are inclusive, in Vietnam."""

    kind: Kind = Field(Kind.SUPPORT, strict=False)
    list: Text | None = None  # of sites; coverage only
    target_count: int | None = Field(None, ge=1, le=COUNT_MAX)  # None: the plan names no number
    begins: dt.date | None = None
    phase: int | None = Field(None, ge=1, le=PHASE_MAX)  # handovers only: of the records
    deadline: dt.date | None = None
    met_on: dt.date | None = None  # support only
    evidence: Text | None = None  # support only

    @model_validator(mode="before")
    @classmethod
    def _know_the_first_version(cls, values: Any) -> Any:
        if isinstance(values, dict) and "kind" not in values:
            return values | {"kind": Kind.COVERAGE if values.get("list") else Kind.SUPPORT}
        return values

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if self.kind is Kind.COVERAGE and not (self.list and self.target_count and self.deadline):
            raise ValueError("coverage needs list, target_count and deadline")
        if self.kind is not Kind.COVERAGE and self.list:
            raise ValueError("only coverage is judged on a list")
        if self.kind is Kind.HANDOVERS and not (self.begins and self.deadline):
            raise ValueError("handovers need begins and deadline")
        if self.begins and self.deadline and self.deadline < self.begins:
            raise ValueError("deadline lies before begins")
        if (self.met_on is None) != (self.evidence is None):
            raise ValueError("met_on and evidence belong together")
        if self.phase and self.kind is not Kind.HANDOVERS:
            raise ValueError("only handovers have a phase")
        if self.met_on and self.kind is not Kind.SUPPORT:
            raise ValueError("met_on is for support; everything else is judged by its evidence")
        return self


class Money(Stated):
    """A sum set aside."""

    amount_vnd: int = Field(ge=0, le=AMOUNT_MAX_VND)


class Header(Stated):
    """What the programme is called and since when it holds."""

    source: str = ""
    effective_from: dt.date | None = None  # None: it holds for all time
    entitlement: Reading = Field(Reading.LONGER, strict=False)  # how "three months" is read


class Programme(BaseModel):
    """A programme whole."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    programme: Header
    obligation: Annotated[
        tuple[Obligation, ...], Field(min_length=1, max_length=OBLIGATION_COUNT_MAX, strict=False)
    ]
    money: Annotated[tuple[Money, ...], Field(max_length=OBLIGATION_COUNT_MAX, strict=False)] = ()

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        for entries in (self.obligation, self.money):
            names = [entry.id for entry in entries]
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"each id once; {', '.join(twice)} stands twice")
        return self
