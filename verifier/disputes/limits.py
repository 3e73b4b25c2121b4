"""Date limits of disputes, as data: the file is the law, this module only reads it strictly."""

from dataclasses import dataclass
from importlib import resources
from typing import Any

from phusong.kernels.registers import LineError
from phusong.verifier.coverage.policy_rules import KeyErrors, read_table
from phusong.verifier.registry.toml_file import document_digest, read_toml

DEFAULT_FILE = "limits.toml"
# Two numbers and where they are from.
CONTENT_MAX_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class _Header:
    id: str
    title: str


@dataclass(frozen=True, slots=True)
class FilingLimit:
    """How many days after the day a verdict is as of it can be disputed."""

    limit_days: int
    source: str
    verified: bool


@dataclass(frozen=True, slots=True)
class RebuttalLimit:
    """How many days after the day of a filing the other side can answer, and for whom its silence speaks."""

    limit_days: int
    in_favour_when_silent: str
    source: str
    verified: bool


@dataclass(frozen=True, slots=True)
class Limits(_Header):
    """All limits. `digest` is the SHA-256 of the content, whatever the layout and comments of the file."""

    filing: FilingLimit
    rebuttal: RebuttalLimit
    digest: str


def default_limits() -> Limits:
    """Return the limits that ship with the service."""
    limits = read_limits(resources.files(__package__ or "").joinpath(DEFAULT_FILE).read_bytes())
    assert isinstance(limits, Limits), limits
    return limits


def read_limits(content: bytes) -> Limits | list[LineError]:
    """Return the limits in a TOML file, or every error found in it."""
    file = read_toml(content, CONTENT_MAX_BYTES)
    if isinstance(file, list):
        return file
    document, errors = file.document, KeyErrors(file)
    tables = {"filing": FilingLimit, "rebuttal": RebuttalLimit}
    head = {key: value for key, value in document.items() if key not in tables}
    terms: dict[str, Any] = read_table("", _Header, head, errors)
    for name, record in tables.items():
        terms[name] = record(**read_table(name, record, document.get(name), errors))
    if errors.found:
        return errors.found
    return Limits(**terms, digest=document_digest(document))
