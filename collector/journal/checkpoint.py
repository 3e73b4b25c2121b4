"""What is signed about the journal: the key, and the heads in `DATA/checkpoints`.

A head is only as good as its copies elsewhere: whoever owns this machine owns the key as well.
"""

import os
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from phusong.collector.journal.segment import FILE_MODE, JournalDamaged, make_folder, sync_folder
from phusong.kernels.note import (
    Head,
    NoteDamaged,
    PublicKey,
    SignedNote,
    decode_head,
    decode_note,
    encode_head,
    encode_note,
    encode_public_key,
    key_name,
    split_notes,
)

KEY_FOLDER = "keys"
CHECKPOINT_FOLDER = "checkpoints"


class Signer:
    """Signs in the name of one journal."""

    def __init__(self, private: Ed25519PrivateKey, journal: str) -> None:
        """Keep the key; it never leaves this object."""
        self._private = private
        key = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.public = PublicKey(key_name(journal), key)

    @classmethod
    def of(cls, data: Path, journal: str) -> Self:
        """Return the signer of the data folder, with a key made where there was never one.

        Raises JournalDamaged where the key is gone, is no key, or is not the one published beside it; OSError.
        """
        folder = data / KEY_FOLDER
        secret, published = folder / "journal.key", folder / "journal.pub"
        if not secret.exists():
            if published.exists():
                raise JournalDamaged(
                    f"{secret} is gone, but {published} is there: bring the key back, or move the"
                    " public key away to begin with a new one"
                )
            write_file(secret, _new_key())
        try:
            private = load_pem_private_key(secret.read_bytes(), password=None)
        except (ValueError, TypeError) as error:
            # Not the reason: it may quote what was read.
            raise JournalDamaged(f"{secret} holds no key in PEM form") from error
        if not isinstance(private, Ed25519PrivateKey):
            raise JournalDamaged(f"{secret} holds no Ed25519 key")
        signer = cls(private, journal)
        line = encode_public_key(signer.public).encode()
        if not published.exists():
            write_file(published, line)
        if published.read_bytes() != line:
            raise JournalDamaged(f"{published} is not the public key of this journal's {secret}")
        return signer

    def sign(self, head: Head) -> bytes:
        """Return the signed note of a head."""
        return self.sign_text(encode_head(head))

    def sign_text(self, text: str) -> bytes:
        """Return a signed note of any text of ours."""
        signature = self._private.sign(text.encode())
        return encode_note(SignedNote(text, self.public.name, self.public.hash, signature))

    def is_ours(self, note: SignedNote) -> bool:
        """Tell whether this key signed a note."""
        return is_signed_by(note, self.public)


def is_signed_by(note: SignedNote, public: PublicKey) -> bool:
    """Tell whether the owner of a public key signed a note."""
    try:
        Ed25519PublicKey.from_public_bytes(public.key).verify(note.signature, note.text.encode())
    except (InvalidSignature, ValueError):
        return False
    return (note.key_name, note.key_hash) == (public.name, public.hash)


class HeadFile:
    """The signed heads of the live journal: one file a day (UTC), notes one after another, only ever appended to."""

    def __init__(self, data: Path) -> None:
        """Keep the folder; it is made with the first head."""
        self.folder = data / CHECKPOINT_FOLDER

    def append(self, note: bytes, day: str) -> None:
        """Add a note to the file of a day; it is on disk then. Raises OSError."""
        make_folder(self.folder)
        path = self.folder / f"heads-{day}.notes"
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR, FILE_MODE)
        with os.fdopen(descriptor, "r+b") as file:
            # A note torn by a crash was never told to anyone.
            file.seek(sum(len(whole) + 1 for whole in split_notes(file.read())))
            file.truncate()
            file.write(note + b"\n")
            file.flush()
            os.fsync(file.fileno())
        sync_folder(self.folder)

    def last(self, signer: Signer) -> Head | None:
        """Return the last head this signer signed, None where there is none."""
        for path in sorted(self.folder.glob("heads-*.notes"), reverse=True):
            for content in reversed(split_notes(path.read_bytes())):
                try:
                    note = decode_note(content)
                    head = decode_head(note.text)
                except NoteDamaged:
                    continue  # found and named by the audit; here the one before will do
                if signer.is_ours(note):
                    return head
        return None


def write_file(path: Path, content: bytes) -> None:
    """Write a small file, whole or not at all. Raises OSError."""
    make_folder(path.parent)
    draft = path.with_name(f"draft-{path.name}")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, FILE_MODE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
    sync_folder(path.parent)


def _new_key() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
