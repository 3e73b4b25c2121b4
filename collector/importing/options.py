"""What the caller says about files, and the ways in which a file as a whole can be refused."""

import hashlib
import zoneinfo
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from phusong.kernels.frame import PayloadKind, Route, Transport
from phusong.kernels.plmn import PLMN_INVALID, plmn_number
from phusong.kernels.route_names import is_slug

SOURCE_DEFAULT = "import"

# Given as `--device`: every log was made by a phone of its own.
DEVICE_PER_LOG = "log"

KEY_BITS_MASK = 2**63 - 1  # positive as int64, so that it reads the same everywhere


class ImportRefused(ValueError):
    """A file that cannot be imported as it was asked for: the caller must change the call or the file."""


class ImportFailed(OSError):
    """A file that breaks while it is read: damaged, cut off, unreadable."""


class ImportPayload(NamedTuple):
    """One payload made from a file, ready for the intake.

    `row_count` is how many rows of the file it holds; the `read_bytes` of all payloads add up to
    the size of the file, for a progress bar.
    """

    route: Route
    payload: bytes
    row_count: int
    read_bytes: int


def _say_nothing(_: str) -> None:
    """Drop a remark."""


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What the files do not say themselves. Empty means "not given".

    `note` receives remarks for a human; each at most once a file.

    Raises:
        ImportRefused: a value that no file could make good.
    """

    operator: str = ""
    source: str = ""
    timezone: str = ""
    device: str = ""
    plmn: str = ""
    subscriber: str = ""
    session: str = ""
    note: Callable[[str], None] = _say_nothing

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        for name, value in (("operator", self.operator), ("source", self.source)):
            if value and not is_slug(value):
                raise ImportRefused(
                    f"--{name} {value!r}: expected 1 to 64 characters of a-z 0-9 . _ -"
                )
        if plmn_number(self.plmn) == PLMN_INVALID:
            raise ImportRefused(
                f"--plmn {self.plmn!r}: expected five or six digits, such as 452-04"
            )
        if self.timezone:
            try:
                zoneinfo.ZoneInfo(self.timezone)
            except (KeyError, OSError, ValueError) as error:
                raise ImportRefused(
                    f"--timezone {self.timezone!r}: expected a name such as Asia/Ho_Chi_Minh or UTC"
                ) from error


def batch_route(operator: str, source: str) -> Route:
    """Return the route of a Batch read from a file."""
    return Route(operator, source, "", int(Transport.IMPORT), int(PayloadKind.BATCH))


def file_row_route(operator: str, source: str) -> Route:
    """Return the route of a row that could not be read."""
    return Route(operator, source, "", int(Transport.IMPORT), int(PayloadKind.FILE_ROW))


def derived_key(*words: str) -> str:
    """Return a 64-bit key made of words: stable, and nothing but those words is behind it."""
    digest = hashlib.sha256("\0".join(words).encode()).digest()
    return str(int.from_bytes(digest[:8], "big") & KEY_BITS_MASK or 1)


@dataclass(frozen=True, slots=True)
class FileIdentity:
    """How a file is named in what is said of it, and how its batches are known again.

    `name` is without the folder, which is nobody's business. `column_of` has the file's column behind a field.
    """

    name: str
    boot_epoch: int
    column_of: dict[str, str]

    def column(self, field: str) -> str:
        """Return the file's own name of a field."""
        return self.column_of.get(field, field)
