"""What every register of ours shares, and the register of sources: who may send, for which operator.

Collector and verifier both read it, from the same journal, so that a receipt and a count say the same. CSV with the
columns `source` and `operator`. While no register is in the journal, every well-formed source is taken; once one is,
a source that is not in it is refused as UNKNOWN_SOURCE, from the next frame on.
"""

import csv
import io
from dataclasses import dataclass
from typing import NamedTuple

from phusong.kernels.route_names import is_slug

COLUMNS = ("source", "operator")
SOURCES_REGISTRY = "sources"  # RegistryEntry.registry of this register
# Enough to mend a file in one go, few enough to read.
ERROR_COUNT_MAX = 100


class LineError(NamedTuple):
    """What is wrong with a line of a registry file, and what was expected."""

    line: int
    column: str
    message: str


@dataclass(frozen=True, slots=True)
class SourceRegister:
    """The sources that may send, as (operator, source)."""

    sources: frozenset[tuple[str, str]]

    def knows(self, operator: str, source: str) -> bool:
        """Tell whether a source is registered for an operator."""
        return (operator, source) in self.sources


def read_sources(content: bytes) -> SourceRegister | list[LineError]:
    """Return the register in a CSV file, or every error found in it."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return [LineError(1, "", f"byte {error.start} is not UTF-8; save the file as UTF-8")]
    reader = csv.DictReader(io.StringIO(text))
    missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
    if missing:
        found = ", ".join(reader.fieldnames or ()) or "nothing"
        return [
            LineError(
                1, missing[0], f"column missing; expected {', '.join(COLUMNS)}; found {found}"
            )
        ]
    errors: list[LineError] = []
    sources: set[tuple[str, str]] = set()
    for row in reader:
        for column in COLUMNS:
            if not is_slug(row[column] or ""):
                message = f"{row[column]!r}: expected 1 to 64 characters of a-z 0-9 . _ -"
                errors.append(LineError(reader.line_num, column, message))
        sources.add((row["operator"], row["source"]))
        if len(errors) >= ERROR_COUNT_MAX:
            break
    return errors or SourceRegister(frozenset(sources))
