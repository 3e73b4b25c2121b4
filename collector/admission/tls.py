"""TLS of the doors: one certificate for all, read again on demand, and what is wrong with its files in words.

TLS 1.2 at least. A client certificate is verified against the CA of clients; whose it is, the register says.
"""

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from phusong.collector.admission.tls_files import Flaw, flaws_of


class Demand(StrEnum):
    """Whether a door asks its clients for a certificate."""

    NONE = "none"
    OPTIONAL = "optional"
    REQUIRED = "required"


VERIFY_MODE = {
    Demand.NONE: ssl.CERT_NONE,
    Demand.OPTIONAL: ssl.CERT_OPTIONAL,
    Demand.REQUIRED: ssl.CERT_REQUIRED,
}


@dataclass(frozen=True, slots=True)
class TlsOptions:
    """The files, and what each door demands."""

    certificate_file: Path
    key_file: Path
    client_ca_file: Path | None = None  # None: no client certificates
    mqtt_client_certificate: Demand = Demand.OPTIONAL
    grpc_client_certificate: Demand = (
        Demand.NONE
    )  # gRPC for Python has nothing between none and required
    http_client_certificate: Demand = Demand.NONE

    def demand(self, door: str) -> Demand:
        """Return what a door demands."""
        if self.client_ca_file is None:
            return Demand.NONE
        demand: Demand = getattr(self, f"{door}_client_certificate")
        return demand


class Pems(NamedTuple):
    """The content of the files."""

    key: bytes
    certificate: bytes
    client_ca: bytes | None


class TlsUnusable(OSError):
    """A file of TLS cannot be used; the message says which, why and what to do."""


class Tls:
    """What is in force. `reload` reads the files again; open connections keep what they have."""

    def __init__(self, options: TlsOptions, now_ms: Callable[[], int]) -> None:
        """Read the files. Raises TlsUnusable. Certificates are valid by the clock of the machine, `now_ms`."""
        self._options = options
        self._now_ms = now_ms
        self.warnings: tuple[Flaw, ...] = ()
        self.reload()

    @property
    def options(self) -> TlsOptions:
        """What is in force."""
        return self._options

    def reload(self, options: TlsOptions | None = None) -> None:
        """Read the files again, or others; when they cannot be used nothing changes. Raises TlsUnusable.

        What gRPC demands of its clients is fixed when that door opens.
        """
        options = self._options if options is None else options
        flaws = flaws_of(
            options.certificate_file, options.key_file, options.client_ca_file, self._now_ms()
        )
        fatal = [flaw for flaw in flaws if flaw.is_fatal]
        if fatal:
            raise TlsUnusable("; ".join(str(flaw) for flaw in fatal))
        contexts = {door: _context(options, door) for door in ("mqtt", "http")}
        ca_file = options.client_ca_file
        self.pems = Pems(
            options.key_file.read_bytes(),
            options.certificate_file.read_bytes(),
            None if ca_file is None else ca_file.read_bytes(),
        )
        self._options = options
        self.warnings = tuple(flaw for flaw in flaws if not flaw.is_fatal)
        self._contexts = contexts

    def context(self, door: str) -> ssl.SSLContext:
        """Return what a door shakes hands with now."""
        return self._contexts[door]

    def demand(self, door: str) -> Demand:
        """Return whether a door asks its clients for a certificate."""
        return self._options.demand(door)


def _context(options: TlsOptions, door: str) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(options.certificate_file, options.key_file)
    demand = options.demand(door)
    if demand is not Demand.NONE:
        context.load_verify_locations(cafile=options.client_ca_file)
    context.verify_mode = VERIFY_MODE[demand]
    return context
