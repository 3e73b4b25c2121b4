"""Signed notes: what is signed about the journal, as text and back. Pure; keys and files are elsewhere.

The format is that of checkpoints of transparency logs (C2SP signed-note and tlog-checkpoint), so that their tools read ours:

    phusong/<journal id>                      the origin; "/segment-<number>" behind it for one segment
    1284                                      frames in the tree
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jx  Merkle root, base64
    first 1                                   sequence of the first frame in the tree
    chain <base64>                            chain of the last one
    time 2021-10-01T05:00:00.000Z             when it was signed
    peaks <base64> <base64>                   the roots of the perfect subtrees, from which the tree can grow on
    file <base64>                             of one segment: SHA-256 of its sealed file

    — phusong/<journal id> <base64 of 4 bytes of key hash and the signature>
"""

import base64
import binascii
import hashlib
import re
from typing import NamedTuple

from phusong.kernels.merkle import HASH_BYTES, Tree

ALGORITHM_ED25519 = b"\1"
KEY_HASH_BYTES = 4
PUBLIC_KEY_BYTES = 32
SIGNATURE_BYTES = 64
SIGNATURE_START = "— "
# Three lines of a checkpoint, four of ours, 62 peaks at most: a longer text is not one of our notes.
NOTE_MAX_BYTES = 8192

_NUMBER = re.compile(r"0|[1-9][0-9]{0,17}")
_ORIGIN = re.compile(r"phusong/([0-9a-f]{32})(?:/segment-([0-9]{8}))?")
_FIELDS = ("first", "chain", "time", "peaks")
_SEGMENT_FIELDS = (*_FIELDS, "file")


class NoteDamaged(ValueError):
    """A text is no note of ours."""


class Head(NamedTuple):
    """What is signed: a tree over the frames from `first` on, of the journal (segment 0) or of one segment."""

    journal: str
    segment: int
    first: int
    tree: Tree
    chain: bytes
    time: str
    file: bytes = b""

    @property
    def last(self) -> int:
        """The sequence of the last frame in the tree."""
        return self.first + self.tree.size - 1


class SignedNote(NamedTuple):
    """A text, who is said to have signed it, and the signature."""

    text: str
    key_name: str
    key_hash: bytes
    signature: bytes


class PublicKey(NamedTuple):
    """A key as it is handed to others."""

    name: str
    key: bytes

    @property
    def hash(self) -> bytes:
        """Four bytes that say which key it was; not a proof of anything."""
        content = self.name.encode() + b"\n" + ALGORITHM_ED25519 + self.key
        return hashlib.sha256(content).digest()[:KEY_HASH_BYTES]


def key_name(journal: str) -> str:
    """Return the name under which a journal signs."""
    return f"phusong/{journal}"


def encode_head(head: Head) -> str:
    """Return the text that is signed, with its last newline."""
    origin = key_name(head.journal) + (f"/segment-{head.segment:08d}" if head.segment else "")
    peaks = " ".join(_text(peak) for peak in head.tree.peaks)
    file = f"file {_text(head.file)}\n" if head.segment else ""
    return (
        f"{origin}\n{head.tree.size}\n{_text(head.tree.root)}\n"
        f"first {head.first}\nchain {_text(head.chain)}\ntime {head.time}\npeaks {peaks}\n{file}"
    )


def decode_head(text: str) -> Head:
    """Return what a text says; the root it names is that of its peaks. Raises NoteDamaged."""
    origin_line, size_line, root_line, *rest = [*text.splitlines(), "", "", ""]
    origin = _ORIGIN.fullmatch(origin_line)
    if origin is None:
        raise NoteDamaged("not a note of a phusong journal")
    names = _SEGMENT_FIELDS if origin[2] else _FIELDS
    fields = dict(line.partition(" ")[::2] for line in rest[: len(names)])
    if tuple(fields) != names:
        raise NoteDamaged(f"expected the lines {', '.join(names)}")
    if not _NUMBER.fullmatch(size_line) or not _NUMBER.fullmatch(fields["first"]):
        raise NoteDamaged("a number is not written as one")
    tree = Tree(int(size_line), tuple(_hash(word) for word in fields["peaks"].split()))
    if not tree.is_whole or tree.root != _hash(root_line):
        raise NoteDamaged("its root is not that of its peaks")
    head = Head(
        journal=origin[1],
        segment=int(origin[2] or 0),
        first=int(fields["first"]),
        tree=tree,
        chain=_hash(fields["chain"]),
        time=fields["time"],
        file=_hash(fields["file"]) if origin[2] else b"",
    )
    if encode_head(head) != text:
        raise NoteDamaged("it is not written as we write")
    return head


def encode_note(note: SignedNote) -> bytes:
    """Return a note as a file holds it."""
    signature = base64.b64encode(note.key_hash + note.signature).decode()
    return f"{note.text}\n{SIGNATURE_START}{note.key_name} {signature}\n".encode()


def decode_note(content: bytes) -> SignedNote:
    """Return the parts of a note. Raises NoteDamaged."""
    if len(content) > NOTE_MAX_BYTES:
        raise NoteDamaged(f"longer than {NOTE_MAX_BYTES} bytes")
    try:
        whole = content.decode()
    except UnicodeDecodeError as error:
        raise NoteDamaged("not UTF-8") from error
    text, gap, last = whole.partition("\n\n")
    name, space, encoded = last.removesuffix("\n").removeprefix(SIGNATURE_START).rpartition(" ")
    if not gap or not space:
        raise NoteDamaged("a note ends with an empty line and a signature")
    signed = _bytes(encoded)
    if len(signed) != KEY_HASH_BYTES + SIGNATURE_BYTES:
        raise NoteDamaged("the signature is not one of Ed25519")
    note = SignedNote(text + "\n", name, signed[:KEY_HASH_BYTES], signed[KEY_HASH_BYTES:])
    if encode_note(note) != content:
        raise NoteDamaged("it is not written as we write")
    return note


def split_notes(content: bytes) -> list[bytes]:
    """Return the notes of a file that has many, each followed by an empty line; a torn last one is left out.

    Torn is also one of which a power cut left the end and not the start: there the file is zeros, which no note holds.
    """
    pieces = content.split(b"\n\n")
    notes = [b"%s\n\n%s\n" % (pieces[i], pieces[i + 1]) for i in range(0, len(pieces) - 2, 2)]
    if notes and b"\0" in notes[-1]:
        notes.pop()
    return notes


def encode_public_key(public: PublicKey) -> str:
    """Return a key in one line: name, key hash, and the key behind its algorithm."""
    key = base64.b64encode(ALGORITHM_ED25519 + public.key).decode()
    return f"{public.name}+{public.hash.hex()}+{key}\n"


def decode_public_key(line: str) -> PublicKey:
    """Return a key from its line. Raises NoteDamaged."""
    name, _, rest = line.strip().partition("+")
    key_hash, _, encoded = rest.partition("+")
    content = _bytes(encoded)
    public = PublicKey(name, content[1:])
    if len(content) != 1 + PUBLIC_KEY_BYTES or content[:1] != ALGORITHM_ED25519:
        raise NoteDamaged("no Ed25519 key; expected name+hash+key in one line")
    if public.hash.hex() != key_hash:
        raise NoteDamaged("the hash of the key is not that of the key")
    return public


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise NoteDamaged("not base64") from error


def _hash(text: str) -> bytes:
    content = _bytes(text)
    if len(content) != HASH_BYTES:
        raise NoteDamaged(f"a hash has {HASH_BYTES} bytes")
    return content
