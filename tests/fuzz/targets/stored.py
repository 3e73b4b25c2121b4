"""What is read back from disk or from others: frames, notes, heads, keys, caches. The first byte says as what."""

from google.protobuf.message import DecodeError

from phusong.kernels.checked import with_digest, without_digest
from phusong.kernels.frame import (
    FrameDamaged,
    PayloadKind,
    Route,
    Transport,
    decode_frame,
    encode_envelope_head,
    encode_route,
)
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
from phusong.v1.journal_pb2 import JournalFrame

JOURNAL = "0123456789abcdef" * 2


def read_frame(content: bytes) -> None:
    """A frame that is taken holds what the official library finds in it."""
    try:
        official = JournalFrame.FromString(content)
    except DecodeError:
        official = None
    try:
        frame = decode_frame(content)
    except FrameDamaged:
        return
    assert official is not None, "the official library refuses it"
    for i, envelope in enumerate(official.envelopes):
        payload = content[frame.offset[i] : frame.offset[i] + frame.length[i]]
        assert (int(frame.route[i]), payload) == (envelope.route, envelope.payload)
    assert len(frame.route) == len(official.envelopes)
    expected = {
        r.number: Route(r.operator, r.source, r.principal, r.transport, r.kind)
        for r in official.routes
    }
    assert frame.routes == expected


def read_note(content: bytes) -> None:
    """A note that is taken is written again as it was."""
    try:
        note = decode_note(content)
    except NoteDamaged:
        return
    assert encode_note(note) == content
    try:
        assert encode_head(decode_head(note.text)) == note.text
    except NoteDamaged:
        return


def read_head(content: bytes) -> None:
    """A head that is taken is written again as it was."""
    try:
        text = content.decode()
        assert encode_head(decode_head(text)) == text
    except (UnicodeDecodeError, NoteDamaged):
        return


def read_key(content: bytes) -> None:
    """A public key that is taken is written again as it was."""
    try:
        line = content.decode()
        assert encode_public_key(decode_public_key(line)).strip() == line.strip()
    except (UnicodeDecodeError, NoteDamaged):
        return


def read_notes(content: bytes) -> None:
    """Cutting a file of notes loses none of its bytes but the last, torn one."""
    for note in split_notes(content):
        assert note in content


def read_cache(content: bytes) -> None:
    """Nothing passes for whole but what was written."""
    assert without_digest(with_digest(content)) == content
    found = without_digest(content)
    assert found is None or with_digest(found) == content


READERS = (read_frame, read_note, read_head, read_key, read_notes, read_cache)


def seeds() -> list[bytes]:
    """Return one of each that is whole."""
    routes = [
        Route("viettel", "pgw-1", "viettel/pgw-1", Transport.MQTT, PayloadKind.BATCH),
        Route("", "some/topic", "", Transport.GRPC, PayloadKind.UNREADABLE),
    ]
    frame = b"".join(encode_route(i, route) for i, route in enumerate(routes, start=1))
    frame += encode_envelope_head(1, 3) + b"abc" + encode_envelope_head(2, 0)
    tree = tree_of(leaf_hash(bytes([i])) for i in range(3))
    head = Head(JOURNAL, 0, 1, tree, bytes(range(32)), "2021-10-01T05:00:00.000Z")
    texts = [encode_head(head), encode_head(head._replace(segment=2, file=bytes(32)))]
    notes = [encode_note(SignedNote(text, key_name(JOURNAL), b"hash", bytes(64))) for text in texts]
    key = encode_public_key(PublicKey(key_name(JOURNAL), bytes(32)))
    contents = (frame, notes[0], texts[1].encode(), key.encode(), b"\n".join(notes), b"abc")
    return [bytes([kind]) + content for kind, content in enumerate(contents)]


def one(data: bytes) -> None:
    """Read bytes as one of them."""
    if data:
        READERS[data[0] % len(READERS)](data[1:])
