"""Signed notes as text."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phusong.kernels.merkle import leaf_hash, tree_of
from phusong.kernels.note import (
    Head,
    NoteDamaged,
    PublicKey,
    SignedNote,
    decode_head,
    decode_note,
    decode_public_key,
    encode_head,
    encode_note,
    encode_public_key,
    key_name,
    split_notes,
)

JOURNAL = "0123456789abcdef" * 2


def head_of(size=3, segment=0, first=1):
    tree = tree_of(leaf_hash(b"%d" % i) for i in range(size))
    return Head(
        JOURNAL,
        segment,
        first,
        tree,
        bytes(range(32)),
        "2021-10-01T05:00:00.000Z",
        b"f" * 32 if segment else b"",
    )


def note_text(head=None):
    text = encode_head(head or head_of())
    return encode_note(SignedNote(text, key_name(JOURNAL), b"hash", bytes(64)))


@given(st.integers(0, 70), st.integers(0, 99), st.integers(1, 10**12))
def test_what_is_written_is_read(size, segment, first):
    head = head_of(size, segment, first)
    note = decode_note(note_text(head))

    assert decode_head(note.text) == head
    assert (note.key_name, note.key_hash, note.signature) == (key_name(JOURNAL), b"hash", bytes(64))
    assert head.last == first + size - 1


def test_a_head_begins_as_checkpoints_of_transparency_logs_do():
    head = head_of()
    lines = note_text(head).decode().splitlines()

    assert lines[:2] == [f"phusong/{JOURNAL}", "3"]
    assert lines[7] == ""
    assert lines[8].startswith(f"— phusong/{JOURNAL} ")
    assert len(lines) == 9


@pytest.mark.parametrize("position", range(0, len(note_text()), 7))
def test_a_changed_character_is_no_note_or_another_text(position):
    content = note_text()
    other = b"A" if content[position : position + 1] != b"A" else b"B"
    changed = content[:position] + other + content[position + 1 :]

    try:
        note = decode_note(changed)
        head = decode_head(note.text)
    except NoteDamaged:
        return
    assert (note, head) != (decode_note(content), head_of())


@pytest.mark.parametrize(
    "content", ["", "\n\n", "a\n\nb", "a\n\n— b !!\n", "x" * 10_000, "ø\n\n— b ø\n"]
)
def test_other_texts_are_refused(content):
    with pytest.raises(NoteDamaged):
        decode_note(content.encode())


def test_bytes_that_are_no_text_are_refused():
    with pytest.raises(NoteDamaged, match="UTF-8"):
        decode_note(b"\xff\n\n")


@pytest.mark.parametrize("cut", range(1, 200, 13))
def test_notes_one_after_another_are_told_apart_and_a_torn_last_one_is_left_out(cut):
    notes = [note_text(head_of(size)) for size in (1, 2, 3)]
    content = b"".join(note + b"\n" for note in notes)

    assert split_notes(content) == notes
    assert split_notes(content[:-cut]) == notes[:2]
    assert split_notes(b"") == []


@given(st.integers(1, 80))
def test_a_last_note_of_which_the_disk_kept_only_the_end_is_left_out(lost_bytes):
    notes = [
        encode_note(SignedNote(f"text {i}" * 20 + "\n", "k", b"abcd", bytes(64))) for i in range(3)
    ]
    torn = bytes(lost_bytes) + notes[2][lost_bytes:]

    assert split_notes(b"".join(note + b"\n" for note in [*notes[:2], torn])) == notes[:2]


def test_a_root_that_is_not_that_of_the_peaks_is_refused():
    other = encode_head(head_of(4)).splitlines()[2]
    lines = encode_head(head_of(3)).splitlines()
    lines[2] = other

    with pytest.raises(NoteDamaged, match="root"):
        decode_head("\n".join(lines) + "\n")


def test_a_key_travels_in_one_line_with_the_hash_of_the_signed_note_format():
    public = PublicKey(key_name(JOURNAL), bytes(range(32)))
    line = encode_public_key(public)

    expected = hashlib.sha256(f"phusong/{JOURNAL}\n\x01".encode() + bytes(range(32))).digest()[:4]
    assert public.hash == expected
    assert decode_public_key(line) == public
    assert line.count("+") >= 2


@pytest.mark.parametrize("line", ["", "a+b", "name+00000000+AQ==", "PRIVATE"])
def test_other_keys_are_refused(line):
    with pytest.raises(NoteDamaged):
        decode_public_key(line)
