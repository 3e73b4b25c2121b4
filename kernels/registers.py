"""What every register of ours shares, and the register of sources: who may send, for which operator.

Collector and verifier both read it, from the same journal, so that a receipt and a count say the same. CSV with the
columns `source` and `operator`, and for a source that proves who it is those of CREDENTIAL_COLUMNS and BOUND_COLUMNS
(docs/registries.md). While no register is in the journal, every well-formed source is taken; once one is, what it
does not allow is refused with a reason (kernels/admission.py), from the next frame on.
"""

import csv
import hashlib
import io
from collections.abc import Callable
from typing import Any, NamedTuple

from phusong.kernels.grants import Grant, principal_of
from phusong.kernels.row_bounds import RowBounds, bounds_of
from phusong.kernels.source_fields import (
    FieldError,
    read_hashes,
    read_key,
    read_row_kinds,
    read_sites,
    read_slug,
    read_topics,
)

COLUMNS = ("source", "operator")
CREDENTIAL_COLUMNS = ("token_sha256", "certificate_sha256")
BOUND_COLUMNS = ("topics", "row_kinds", "sites", "subscriber_first", "subscriber_last")
ALL_COLUMNS = (*COLUMNS, *CREDENTIAL_COLUMNS, *BOUND_COLUMNS)
SOURCES_REGISTRY = "sources"  # RegistryEntry.registry of this register
# Enough to mend a file in one go, few enough to read.
ERROR_COUNT_MAX = 100

READERS: dict[str, Callable[[str], Any]] = {
    "operator": read_slug,
    "source": read_slug,
    "token_sha256": read_hashes,
    "certificate_sha256": read_hashes,
    "row_kinds": read_row_kinds,
    "sites": read_sites,
    "subscriber_first": read_key,
    "subscriber_last": read_key,
}


class LineError(NamedTuple):
    """What is wrong with a line of a registry file, and what was expected.

    `column` is the name of a CSV column or the path of a TOML key; `character` is where in the line it stands, from 1, 0
    where that is not known.
    """

    line: int
    column: str
    message: str
    character: int = 0


class SourceRegister:
    """The sources that may send, and how each proves who it is. Never changes once made."""

    def __init__(self, grants: tuple[Grant, ...], content: bytes = b"") -> None:
        """Keep the grants; `content` is the file they are from."""
        self.grants = grants
        self.content = content
        self.operators = frozenset(grant.operator for grant in grants)
        self.has_credentials = any(grant.has_credential for grant in grants)
        bounded = [grant for grant in grants if grant.bounds_rows]
        self.bounds: RowBounds | None = bounds_of(bounded) if bounded else None
        self._of_principal = {grant.principal: grant for grant in grants}
        self._of_token = {digest: grant for grant in grants for digest in grant.token_sha256}
        self._of_certificate = {
            digest: grant for grant in grants for digest in grant.certificate_sha256
        }
        self._bound_of = {grant.principal: row for row, grant in enumerate(bounded, 1)}

    def knows(self, operator: str, source: str) -> bool:
        """Tell whether a source is registered for an operator."""
        return principal_of(operator, source) in self._of_principal

    def of_principal(self, principal: str) -> Grant | None:
        """Return the grant of a principal, "operator/source"."""
        return self._of_principal.get(principal)

    def of_token(self, token: str) -> Grant | None:
        """Return whose token this is. What can be learnt from the time it takes is of the hash, not of the token."""
        digest = hashlib.sha256(token.encode(errors="surrogatepass")).digest()
        return self._of_token.get(digest)

    def of_certificate(self, der: bytes) -> Grant | None:
        """Return whose certificate this is, in DER; who signed it does not matter."""
        return self._of_certificate.get(hashlib.sha256(der).digest())

    def bound_of(self, principal: str) -> int:
        """Return which row of `bounds` holds for a principal, 0 for none."""
        return self._bound_of.get(principal, 0)


def read_sources(
    content: bytes, *, is_journalled: bool = False
) -> SourceRegister | list[LineError]:
    """Return the register in a CSV file, or every error found in it.

    is_journalled: of a file that was taken by the rules of its day. Before there were credentials, a line might be
    there twice, and a column or field might be none of ours: that meant nothing, and still does.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return [LineError(line, "", f"byte {error.start} is not UTF-8; save the file as UTF-8")]
    reader = csv.reader(io.StringIO(text, newline=""), strict=not is_journalled)
    reading = _Reading(is_journalled)
    try:
        reading.read_header(next(reader, []))
        line = reader.line_num + 1
        for fields in reader:
            if len(reading.errors) >= ERROR_COUNT_MAX:
                break
            if any(field.strip() for field in fields):
                reading.read_line(line, fields)
            line = reader.line_num + 1
    except csv.Error as error:
        reading.errors.append(LineError(reader.line_num, "", f"not CSV: {error}"))
    if reading.errors:
        return reading.errors[:ERROR_COUNT_MAX]
    return SourceRegister(tuple(reading.grants.values()), content)


class _Reading:
    """What was read of a file so far."""

    def __init__(self, is_journalled: bool) -> None:  # noqa: FBT001 - of this file only
        self.is_journalled = is_journalled
        self.errors: list[LineError] = []
        self.grants: dict[str, Grant] = {}
        self._columns: list[str] = []
        self._line_of: dict[
            Any, int
        ] = {}  # on which line a principal, or a hash of a column, was first met

    def read_header(self, header: list[str]) -> None:
        self._columns = [word.strip().casefold() for word in header]
        for column in COLUMNS:
            if column not in self._columns:
                found = ", ".join(word for word in self._columns if word) or "nothing"
                expected = f"expected {', '.join(COLUMNS)}"
                message = f"column missing; {expected}; found {found}"
                self.errors.append(LineError(1, column, message))
        if self.is_journalled:
            return
        for position, column in enumerate(self._columns):
            if column not in ALL_COLUMNS:
                message = f"unknown column; expected {', '.join(ALL_COLUMNS)}"
                self.errors.append(LineError(1, header[position], message))
            elif column in self._columns[:position]:
                self.errors.append(LineError(1, column, "column given twice"))

    def read_line(self, line: int, fields: list[str]) -> None:
        if not set(COLUMNS) <= set(self._columns):
            return
        if len(fields) != len(self._columns) and not self.is_journalled:
            message = f"{len(fields)} fields; expected {len(self._columns)} as in the header"
            self.errors.append(LineError(line, "", message))
            return
        texts = dict(zip(self._columns, fields, strict=False))
        values: dict[str, Any] = {}
        found: list[LineError] = []
        for column, read in READERS.items():
            text = texts.get(column, "")
            if text.strip() or column in COLUMNS:
                try:
                    values[column] = read(text)
                except FieldError as error:
                    found.append(LineError(line, column, str(error)))
        if not found:
            grant = self._grant(line, values, texts.get("topics", ""), found)
            if not found:
                self.grants[grant.principal] = grant
        self.errors += found

    def _grant(
        self, line: int, values: dict[str, Any], topics: str, found: list[LineError]
    ) -> Grant:
        operator = values["operator"]
        try:
            values["topics"] = read_topics(topics, operator)
        except FieldError as error:
            found.append(LineError(line, "topics", str(error)))
        grant = Grant(**values)
        if grant.subscriber_first > grant.subscriber_last:
            message = "is lower than subscriber_first; expected the last key of the range"
            found.append(LineError(line, "subscriber_last", message))
        if not self.is_journalled:
            self._claim(line, "source", grant.principal, f"{grant.principal}", found)
        for column in CREDENTIAL_COLUMNS:
            for digest in values.get(column, ()):
                self._claim(line, column, digest, "this hash", found)
        return grant

    def _claim(
        self, line: int, column: str, value: str | bytes, name: str, found: list[LineError]
    ) -> None:
        """Note that a line has a value that no other may have."""
        before = self._line_of.setdefault((column, value), line)
        if before != line:
            message = f"{name} stands on line {before} too; expected one line for each source and credential"
            found.append(LineError(line, column, message))
