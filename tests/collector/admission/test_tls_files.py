"""What is said of files that TLS cannot use."""

import subprocess
from datetime import UTC, datetime, timedelta

import pytest
from credentials import DAY, Authority

from phusong.collector.admission.tls_files import flaws_of

NOW = datetime.now(UTC)
NOW_MS = int(NOW.timestamp() * 1000)


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


def found(*files, now_ms=NOW_MS):
    return [(flaw.file.name, flaw.found, flaw.is_fatal) for flaw in flaws_of(*files, now_ms)]


def test_good_files_have_no_flaw(authority):
    assert found(*authority.issue("a")[:2], authority.file) == []


@pytest.mark.parametrize(
    ("first", "last", "expected", "is_fatal"),
    [
        (NOW + DAY, NOW + 2 * DAY, "not valid before", True),
        (NOW - 2 * DAY, NOW - DAY, "expired at", True),
        (NOW - DAY, NOW + DAY, "expires at", False),
    ],
)
def test_a_certificate_has_its_time(authority, first, last, expected, is_fatal):
    files = authority.issue("a", first=first, last=last)[:2]

    [(name, what, fatal)] = found(*files, None)

    assert (name, what.startswith(expected), fatal) == ("a.pem", True, is_fatal)
    later_ms = NOW_MS + int(timedelta(days=1.5) / timedelta(milliseconds=1))
    assert found(authority.file, authority.issue("b")[1], None, now_ms=later_ms)


def test_the_time_of_the_ca_of_clients_counts_too(authority):
    year_3000_ms = 32_503_680_000_000

    assert ("authority.pem", True) in [
        (name, fatal)
        for name, _, fatal in found(*authority.issue("a")[:2], authority.file, now_ms=year_3000_ms)
    ]


def test_a_key_of_another_certificate_is_named(authority):
    certificate_file, _, _ = authority.issue("a")
    _, key_file, _ = authority.issue("b")

    [(name, what, fatal)] = found(certificate_file, key_file, None)

    assert (name, fatal) == ("b.key", True)
    assert "is not the key of the certificate" in what


def test_a_key_that_everybody_may_read_is_said_but_not_refused(authority):
    certificate_file, key_file, _ = authority.issue("a")
    key_file.chmod(0o644)

    assert found(certificate_file, key_file, None) == [("a.key", "can be read by everybody", False)]


@pytest.mark.parametrize(
    "content", [b"", b"nonsense", b"\xff\xfe", b"-----BEGIN CERTIFICATE-----\nAA\n"]
)
def test_what_is_no_pem_is_said(authority, content):
    certificate_file, key_file, _ = authority.issue("a")
    certificate_file.write_bytes(content)
    key_file.write_bytes(content)

    assert found(certificate_file, key_file, None) == [
        ("a.pem", "holds no certificate in PEM", True),
        ("a.key", "holds no private key in PEM", True),
    ]


def test_missing_and_unreadable_files_are_named(authority, tmp_path):
    certificate_file, key_file, _ = authority.issue("a")

    assert found(tmp_path / "nowhere.pem", key_file, None) == [
        ("nowhere.pem", "No such file or directory", True)
    ]
    assert found(certificate_file, tmp_path, None)[0][1:] == ("Is a directory", True)


def test_an_encrypted_key_is_said_without_asking_for_its_password(authority):
    certificate_file, key_file, _ = authority.issue("a")
    encrypted = key_file.with_suffix(".encrypted")
    subprocess.run(
        ["openssl", "pkey", "-aes256", "-in", key_file, "-out", encrypted, "-passout", "pass:x"],
        check=True,
    )
    encrypted.chmod(0o600)

    [(_, what, fatal)] = found(certificate_file, encrypted, None)

    assert ("encrypted" in what, fatal) == (True, True)
