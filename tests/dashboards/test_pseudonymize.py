"""Subscriber keys from identities."""

from pathlib import Path

from running import phusong


def test_the_same_identity_has_the_same_key_and_no_identity_is_printed(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(bytes(range(32)))
    (tmp_path / "imsi").write_text("452040000000001\n452040000000002\n452040000000001\n")

    ran = phusong("pseudonymize", "--key-file", tmp_path / "key", tmp_path / "imsi")

    keys = ran.out.split()
    # Computed by hand: the first 16 hex digits of HMAC-SHA256 with openssl dgst.
    assert keys[0] == keys[2] == str(int("aa5fe25b6b32a750", 16))
    assert keys[1] != keys[0]
    assert "45204" not in ran.out + ran.err


def test_a_short_secret_and_a_name_are_refused_without_repeating_them(tmp_path: Path) -> None:
    (tmp_path / "short").write_bytes(b"abc")
    (tmp_path / "key").write_bytes(bytes(32))
    (tmp_path / "imsi").write_text("452040000000001\nNguyen\n")

    short = phusong("pseudonymize", "--key-file", tmp_path / "short", tmp_path / "imsi", status=2)
    named = phusong("pseudonymize", "--key-file", tmp_path / "key", tmp_path / "imsi", status=2)

    assert "at least 16" in short.err
    assert "line 2" in named.err
    assert "Nguyen" not in named.err
