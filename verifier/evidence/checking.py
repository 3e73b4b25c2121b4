"""Checking an evidence pack with nothing but a public key: files, frames, proofs, and the state they imply.

A pack comes from anybody: whatever is wrong with it is a PackDamaged that names what, never another exception.
"""

import hashlib
import json
import zipfile
import zlib
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from phusong.kernels.frame import (
    Frame,
    FrameDamaged,
    PayloadKind,
    Route,
    Transport,
    chain_hash,
    decode_frame,
    encode_envelope_head,
    encode_route,
)
from phusong.kernels.merkle import is_included, leaf_hash
from phusong.kernels.note import Head, NoteDamaged, PublicKey
from phusong.verifier.evidence.manifest import (
    MANIFEST_MAX_BYTES,
    NAME,
    Manifest,
    ProvenFrame,
    check_code,
)
from phusong.verifier.evidence.writing import FRAMES, READINGS, README, VERDICTS, frame_name
from phusong.verifier.journal import Position, StoredFrame
from phusong.verifier.placing import Horizon
from phusong.verifier.quota.settings import QuotaSettings
from phusong.verifier.registry.entries import ENTERED_KINDS, RegistryHistory
from phusong.verifier.signatures import read_head
from phusong.verifier.state import State, new_state

# A frame is 2 MiB at most, and a register of sites or of a million SIMs goes into one payload.
FRAME_MAX_BYTES = 256 << 20
HOLE = Route("", "", "", Transport.SERVICE, PayloadKind.ACKNOWLEDGEMENT)
FILES = {FRAMES, VERDICTS, READINGS, README, "journal.pub"}
COPY_BYTES = 1 << 20
# A report has six levels. JSON is read deeper than documents can be compared.
DEPTH_MAX = 32

Progress = Callable[[int, int], None]


class PackDamaged(Exception):
    """A pack is not what its maker wrote, or not what the journal holds. Names the file or the frame."""


class Checked(NamedTuple):
    """A pack whose every frame is in the signed journal, and the state its frames imply."""

    manifest: Manifest
    check_code: str
    head: Head
    published: dict[str, Any]
    state: State


def is_pack(folder: Path) -> bool:
    """Tell whether a folder holds an evidence pack."""
    return (folder / NAME).is_file()


def check_pack(folder: Path, public: PublicKey, progress: Progress) -> Checked:
    """Check a pack whole. Raises PackDamaged, OSError."""
    manifest, code = _read_manifest(folder)
    _check_files(folder, manifest)
    head = _check_head(manifest, public)
    published = _read_verdicts(folder, manifest)
    frames = list(_proven_frames(folder, manifest, head, progress))
    try:
        state = _state_of(frames, _horizon(manifest))
    except FrameDamaged as damage:
        raise PackDamaged(f"{FRAMES}: {damage}") from damage
    return Checked(manifest, code, head, published, state)


def _read_manifest(folder: Path) -> tuple[Manifest, str]:
    path = folder / NAME
    if path.stat().st_size > MANIFEST_MAX_BYTES:
        raise PackDamaged(f"{NAME}: more than {MANIFEST_MAX_BYTES} bytes")
    content = path.read_bytes()
    try:
        return Manifest.model_validate_json(content), check_code(content)
    except ValidationError as errors:
        first = errors.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise PackDamaged(f"{NAME}: {place}: {first['msg']}") from errors


def _check_files(folder: Path, manifest: Manifest) -> None:
    found = {path.name for path in folder.iterdir()} - {NAME}
    for name in sorted(FILES | found | set(manifest.files)):
        if name not in FILES:
            raise PackDamaged(f"{name}: no file of a pack; expected {', '.join(sorted(FILES))}")
        if name not in manifest.files:
            raise PackDamaged(f"{NAME}: does not name {name}")
        if name not in found:
            raise PackDamaged(f"{name}: missing")
        digest = hashlib.sha256()
        with (folder / name).open("rb") as file:
            while piece := file.read(COPY_BYTES):
                digest.update(piece)
        if digest.hexdigest() != manifest.files[name]:
            raise PackDamaged(f"{name}: changed; its SHA-256 is not the one in {NAME}")


def _check_head(manifest: Manifest, public: PublicKey) -> Head:
    try:
        head = read_head(manifest.head.encode(errors="surrogatepass"), public)
    except NoteDamaged as damage:
        raise PackDamaged(f"{NAME}: head: {damage}") from damage
    if head.segment or head.first != 1 or head.journal != manifest.journal:
        raise PackDamaged(f"{NAME}: head: not one of the whole journal {manifest.journal}")
    return head


def _read_verdicts(folder: Path, manifest: Manifest) -> dict[str, Any]:
    try:
        published = json.loads((folder / VERDICTS).read_text(encoding="utf-8"))
        agrees = (
            published["as_of"] == manifest.as_of
            and published["known_at"] == manifest.known_at
            and published["policy"] == manifest.policy
            and sorted({row["site_code"] for row in published["sites"]}) == manifest.sites
        )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise PackDamaged(f"{VERDICTS}: not a report of `phusong coverage`") from error
    if not _is_within(published, DEPTH_MAX):
        raise PackDamaged(f"{VERDICTS}: deeper than {DEPTH_MAX} levels, as no report is")
    if not agrees:
        raise PackDamaged(f"{VERDICTS}: as_of, known_at, policy or sites are not those of {NAME}")
    return dict(published)


def _is_within(value: object, depth: int) -> bool:
    """Tell whether a document has at most so many levels."""
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list):
        return True
    return depth > 0 and all(_is_within(inner, depth - 1) for inner in value)


def _horizon(manifest: Manifest) -> Horizon:
    try:
        as_of, known_at = (
            round(datetime.fromisoformat(text).timestamp() * 1000)
            for text in (manifest.as_of, manifest.known_at)
        )
    except (ValueError, OverflowError) as error:
        raise PackDamaged(f"{NAME}: as_of or known_at is no time") from error
    return Horizon(as_of, known_at)


def _proven_frames(
    folder: Path, manifest: Manifest, head: Head, progress: Progress
) -> Iterator[tuple[StoredFrame, list[int]]]:
    """Yield the frames, each proven to be in the signed journal, with the envelopes that count."""
    try:
        with zipfile.ZipFile(folder / FRAMES) as archive:
            names = [frame_name(frame.sequence) for frame in manifest.frames]
            if archive.namelist() != names:
                raise PackDamaged(f"{FRAMES}: its frames are not those {NAME} names, in order")
            before = 0
            for done, frame in enumerate(manifest.frames, 1):
                if frame.sequence <= before:
                    raise PackDamaged(f"sequence {frame.sequence}: stands after {before}")
                before = frame.sequence
                yield _proven(frame, _read_frame(archive, frame), head), frame.envelopes
                progress(done, len(names))
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
        raise PackDamaged(f"{FRAMES}: {error}") from error


def _read_frame(archive: zipfile.ZipFile, frame: ProvenFrame) -> bytes:
    with archive.open(frame_name(frame.sequence)) as file:
        body = file.read(FRAME_MAX_BYTES + 1)
    if len(body) > FRAME_MAX_BYTES:
        raise PackDamaged(f"sequence {frame.sequence}: more than {FRAME_MAX_BYTES} bytes")
    return body


def _proven(frame: ProvenFrame, body: bytes, head: Head) -> StoredFrame:
    previous = bytes.fromhex(frame.previous_chain)
    chain = chain_hash(previous, frame.sequence, frame.received_time_ms, body)
    proof = [bytes.fromhex(step) for step in frame.proof]
    index = frame.sequence - 1
    if not is_included(leaf_hash(chain), index, head.tree.size, proof, head.tree.root):
        raise PackDamaged(
            f"sequence {frame.sequence}: not in the journal that was signed ({head.time}): its body, time or proof"
            " was changed"
        )
    return StoredFrame(frame.sequence, frame.received_time_ms, body, chain)


def _state_of(frames: list[tuple[StoredFrame, list[int]]], horizon: Horizon) -> State:
    """Return the state that the chosen envelopes imply, as the service would have judged them."""
    excerpts = [_excerpt(frame, envelopes) for frame, envelopes in frames]
    history = RegistryHistory()
    for excerpt in excerpts:
        for envelope, kind, payload in _entered(excerpt):
            history.note(excerpt, envelope, payload, kind)
    state = new_state(history, horizon, QuotaSettings())
    for excerpt in excerpts:
        state.position = Position(excerpt.sequence - 1, b"")
        state.apply(excerpt)
    return state


def _excerpt(frame: StoredFrame, envelopes: list[int]) -> StoredFrame:
    """Return a frame with the chosen envelopes alone. Raises PackDamaged, FrameDamaged."""
    opened = decode_frame(frame.body)
    count = len(opened.route)
    if sorted(set(envelopes)) != envelopes or not all(0 <= i < count for i in envelopes):
        raise PackDamaged(f"sequence {frame.sequence}: its envelopes are 0 to {count - 1}, rising")
    pieces = [encode_route(number, route) for number, route in opened.routes.items()]
    # Rulings and disputes name envelopes by their number, so what was not chosen leaves an empty one of a kind nobody reads.
    hole = 1 + max(opened.routes, default=0)
    pieces.append(encode_route(hole, HOLE))
    wanted = set(envelopes)
    for i in range(1 + max(envelopes, default=-1)):
        payload = _payload(frame.body, opened, i) if i in wanted else b""
        number = int(opened.route[i]) if i in wanted else hole
        pieces += (encode_envelope_head(number, len(payload)), payload)
    return frame._replace(body=b"".join(pieces))


def _entered(frame: StoredFrame) -> Iterator[tuple[int, int, bytes]]:
    """Yield envelope, kind and payload of what people entered."""
    opened = decode_frame(frame.body)
    for i in range(len(opened.route)):
        kind = opened.routes[int(opened.route[i])].kind
        if kind in ENTERED_KINDS:
            yield i, kind, _payload(frame.body, opened, i)


def _payload(body: bytes, opened: Frame, envelope: int) -> bytes:
    start = int(opened.offset[envelope])
    return body[start : start + int(opened.length[envelope])]
