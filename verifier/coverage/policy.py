"""What is asked of coverage, as data. The file is the law, this module only reads it strictly.

A policy is a TOML file like `plan3667-mobile-internet.toml`. Every key must be there, no other may be, and
each number must be possible; every error names the key, what was found and what was expected.
"""

from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np

from phusong.kernels.bin_records import FLOOR_COUNT
from phusong.kernels.bins import SENSITIVITIES_DB
from phusong.kernels.columns import Float64Column
from phusong.kernels.radio import RAT_LAST, RAT_NAMES
from phusong.kernels.registers import LineError
from phusong.verifier.coverage.policy_rules import KeyErrors, check_together, read_table
from phusong.verifier.coverage.terms import (
    Device,
    Header,
    Minimum,
    Place,
    Plausibility,
    Service,
    ServiceFloor,
    ServiceTerms,
    Share,
    Technology,
    Time,
)
from phusong.verifier.registry.toml_file import document_digest, read_toml

DEFAULT_FILE = "plan3667-mobile-internet.toml"
TABLES = {
    "share": Share,
    "place": Place,
    "time": Time,
    "minimum": Minimum,
    "device": Device,
}
# Tables a policy may do without: one written before they were asked for keeps judging as it did.
OPTIONAL_TABLES = {"plausibility": Plausibility}
# A policy is read by people; 64 KiB is already a book.
CONTENT_MAX_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Policy(Header):
    """One policy. `digest` is the SHA-256 of its content, whatever the layout and comments of its file."""

    technologies: tuple[Technology, ...]
    share: Share
    place: Place
    time: Time
    minimum: Minimum
    device: Device
    service: Service | None  # None where the level alone is asked
    plausibility: Plausibility | None  # None where readings are not screened by each other
    digest: str

    @property
    def counted_rats(self) -> tuple[int, ...]:
        """The technologies that count, as numbers of the wire, in the order of the policy."""
        return tuple(RAT_NAMES.index(t.rat) for t in self.technologies if t.counts)

    def technology(self, rat: int) -> Technology:
        """Return what is asked of a technology. Raises KeyError where nothing is."""
        for technology in self.technologies:
            if technology.rat == RAT_NAMES[rat]:
                return technology
        raise KeyError(rat)

    def floors_dbm(self) -> Float64Column:
        """Return the floors of each technology, shape (technologies, FLOOR_COUNT): the policy's, then what else is told.

        A technology that does not count, and a floor that is not asked, is +inf: nothing meets it.
        """
        floors = np.full((RAT_LAST + 1, FLOOR_COUNT), np.inf)
        for rat in self.counted_rats:
            asked = self.technology(rat)
            row = [asked.floor_dbm, *(asked.floor_dbm + db for db in SENSITIVITIES_DB)]
            row += asked.reported_tiers_dbm
            floors[rat, : len(row)] = row
        return floors


def default_policy() -> Policy:
    """Return the policy that ships with the service."""
    policy = read_policy(resources.files(__package__ or "").joinpath(DEFAULT_FILE).read_bytes())
    assert isinstance(policy, Policy), policy
    return policy


def read_policy(content: bytes) -> Policy | list[LineError]:
    """Return the policy in a TOML file, or every error found in it."""
    file = read_toml(content, CONTENT_MAX_BYTES)
    if isinstance(file, list):
        return file
    document, errors = file.document, KeyErrors(file)
    terms = _read_terms(document, errors)
    if not errors.found:
        check_together(terms, errors)
    if errors.found:
        return errors.found
    return Policy(**terms, digest=document_digest(document))


def _read_terms(document: dict[str, Any], errors: KeyErrors) -> dict[str, Any]:
    terms = read_table("", Header, {k: v for k, v in document.items() if not _is_table(k)}, errors)
    technologies = document.get("technologies")
    if not isinstance(technologies, list) or not technologies:
        errors.add("technologies", technologies, "at least one [[technologies]] table")
        technologies = []
    terms["technologies"] = tuple(
        Technology(**read_table(f"technologies[{i}]", Technology, table, errors))
        for i, table in enumerate(technologies)
    )
    for name, record in TABLES.items():
        terms[name] = record(**read_table(name, record, document.get(name), errors))
    terms["service"] = _read_service(document.get("service"), errors)
    for name, record in OPTIONAL_TABLES.items():
        table = document.get(name)
        terms[name] = None
        if table is not None:
            terms[name] = record(**read_table(name, record, table, errors))
    return terms


def _read_service(table: object, errors: KeyErrors) -> Service | None:
    """Return what is asked besides the level; `criterion = "none"` is how files said "nothing" before they could leave it out."""
    if table is None or (isinstance(table, dict) and table.get("criterion") == "none"):
        return None
    floors: list[ServiceFloor] = []
    terms = table
    if isinstance(table, dict):
        terms = {key: value for key, value in table.items() if key != "floors"}
        found = table.get("floors", [])
        if not isinstance(found, list):
            errors.add("service.floors", found, "[[service.floors]] tables")
            found = []
        floors = [
            ServiceFloor(**read_table(f"service.floors[{i}]", ServiceFloor, floor, errors))
            for i, floor in enumerate(found)
        ]
    return Service(
        ServiceTerms(**read_table("service", ServiceTerms, terms, errors)), tuple(floors)
    )


def _is_table(key: str) -> bool:
    return key in {"technologies", "service"} or key in TABLES or key in OPTIONAL_TABLES
