"""Which version of a programme is in force on a day: by its effective date, of those that were known."""

from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

from phusong.verifier.programme.reading import default_programme, read_programme
from phusong.verifier.programme.terms import Programme
from phusong.verifier.registry.entries import Version
from phusong.verifier.registry.toml_file import document_digest


class ProgrammeInForce(NamedTuple):
    """A programme, and the version it is from; None for the one that ships."""

    programme: Programme
    version: Version | None

    @property
    def origin(self) -> str:
        """Where it is from, in words."""
        version = self.version
        return f"{version.file}, sequence {version.sequence}" if version else "as shipped"

    @property
    def digest(self) -> str:
        """The SHA-256 of what it says, whatever the layout and comments of its file."""
        return document_digest(self.programme.model_dump(mode="json"))


def programme_in_force(versions: Iterable[Version], as_of_day: date) -> ProgrammeInForce:
    """Return the programme in force on a day.

    versions: those known, in the order of their entry. Of two that are in force the one with the later effective date
    holds, and of two with one date the one entered later. One without a date holds for all time, in place of all before
    it. Before any is in force, the one that ships stands in, so that there is something to report on.
    """
    found = ProgrammeInForce(default_programme(), None)
    for version in versions:
        programme = read_programme(version.content)
        assert isinstance(programme, Programme), "entries are validated before they are journalled"
        begins = programme.programme.effective_from
        present = found.programme.programme.effective_from
        is_in_force = begins is None or begins <= as_of_day
        is_later = begins is None or present is None or begins >= present
        if is_in_force and is_later:
            found = ProgrammeInForce(programme, version)
    return found
