"""Writing an evidence pack: a folder that somebody else can check without us.

manifest.json      what is claimed, the SHA-256 of every other file, and a proof for every frame
coverage.json      the verdicts, as `phusong coverage --format json` gives them
frames.zip         the frames of the journal that bear on them, whole, by their sequence
readings.parquet   the readings inside the sites, refused ones too
journal.pub        the public key; get your own copy by another road
README.txt         how to check it
"""

import hashlib
import json
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from phusong.kernels.note import Head, PublicKey, encode_public_key
from phusong.verifier.evidence.manifest import (
    FORMAT,
    NAME,
    Manifest,
    ProvenFrame,
    check_code,
    manifest_bytes,
)
from phusong.verifier.evidence.proofs import ProofTree
from phusong.verifier.evidence.selection import Selected
from phusong.verifier.evidence.table import readings_columns, write_readings

FRAMES = "frames.zip"
VERDICTS = "coverage.json"
READINGS = "readings.parquet"
README = "README.txt"
# Zip files carry a time; that of no moment, so that the same evidence is always the same bytes.
ZIP_TIME = (1980, 1, 1, 0, 0, 0)

HOW_TO_CHECK = """\
Gói bằng chứng Phusong · Phusong evidence pack

Kiểm tra · To check it:   phusong audit verify THIS_FOLDER --public-key journal.pub

Khóa công khai phải lấy từ nơi khác, không phải từ thư mục này.
Get the public key by another road than this folder.

Mã kiểm tra in ra phải bằng mã bạn được đọc cho nghe.
The check code that is printed must be the one that was read to you.

frames.zip holds whole frames of the journal, other telemetry of the same moment among it: hand it to nobody who may
not see that. A pack proves what is in it; that nothing was left out is proven only by the whole journal.
"""


class Written(NamedTuple):
    """What a pack holds."""

    check_code: str
    frame_count: int
    reading_count: int


class Signed(NamedTuple):
    """What the proofs lead to: the newest head, its note, whose key signed it, and the chains of its frames in order."""

    head: Head
    note: bytes
    public: PublicKey
    chains: Iterable[bytes]


class NotSignedYet(Exception):
    """A frame came after the last signed head."""


def write_pack(
    folder: Path, document: dict[str, Any], selected: Iterable[Selected], signed: Signed
) -> Written:
    """Write the pack behind the verdicts of a document into a folder that must not exist yet.

    Raises NotSignedYet, OSError.
    """
    head = signed.head
    frames = list(selected)
    late = [one.frame.sequence for one in frames if one.frame.sequence > head.last]
    if late:
        raise NotSignedYet(
            f"sequence {late[0]} bears on the verdicts and came after the last signed head ({head.last})"
        )
    folder.mkdir(parents=True)
    tree = ProofTree(signed.chains)
    assert tree.size == head.tree.size, "the head is of this journal"
    parts = []
    with zipfile.ZipFile(folder / FRAMES, "w", zipfile.ZIP_DEFLATED) as archive:
        for one in frames:
            entry = zipfile.ZipInfo(frame_name(one.frame.sequence), ZIP_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, one.frame.body)
            if one.used is not None:
                parts.append(readings_columns(one.frame.sequence, one.envelope_of, one.used))
    (folder / VERDICTS).write_text(
        json.dumps(document, ensure_ascii=False, indent=1) + "\n", "utf-8"
    )
    reading_count = write_readings(folder / READINGS, parts)
    (folder / "journal.pub").write_text(encode_public_key(signed.public), "utf-8")
    (folder / README).write_text(HOW_TO_CHECK, "utf-8")
    content = manifest_bytes(_manifest(folder, document, frames, tree, signed))
    (folder / NAME).write_bytes(content)
    return Written(check_code(content), len(frames), reading_count)


def _manifest(
    folder: Path,
    document: dict[str, Any],
    frames: list[Selected],
    tree: ProofTree,
    signed: Signed,
) -> Manifest:
    return Manifest(
        format=FORMAT,
        software=document["software"],
        journal=signed.head.journal,
        as_of=document["as_of"],
        known_at=document["known_at"],
        policy=document["policy"],
        sites=sorted({row["site_code"] for row in document["sites"]}),
        head=signed.note.decode(),
        frames=[
            ProvenFrame(
                sequence=one.frame.sequence,
                received_time_ms=one.frame.received_time_ms,
                previous_chain=one.previous_chain.hex(),
                proof=[step.hex() for step in tree.proof(one.frame.sequence)],
                envelopes=one.envelopes,
            )
            for one in frames
        ],
        files={
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.iterdir())
        },
    )


def frame_name(sequence: int) -> str:
    """Return the name of a frame in the archive."""
    return f"{sequence:012d}.frame"
