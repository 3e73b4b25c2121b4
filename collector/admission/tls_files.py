"""What is wrong with the files of TLS, in words that say what to do. No message holds anything of a key."""

import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

# Time to renew without haste.
EXPIRES_SOON = timedelta(days=21)
# A chain of certificates is a few KiB; a bundle of public CAs 250 KiB.
FILE_MAX_BYTES = 1 << 20


class Flaw(NamedTuple):
    """One thing that is wrong with a file, and what to do."""

    file: Path
    found: str
    remedy: str
    is_fatal: bool = True

    def __str__(self) -> str:
        """Return it as a line."""
        return f"{self.file}: {self.found}; {self.remedy}"


def flaws_of(
    certificate_file: Path, key_file: Path, client_ca_file: Path | None, now_ms: int
) -> list[Flaw]:
    """Return what is wrong with the files at a moment; those that are not fatal only need somebody to look."""
    now = datetime.fromtimestamp(now_ms / 1000, UTC)
    chain, flaws = _certificates(certificate_file, "give the certificate chain of this service")
    if chain:
        flaws += _times(certificate_file, chain[0], now)
    flaws += _key(key_file, chain[0] if chain else None, certificate_file)
    if client_ca_file is not None:
        authorities, wrong = _certificates(
            client_ca_file, "give the certificates of who signs those of clients"
        )
        flaws += wrong
        for authority in authorities:
            flaws += _times(client_ca_file, authority, now)
    return flaws


def _certificates(file: Path, remedy: str) -> tuple[list[x509.Certificate], list[Flaw]]:
    content = _content(file)
    if isinstance(content, Flaw):
        return [], [content]
    try:
        return x509.load_pem_x509_certificates(content), []
    except ValueError:
        return [], [Flaw(file, "holds no certificate in PEM", remedy)]


def _times(file: Path, certificate: x509.Certificate, now: datetime) -> list[Flaw]:
    first, last = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now < first:
        return [
            Flaw(file, f"not valid before {first:%Y-%m-%d %H:%M} UTC", "wait, or set the clock")
        ]
    if now > last:
        return [Flaw(file, f"expired at {last:%Y-%m-%d %H:%M} UTC", "renew it")]
    if last - now < EXPIRES_SOON:
        found = f"expires at {last:%Y-%m-%d %H:%M} UTC"
        return [Flaw(file, found, "renew it, then send the service SIGHUP", is_fatal=False)]
    return []


def _key(file: Path, certificate: x509.Certificate | None, certificate_file: Path) -> list[Flaw]:
    content = _content(file)
    if isinstance(content, Flaw):
        return [content]
    try:
        key = load_pem_private_key(content, None)
    except TypeError:
        return [Flaw(file, "the key is encrypted", "store it decrypted (openssl pkey), mode 0600")]
    except ValueError:
        return [Flaw(file, "holds no private key in PEM", "give the key of the certificate")]
    flaws: list[Flaw] = []
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    is_own = certificate is not None and (
        certificate.public_key().public_bytes(*form) == key.public_key().public_bytes(*form)
    )
    if certificate is not None and not is_own:
        remedy = "give the two that were made together; in a chain the service's own comes first"
        flaws.append(Flaw(file, f"is not the key of the certificate in {certificate_file}", remedy))
    if stat.S_IMODE(file.stat().st_mode) & (stat.S_IRWXO):
        flaws.append(Flaw(file, "can be read by everybody", f"chmod 0600 {file}", is_fatal=False))
    return flaws


def _content(file: Path) -> bytes | Flaw:
    try:
        descriptor = os.open(file, os.O_RDONLY)
        with os.fdopen(descriptor, "rb") as opened:
            content = opened.read(FILE_MAX_BYTES + 1)
    except OSError as error:
        return Flaw(file, error.strerror or "cannot be read", "give a file that this user may read")
    if len(content) > FILE_MAX_BYTES:
        return Flaw(file, "is longer than 1 MiB", "give PEM files of this service only")
    return content
