"""Texts as numbers: hashes that never change, and PLMNs exactly as `kernels.plmn` reads them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phusong.kernels.plmn import plmn_number
from phusong.kernels.wire.text import is_utf8, read_plmn, text_hash

plmn_like = st.text(alphabet="0123456789- /:é٤", max_size=9)


def buffer_of(text: bytes, behind: bytes) -> np.ndarray:
    return np.frombuffer(bytearray(text + behind), np.uint8)


@settings(deadline=None)
@given(plmn_like | st.text(max_size=9), st.binary(max_size=9))
def test_plmns_are_read_as_plmn_number_reads_them(text: str, behind: bytes) -> None:
    encoded = text.encode()
    buffer = buffer_of(encoded, behind)

    assert read_plmn(buffer, 0, len(encoded), len(buffer)) == plmn_number(text)


def decodes(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


@settings(deadline=None)
@given(st.binary(max_size=12) | st.text().map(str.encode), st.binary(max_size=4))
def test_utf8_is_what_python_decodes(text: bytes, behind: bytes) -> None:
    assert is_utf8(buffer_of(text, behind), 0, len(text)) == decodes(text)


@pytest.mark.parametrize("first", range(0x80, 0x100))
def test_every_two_bytes_of_utf8_are_judged_as_python_judges_them(first: int) -> None:
    for second in range(256):
        for rest in (b"", b"\x80", b"\x80\x80", b"\x80\xc0", b"\x80\x80\x80"):
            text = bytes([first, second]) + rest

            assert is_utf8(buffer_of(text, b"\x80"), 0, len(text)) == decodes(text), text.hex()


# They are in snapshots and compared with hashes of yesterday: a changed function needs a new snapshot version.
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 0),
        ("a", 4321663745813065062),
        ("probe-1", 8181205960651115125),
        ("viettel", 8029168565367327804),
        ("abcdefgh", 4787657338780611058),
        ("abcdefghi", 3156260909152198900),
        ("0123456789abcdef", -8639564036053442728),
        ("HG-0001", 7184871636141289111),
        ("phủ sóng", -9174207436281191914),
    ],
)
def test_hashes_never_change(text: str, expected: int) -> None:
    assert text_hash(text) == expected


def test_a_text_and_its_bytes_have_one_hash() -> None:
    assert text_hash("phủ sóng") == text_hash("phủ sóng".encode())


@settings(deadline=None)
@given(st.lists(st.binary(max_size=20), unique=True, max_size=50))
def test_different_texts_have_different_hashes(texts: list[bytes]) -> None:
    hashes = {text_hash(text) for text in texts}

    assert len(hashes) == len(texts)
    assert (0 in hashes) == (b"" in texts)


def test_zeros_at_the_end_make_another_text() -> None:
    assert len({text_hash(b"a" + bytes(n)) for n in range(20)}) == 20


def test_numbered_names_spread_over_all_bits() -> None:
    hashes = np.array([text_hash(f"probe-{i}") for i in range(2000)])

    for bit in range(64):
        assert 850 < np.count_nonzero(hashes >> bit & 1) < 1150, bit
