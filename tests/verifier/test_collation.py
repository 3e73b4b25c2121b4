"""Vietnamese words in the order of a Vietnamese dictionary."""

import random
import unicodedata

import pytest

from phusong.verifier.collation import collation_key
from phusong.verifier.programme.provinces import read_provinces

SORTED = [
    ["Cần Thơ", "Đà Nẵng", "Gia Lai", "Yên Bái"],  # đ follows d, not z
    ["Bạc Liêu", "Bắc Giang", "Bến Tre"],  # a before ă, whatever the tone
    ["ma", "mà", "mả", "mã", "má", "mạ", "mà ca"],  # a word is done before its neighbour
    ["da", "dạ", "đa", "đá", "em", "êm"],  # every letter in its place
    ["oa", "oe", "ô", "ơ", "u", "ư"],
    ["thôn 2", "thôn 9", "thôn A"],
    ["Hà Giang", "Hà Nam", "Hà Nội", "Hà Tĩnh", "Hải Dương", "Hải Phòng"],
    ["lê", "Lế", "Lê Lợi"],
]


@pytest.mark.parametrize("words", SORTED)
def test_words_stand_as_in_a_dictionary(words: list[str]) -> None:
    shuffled = random.Random(3667).sample(words, len(words))

    assert sorted(shuffled, key=collation_key) == words


def test_two_spellings_of_one_word_stand_together() -> None:
    decomposed = unicodedata.normalize("NFD", "Đà Nẵng")

    assert collation_key(decomposed)[:2] == collation_key("Đà Nẵng")[:2]


def test_provinces_begin_with_an_giang_and_end_with_yen_bai() -> None:
    names = sorted((p.name for p in read_provinces().values()), key=collation_key)

    assert (names[0], names[-1]) == ("An Giang", "Yên Bái")
    assert names.index("Đà Nẵng") < names.index("Gia Lai")
    assert names.index("Đắk Lắk") < names.index("Điện Biên") < names.index("Đồng Nai")
