"""Caches that are not whole are worthless, and never wrong."""

from hypothesis import given
from hypothesis import strategies as st

from phusong.kernels.checked import with_digest, without_digest


@given(st.binary())
def test_what_is_whole_comes_back(content: bytes) -> None:
    assert without_digest(with_digest(content)) == content


@given(st.binary(), st.data())
def test_a_flipped_bit_anywhere_is_found(content: bytes, data: st.DataObject) -> None:
    stored = bytearray(with_digest(content))
    stored[data.draw(st.integers(0, len(stored) - 1))] ^= 1 << data.draw(st.integers(0, 7))

    assert without_digest(bytes(stored)) is None


@given(st.binary(), st.integers(0, 40))
def test_what_is_cut_is_found(content: bytes, missing: int) -> None:
    stored = with_digest(content)

    assert without_digest(stored[: -missing - 1]) is None
