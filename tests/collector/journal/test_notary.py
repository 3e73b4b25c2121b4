"""Who signs, and what is signed."""

import stat

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from phusong.collector.journal.checkpoint import HeadFile, Signer
from phusong.collector.journal.notary import Notary
from phusong.collector.journal.reader import read_frames
from phusong.collector.journal.segment import JournalDamaged
from phusong.collector.journal.writer import JournalWriter, NewFrame
from phusong.kernels.merkle import leaf_hash, tree_of
from phusong.kernels.note import decode_head, decode_note, decode_public_key, split_notes

TIME_MS = 1_633_064_400_000
DAY_MS = 86_400_000


def heads(data):
    return [
        decode_head(decode_note(content).text)
        for path in sorted((data / "checkpoints").glob("*"))
        for content in split_notes(path.read_bytes())
    ]


def notary(data, writer, time_ms=TIME_MS):
    return Notary(data, writer.folder, writer.journal, lambda: time_ms)


def append(writer, count=1):
    for _ in range(count):
        number = writer.sequence + 1
        writer.append([NewFrame(number, b"%d" % number)])


@pytest.fixture
def writer(tmp_path):
    with JournalWriter(tmp_path / "journal", segment_max_bytes=60_000) as writer:
        yield writer


def test_a_key_is_made_once_and_only_its_owner_may_read_it(tmp_path, writer):
    signer = Signer.of(tmp_path, writer.journal)
    secret = tmp_path / "keys" / "journal.key"

    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert stat.S_IMODE(secret.parent.stat().st_mode) == 0o700
    assert Signer.of(tmp_path, writer.journal).public == signer.public
    assert decode_public_key((tmp_path / "keys" / "journal.pub").read_text()) == signer.public


def test_a_lost_or_foreign_key_is_not_replaced_silently(tmp_path, writer):
    Signer.of(tmp_path, writer.journal)
    secret = tmp_path / "keys" / "journal.key"
    content = secret.read_bytes()

    secret.write_bytes(b"-----BEGIN SECRET-----")
    with pytest.raises(JournalDamaged, match="no key") as caught:
        Signer.of(tmp_path, writer.journal)
    assert "SECRET" not in str(caught.value)
    secret.unlink()
    with pytest.raises(JournalDamaged, match="bring the key back"):
        Signer.of(tmp_path, writer.journal)
    secret.write_bytes(content)
    with pytest.raises(JournalDamaged, match="not the public key"):
        Signer.of(tmp_path, "f" * 32)


def test_a_head_covers_every_frame_on_disk_and_is_signed(tmp_path, writer):
    append(writer, 5)

    assert notary(tmp_path, writer).sign_head()

    (path,) = (tmp_path / "checkpoints").iterdir()
    note = decode_note(path.read_bytes().removesuffix(b"\n"))
    head = decode_head(note.text)
    chains = [frame.chain for frame in read_frames(writer.folder)]
    assert (head.journal, head.segment, head.first, head.last) == (writer.journal, 0, 1, 5)
    assert head.tree == tree_of(map(leaf_hash, chains))
    assert (head.chain, head.time) == (writer.chain, "2021-10-01T05:00:00.000Z")
    public = decode_public_key((tmp_path / "keys" / "journal.pub").read_text())
    Ed25519PublicKey.from_public_bytes(public.key).verify(note.signature, note.text.encode())
    assert note.key_hash == public.hash
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_nothing_new_is_not_signed_again(tmp_path, writer):
    first = notary(tmp_path, writer)
    assert not first.sign_head()
    append(writer)
    assert first.sign_head()
    assert not first.sign_head()
    assert not notary(tmp_path, writer).sign_head()


@pytest.mark.parametrize("is_kept", [True, False], ids=["with-heads", "without-heads"])
def test_a_new_notary_goes_on_with_the_same_tree_over_sealed_segments(tmp_path, writer, is_kept):
    for _ in range(4):
        writer.append([NewFrame(writer.sequence, bytes(50_000))])
    one = notary(tmp_path, writer)
    one.sign_head()
    while one.seal_next():
        pass
    assert list(writer.folder.glob("*.zst"))
    if not is_kept:
        for path in (tmp_path / "checkpoints").iterdir():
            path.unlink()
    append(writer, 3)

    notary(tmp_path, writer, TIME_MS + DAY_MS).sign_head()

    chains = [frame.chain for frame in read_frames(writer.folder)]
    assert heads(tmp_path)[-1].tree == tree_of(map(leaf_hash, chains))
    assert len(heads(tmp_path)) == 1 + is_kept
    assert (tmp_path / "checkpoints" / "heads-2021-10-02.notes").exists()


def test_a_head_torn_by_a_crash_is_cut_and_the_next_one_is_whole(tmp_path, writer):
    append(writer, 2)
    one = notary(tmp_path, writer)
    one.sign_head()
    path = tmp_path / "checkpoints" / "heads-2021-10-01.notes"
    whole = path.read_bytes()
    for end in range(len(whole), len(whole) - 120, -7):
        path.write_bytes(whole + whole[: end - 1])

        assert HeadFile(tmp_path).last(Signer.of(tmp_path, writer.journal)) is not None
        append(writer)
        assert notary(tmp_path, writer).sign_head()
        assert heads(tmp_path)[-1].last == writer.sequence
        assert len(heads(tmp_path)) == 2


def test_a_journal_rolled_back_behind_its_last_head_is_not_signed_on(tmp_path):
    folder = tmp_path / "journal"
    with JournalWriter(folder) as writer:
        append(writer, 2)
    copy = (folder / "segment-00000001.sqlite").read_bytes()
    with JournalWriter(folder) as writer:
        append(writer, 2)
        notary(tmp_path, writer).sign_head()
    (folder / "segment-00000001.sqlite").write_bytes(copy)

    with JournalWriter(folder) as writer:
        with pytest.raises(JournalDamaged, match="signed at sequence 4"):
            notary(tmp_path, writer)
        writer.append([NewFrame(9, b"other frames")] * 3)
        with pytest.raises(JournalDamaged, match="signed at sequence 4"):
            notary(tmp_path, writer)


def test_a_head_that_cannot_be_written_is_signed_later(tmp_path, writer):
    append(writer)
    one = notary(tmp_path, writer)
    (tmp_path / "checkpoints").write_bytes(b"in the way")
    with pytest.raises(OSError):
        one.sign_head()
    (tmp_path / "checkpoints").unlink()

    assert one.sign_head()
    assert heads(tmp_path)[-1].last == 1
