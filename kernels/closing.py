"""What is signed when frames are taken away: how far they went, and the digests of what stands for them. Pure.

    phusong/<journal id>/closing
    1284                                      sequence of the last frame that is gone
    state <base64>                            SHA-256 of the verifier's state after it
    memory <base64>                           SHA-256 of the collector's memory after it
    software phusong 0.1.0                    what judged them
    time 2021-10-01T05:00:00.000Z

A file of it begins with the signed head of the journal at that frame, from whose tree and chain everything after it is proven on.
"""

import base64
import binascii
import re
from typing import NamedTuple

from phusong.kernels.note import (
    Head,
    NoteDamaged,
    SignedNote,
    decode_head,
    decode_note,
    key_name,
    split_notes,
)

_TEXT = re.compile(
    r"phusong/([0-9a-f]{32})/closing\n([1-9][0-9]{0,17})\nstate (\S+)\nmemory (\S+)\n"
    r"software ([^\n]*)\ntime ([^\n]*)\n"
)
DIGEST_BYTES = 32


class Closing(NamedTuple):
    """What stands for the frames up to one."""

    journal: str
    last_sequence: int
    state: bytes
    memory: bytes
    software: str
    time: str


class ClosingNotes(NamedTuple):
    """A file: two notes with what they say. Whether they are signed is for the reader to check."""

    notes: tuple[SignedNote, SignedNote]
    head: Head
    closing: Closing


def encode_closing(closing: Closing) -> str:
    """Return the text that is signed."""
    state, memory = (base64.b64encode(d).decode() for d in (closing.state, closing.memory))
    return (
        f"{key_name(closing.journal)}/closing\n{closing.last_sequence}\nstate {state}\n"
        f"memory {memory}\nsoftware {closing.software}\ntime {closing.time}\n"
    )


def decode_closing(text: str) -> Closing:
    """Return what a text says. Raises NoteDamaged."""
    found = _TEXT.fullmatch(text)
    if found is None:
        raise NoteDamaged("not a closing of a phusong journal")
    try:
        state, memory = (base64.b64decode(found[i], validate=True) for i in (3, 4))
    except (binascii.Error, ValueError) as error:
        raise NoteDamaged("not base64") from error
    closing = Closing(found[1], int(found[2]), state, memory, found[5], found[6])
    if len(state) != DIGEST_BYTES or len(memory) != DIGEST_BYTES or encode_closing(closing) != text:
        raise NoteDamaged("it is not written as we write")
    return closing


def encode_closing_file(head_note: bytes, closing_note: bytes) -> bytes:
    """Return the content of a file from its two signed notes."""
    return head_note + b"\n" + closing_note + b"\n"


def decode_closing_file(content: bytes) -> ClosingNotes:
    """Return what a file says. Raises NoteDamaged."""
    pieces = split_notes(content)
    if len(pieces) != 2:
        raise NoteDamaged("a closing has two notes")
    notes = decode_note(pieces[0]), decode_note(pieces[1])
    head, closing = decode_head(notes[0].text), decode_closing(notes[1].text)
    is_one = (head.journal, head.segment, head.first, head.last) == (
        *(closing.journal, 0, 1),
        closing.last_sequence,
    )
    if not is_one:
        raise NoteDamaged("its head is of other frames")
    return ClosingNotes(notes, head, closing)
