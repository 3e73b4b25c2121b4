"""Tokens, certificates of a CA of our own, and the register that knows them."""

import hashlib
import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from phusong.kernels.frame import PayloadKind, Route, Transport
from phusong.v1.journal_pb2 import RegistryEntry

DAY = timedelta(days=1)
TOKENS = {"viettel/pgw-1": "token-of-pgw-1", "mobifone/oss": "token-of-oss"}
HEADER = "source,operator,token_sha256,certificate_sha256\n"


def hex_of(secret):
    """Return what a register keeps of a token (str) or a DER certificate (bytes)."""
    return hashlib.sha256(secret.encode() if isinstance(secret, str) else secret).hexdigest()


def sources_file(tokens=TOKENS, certificates=()):
    """Return a register of sources: principal → token, principal → DER."""
    certificates = dict(certificates)
    lines = []
    for principal in {**tokens, **certificates}:
        operator, source = principal.split("/")
        token = hex_of(tokens[principal]) if principal in tokens else ""
        der = hex_of(certificates[principal]) if principal in certificates else ""
        lines.append(f"{source},{operator},{token},{der}\n")
    return HEADER + "".join(lines)


async def register(doors, tokens=TOKENS, certificates=()):
    """Put a register of sources in force, through the journal as `phusong registry add` does."""
    content = sources_file(tokens, certificates).encode()
    entry = RegistryEntry(registry="sources", file="sources.csv", content=content)
    route = Route("", "registry", "", Transport.SERVICE, PayloadKind.REGISTRY)
    await doors.intake.submit(route, entry.SerializeToString())


class Authority:
    """A certificate authority with its files in a folder."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self.folder = folder
        self.name = name
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._signed(name, self.key.public_key(), is_authority=True)
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, name, *, first=None, last=None):
        """Return the files of a new certificate and key for a name, and the certificate as DER."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._signed(name, key.public_key(), first=first, last=last)
        certificate_file = self.folder / f"{name}.pem"
        certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        key_file = self.folder / f"{name}.key"
        key_file.touch(0o600)
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return certificate_file, key_file, certificate.public_bytes(serialization.Encoding.DER)

    def client_context(self, certificate_file=None, key_file=None):
        """Return what a client of Python needs to trust this authority, with its own certificate if it has one."""
        context = ssl.create_default_context(cafile=self.file)
        if certificate_file is not None:
            context.load_cert_chain(certificate_file, key_file)
        return context

    def _signed(self, name, key, *, is_authority=False, first=None, last=None):
        now = datetime.now(UTC)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.name)])
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(first or now - DAY)
            .not_valid_after(last or now + 300 * DAY)
            .add_extension(x509.BasicConstraints(is_authority, None), critical=True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), False
            )
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), False)
        )
        if is_authority:
            usage = x509.KeyUsage(
                True,
                *[False] * 4,
                key_cert_sign=True,
                crl_sign=True,
                encipher_only=False,
                decipher_only=False,
            )
            builder = builder.add_extension(usage, critical=True)
        else:
            names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
            usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), False)
            builder = builder.add_extension(x509.ExtendedKeyUsage(usages), False)
        return builder.sign(self.key, hashes.SHA256())
