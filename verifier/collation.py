"""Vietnamese order of words: by letters (a ă â b c d đ e ê …), then by tones, then by case. Đà Nẵng comes before Gia Lai."""

import unicodedata
from typing import TypeAlias

ALPHABET = "aăâbcdđeêfghijklmnoôơpqrstuưvwxyz"
# Ngang, huyền, hỏi, ngã, sắc, nặng: the order of Vietnamese dictionaries (TCVN 6712).
TONES = ("", "\u0300", "\u0309", "\u0303", "\u0301", "\u0323")
OTHER_COUNT = 0x110000  # of characters there are

Key: TypeAlias = tuple[tuple[tuple[int, ...], ...], tuple[tuple[int, ...], ...], str]


def collation_key(text: str) -> Key:
    """Return what a text is sorted by: word by word, as dictionaries do."""
    words = unicodedata.normalize("NFC", text).casefold().split()
    letters, tones = [], []
    for word in words:
        parts = [_letter_and_tone(letter) for letter in word]
        letters.append(tuple(letter for letter, _ in parts))
        tones.append(tuple(tone for _, tone in parts))
    return tuple(letters), tuple(tones), text


def _letter_and_tone(letter: str) -> tuple[int, int]:
    tone, shape = 0, ""
    for mark in unicodedata.normalize("NFD", letter):
        if mark in TONES[1:]:
            tone = TONES.index(mark)
        else:
            shape += mark
    bare = unicodedata.normalize("NFC", shape)
    place = ALPHABET.find(bare)
    # What is no letter of ours (digits, signs) comes first, in an order of its own.
    return (place if place >= 0 else ord(bare[0]) - OTHER_COUNT), tone
