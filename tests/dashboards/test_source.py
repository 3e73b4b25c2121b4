"""Credentials for sources: what is printed, what is not, and that the register takes it."""

import datetime as dt
import hashlib
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from typer.testing import CliRunner

from phusong.dashboards.commands.exits import USAGE
from phusong.dashboards.commands.source import app
from phusong.kernels.registers import ALL_COLUMNS, SourceRegister, read_sources
from running import phusong


def register_lines(err: str) -> str:
    """The two lines between the empty ones, as a person would copy them."""
    return err.split("\n\n")[1] + "\n"


def test_the_printed_line_makes_the_printed_token_good_and_does_not_give_it_away() -> None:
    ran = phusong("source", "token", "viettel", "probe-7")

    token = ran.out.strip()
    assert len(token) >= 43
    assert token not in ran.err
    register = read_sources(register_lines(ran.err).encode())
    assert isinstance(register, SourceRegister)
    grant = register.of_token(token)
    assert grant is not None
    assert grant.principal == "viettel/probe-7"
    assert register.of_token(token + "x") is None


def test_every_token_is_another_and_none_passes_for_a_hash() -> None:
    tokens = [source("token", "viettel", "probe-7").stdout.strip() for _ in range(2)]

    assert tokens[0] != tokens[1]
    line = f"source,operator,token_sha256\nprobe-7,viettel,{tokens[0]}\n"
    errors = read_sources(line.encode())
    assert isinstance(errors, list)
    assert tokens[0] not in errors[0].message


def test_a_name_that_no_topic_may_have_gets_no_token() -> None:
    ran = source("token", "Viettel", "probe-7", status=USAGE)

    assert ran.stdout == ""
    assert "'Viettel'" in ran.stderr


def source(*arguments: object, status: int = 0) -> Any:
    """Run the command in this process: six starts of an interpreter would prove no more than one."""
    ran = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert ran.exit_code == status, ran.output
    return ran


def self_signed(folder: Path) -> tuple[Path, Path]:
    """Write a certificate and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "probe-7")])
    start = dt.datetime(2021, 1, 1, tzinfo=dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=3650))
        .sign(key, hashes.SHA256())
    )
    paths = folder / "probe.pem", folder / "probe.key"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return paths


def test_a_certificate_is_registered_by_its_fingerprint(tmp_path: Path) -> None:
    path, _ = self_signed(tmp_path)
    # As `openssl x509 -fingerprint -sha256` writes it.
    said = ":".join(
        f"{byte:02X}"
        for byte in x509.load_pem_x509_certificate(path.read_bytes()).fingerprint(hashes.SHA256())
    )

    ran = source("certificate", path)

    assert ran.stdout.strip() == said.replace(":", "").lower()
    assert "CN=probe-7, valid until 2030-12-30" in ran.stderr
    line = f"source,operator,certificate_sha256\nprobe-7,viettel,{said}\n"
    register = read_sources(line.encode())
    assert isinstance(register, SourceRegister)
    der = x509.load_pem_x509_certificate(path.read_bytes()).public_bytes(serialization.Encoding.DER)
    grant = register.of_certificate(der)
    assert grant is not None
    assert grant.source == "probe-7"
    assert grant.certificate_sha256 == (hashlib.sha256(der).digest(),)


def test_a_private_key_is_no_certificate_and_is_not_repeated(tmp_path: Path) -> None:
    _, key = self_signed(tmp_path)

    ran = source("certificate", key, status=USAGE)

    assert "BEGIN CERTIFICATE" in ran.stderr
    assert "PRIVATE" not in ran.stderr


def test_the_example_in_the_documentation_is_a_register() -> None:
    text = (Path(__file__).parents[2] / "docs" / "registries.md").read_text("utf-8")
    example = next(block for block in text.split("```") if "token_sha256," in block)

    register = read_sources(example.lstrip().encode())

    assert isinstance(register, SourceRegister)
    assert [grant.source for grant in register.grants] == ["pgw-1", "probe-7", "gateway"]
    assert all(documented(column, text) for column in ALL_COLUMNS)


def documented(column: str, text: str) -> bool:
    return f"`{column}`" in text
