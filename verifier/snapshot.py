"""The state written down, so that a start need not replay everything. Only a cache.

One file, `DATA/snapshot/state.snapshot`: behind its digest an .npz with arrays by name, and under "meta" a JSON text
with the position and what the state was derived with. Anything that does not fit exactly (other code, another
question, a damaged file) makes it worthless, never wrong. A whole snapshot of frames that the journal does not hold is
no reason to trust the journal less loudly: it proves that frames are gone.
"""

import hashlib
import io
import json
import os
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from phusong.kernels.checked import DIGEST_BYTES, without_digest
from phusong.kernels.jit import kernel_digest
from phusong.verifier.journal import JournalDamaged, JournalReader, Position, first_sequence_in
from phusong.verifier.names import Names
from phusong.verifier.placing import Horizon
from phusong.verifier.quota.settings import QuotaSettings
from phusong.verifier.registry.entries import RegistryHistory, Version
from phusong.verifier.state import State, new_state
from phusong.verifier.tallies import RouteKey, Tallies

NAME = "state.snapshot"
FILE_MODE = 0o600
# Of the file; one of another version is not opened.
VERSION = 4
PARTS = ("coverage", "quota", "enforcement", "windows", "unnumbered", "cells", "ledger")


def is_complete(state: State) -> bool:
    """Tell whether the horizon, if there was one, left nothing out."""
    return state.beyond_count == 0 and state.horizon.known_at_ms is None


@cache
def code_digest() -> str:
    """Return a digest of everything that derives the state: kernels and this package."""
    digest = hashlib.sha256(kernel_digest().encode())
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


class StateCopy(NamedTuple):
    """A state as it was after one frame, which whoever goes on judging does not change any more."""

    sequence: int
    arrays: dict[str, NDArray[Any]]


def write_snapshot(data: Path, state: State) -> None:
    """Write the state of a whole journal; the old snapshot stays until the new one is complete."""
    write_copy(data, copied_state(state))


def write_copy(data: Path, copy: StateCopy) -> None:
    """Write the copy of a state; the old snapshot stays until the new one is complete. Raises OSError."""
    folder = data / "snapshot"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / NAME
    partial = path.with_suffix(".partial")
    partial.unlink(missing_ok=True)  # left by a crash, perhaps under another mode
    descriptor = os.open(partial, os.O_CREAT | os.O_EXCL | os.O_RDWR, FILE_MODE)
    with os.fdopen(descriptor, "w+b") as file:
        # Array by array and never as one text of bytes: other threads run in between.
        file.write(bytes(DIGEST_BYTES))
        np.savez(file, allow_pickle=False, **copy.arrays)
        file.seek(DIGEST_BYTES)
        digest = hashlib.file_digest(file, "sha256").digest()  # of what is behind the seek
        file.seek(0)
        file.write(digest)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def read_snapshot(
    data: Path, reader: JournalReader, horizon: Horizon, settings: QuotaSettings
) -> State | None:
    """Return the snapshot's state where it answers the same question, else None. Reads no frame before its position.

    Raises JournalDamaged when the journal does not hold the frames the snapshot was made from.
    """
    path = data / "snapshot" / NAME
    try:
        content = without_digest(path.read_bytes())
    except OSError:
        return None
    if content is None:
        return None
    written = WrittenState.of(content)
    meta = written.meta
    # Older than what was pruned: what stands for that is newer.
    if meta.get("version") != VERSION or meta["sequence"] + 1 < first_sequence_in(reader.folder):
        return None
    if reader.chain_at(meta["sequence"]) != bytes.fromhex(meta["chain"]):
        raise JournalDamaged(
            f"sequence {meta['sequence']}: a snapshot was made there, and the journal, which ends at"
            f" {reader.last().sequence}, does not hold that frame. Was it cut, or replaced by an older copy?"
            f" If it was on purpose, delete {path}"
        )
    if meta["code"] != code_digest() or written.unfit(horizon, settings) is not None:
        return None
    return written.state(horizon, settings)


def registries_in_snapshot(
    data: Path, reader: JournalReader
) -> tuple[RegistryHistory, Position] | None:
    """Return the lists entered up to the snapshot's position, so that not all of a journal is read for them.

    None where there is none of this journal: whatever is wrong with it, the frames say the same.
    """
    try:
        content = without_digest((data / "snapshot" / NAME).read_bytes())
    except OSError:
        return None
    if content is None:
        return None
    written = WrittenState.of(content)
    position = written.position
    is_ours = written.meta.get("version") == VERSION and written.meta["code"] == code_digest()
    if not is_ours or position.sequence + 1 < first_sequence_in(reader.folder):
        return None
    if reader.chain_at(position.sequence) != position.chain:
        return None
    return written.history(), position


def snapshot_age_s(data: Path, machine_time_ms: int) -> float | None:
    """Return how long ago the snapshot was written, None without one. machine_time_ms: of the clock that stamps files."""
    try:
        written_s = (data / "snapshot" / NAME).stat().st_mtime
    except OSError:
        return None
    return max(machine_time_ms / 1000 - written_s, 0.0)


def snapshot_settings(data: Path) -> str | None:
    """Return the digest of the settings that figures were last made with here, None where nothing says so."""
    try:
        content = without_digest((data / "snapshot" / NAME).read_bytes())
    except OSError:
        return None
    if content is None:
        return None
    settings: str = WrittenState.of(content).meta["settings"]
    return settings


def written_settings(data: Path) -> QuotaSettings | None:
    """Return the settings that figures were last made with here, None where nothing says so."""
    try:
        content = without_digest((data / "snapshot" / NAME).read_bytes())
    except OSError:
        return None
    return None if content is None else WrittenState.of(content).settings


def encode_state(state: State) -> bytes:
    """Return everything a state is made of, the lists it was judged by included."""
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, **_arrays_of(state))
    return content.getvalue()


def copied_state(state: State) -> StateCopy:
    """Return a copy of the state of a whole journal."""
    assert is_complete(state), "only a state of everything serves later questions"
    arrays = {
        # The meter's are the large ones, and copies already.
        name: array if name.startswith("quota.") else array.copy()
        for name, array in _arrays_of(state).items()
    }
    return StateCopy(state.position.sequence, arrays)


def _arrays_of(state: State) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {}
    for part in PARTS:
        for name, array in getattr(state, part).export().items():
            arrays[f"{part}.{name}"] = array
    versions = state.registries.history.versions
    for registry, found in versions.items():
        for i, version in enumerate(found):
            arrays[f"registry.{registry}.{i}"] = np.frombuffer(version.content, np.uint8)
    arrays["meta"] = np.frombuffer(json.dumps(_meta(state)).encode(), np.uint8)
    return arrays


class WrittenState(NamedTuple):
    """What `encode_state` wrote, opened."""

    meta: dict[str, Any]
    arrays: dict[str, NDArray[Any]]

    @classmethod
    def of(cls, content: bytes) -> "WrittenState":
        """Open what was written; its digest was looked at before."""
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        return cls(json.loads(arrays.pop("meta").tobytes()), arrays)

    @property
    def settings(self) -> QuotaSettings | None:
        """What the plan leaves open, as it was decided when this was written; None where an older software wrote it."""
        quota_bytes = self.meta.get("quota_bytes")
        return None if quota_bytes is None else QuotaSettings(quota_bytes)

    @property
    def position(self) -> Position:
        """The frame after which it was written."""
        return Position(self.meta["sequence"], bytes.fromhex(self.meta["chain"]))

    def unfit(self, horizon: Horizon, settings: QuotaSettings) -> str | None:
        """Say why it does not answer a question, None when it does."""
        meta = self.meta
        if meta["settings"] != settings.digest:
            return "the quota is another one now"
        if horizon.as_of_ms is not None and horizon.as_of_ms < meta["time_max_ms"]:
            return "--as-of lies before readings in it"
        if horizon.as_of_ms is not None and horizon.as_of_ms < meta.get("enforced_max_ms", 0):
            return "--as-of lies before decisions in it"
        if horizon.known_at_ms is not None and horizon.known_at_ms < meta["known_max_ms"]:
            return "--known-at lies before arrivals in it"
        return None

    def history(self) -> RegistryHistory:
        """Return the lists it was judged by."""
        return RegistryHistory(
            {
                registry: [
                    Version(
                        *(sequence, time_ms, file),
                        self.arrays[f"registry.{registry}.{i}"].tobytes(),
                        envelope,
                    )
                    for i, (sequence, time_ms, file, envelope) in enumerate(versions)
                ]
                for registry, versions in self.meta["registries"].items()
            }
        )

    def state(self, horizon: Horizon, settings: QuotaSettings) -> State:
        """Return the state."""
        return _restore(self.meta, self.arrays, self.history(), horizon, settings)


def _meta(state: State) -> dict[str, Any]:
    versions = [v for found in state.registries.history.versions.values() for v in found]
    known_ms = max((version.known_time_ms for version in versions), default=0)
    return {
        "version": VERSION,
        "code": code_digest(),
        "settings": state.quota.settings.digest,
        "quota_bytes": state.quota.settings.quota_bytes,
        "sequence": state.position.sequence,
        "chain": state.position.chain.hex(),
        "time_max_ms": state.time_max_ms,
        "received_max_ms": state.received_max_ms,
        "enforced_max_ms": state.enforcement.time_max_ms,
        "known_max_ms": max(state.received_max_ms, known_ms, state.enforcement.time_max_ms),
        "registries": {
            registry: [[v.sequence, v.known_time_ms, v.file, v.envelope] for v in found]
            for registry, found in state.registries.history.versions.items()
        },
        "operators": state.operators.texts,
        "sources": state.sources.texts,
        "tallies": {
            "received": [[*key, count] for key, count in state.tallies.received.items()],
            "taken": [[*key, count] for key, count in state.tallies.taken.items()],
            "duplicate": [[*key, count] for key, count in state.tallies.duplicate.items()],
            "refused": [[*key, why, count] for (key, why), count in state.tallies.refused.items()],
        },
    }


def _restore(
    meta: dict[str, Any],
    arrays: dict[str, NDArray[Any]],
    history: RegistryHistory,
    horizon: Horizon,
    settings: QuotaSettings,
) -> State:
    state = new_state(history, horizon, settings)
    for part in PARTS:
        prefix = f"{part}."
        getattr(state, part).restore(
            {name[len(prefix) :]: a for name, a in arrays.items() if name.startswith(prefix)}
        )
    state.quota.watch_days(state.ledger.watched)
    state.position = Position(meta["sequence"], bytes.fromhex(meta["chain"]))
    state.used = state.position
    state.time_max_ms, state.received_max_ms = meta["time_max_ms"], meta["received_max_ms"]
    for operator in meta["operators"]:
        state.operators.row_of(operator)
    state.sources = Names(meta["sources"])
    counts = meta["tallies"]
    state.tallies = Tallies(
        received=_route_counts(counts["received"]),
        taken=_route_counts(counts["taken"]),
        duplicate=_route_counts(counts["duplicate"]),
        refused=Counter({(RouteKey(o, t), why): count for o, t, why, count in counts["refused"]}),
    )
    return state


def _route_counts(rows: list[tuple[str, int, int]]) -> Counter[RouteKey]:
    return Counter({RouteKey(operator, transport): count for operator, transport, count in rows})
