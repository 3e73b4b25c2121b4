"""The state written down, so that a start need not replay everything. Only a cache.

One file, `DATA/snapshot/state.npz`: arrays by name, and under "meta" a JSON text with the position and
what the state was derived with. Anything that does not fit exactly (other kernels, other software, a
journal that is not the one it was made from, a damaged file) makes it worthless, never wrong.
"""

import json
import os
import zipfile
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phusong.kernels.jit import kernel_digest
from phusong.verifier.journal import JournalReader, Position
from phusong.verifier.names import Names
from phusong.verifier.placing import Horizon
from phusong.verifier.quota.settings import QuotaSettings
from phusong.verifier.registry.entries import RegistryHistory, read_registries
from phusong.verifier.state import State, new_state
from phusong.verifier.tallies import RouteKey, Tallies

FORMAT = 1
PARTS = ("coverage", "quota", "windows", "cells")


def is_complete(state: State) -> bool:
    """Tell whether the horizon, if there was one, left nothing out."""
    return state.beyond_count == 0 and state.horizon.known_at_ms is None


def write_snapshot(data: Path, state: State) -> None:
    """Write the state of a whole journal; the old snapshot stays until the new one is complete."""
    assert is_complete(state), "only a state of everything serves later questions"
    folder = data / "snapshot"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    arrays: dict[str, NDArray[Any]] = {}
    for part in PARTS:
        for name, array in getattr(state, part).export().items():
            arrays[f"{part}.{name}"] = array
    arrays["meta"] = np.frombuffer(json.dumps(_meta(state)).encode(), np.uint8)
    path = folder / "state.npz"
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def read_snapshot(
    data: Path, reader: JournalReader, horizon: Horizon, settings: QuotaSettings
) -> State | None:
    """Return the snapshot's state where it answers the same question, else None."""
    path = data / "snapshot" / "state.npz"
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        meta = json.loads(arrays.pop("meta").tobytes())
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return None
    if not _fits(meta, reader, horizon, settings):
        return None
    history = RegistryHistory()
    if meta["registries"]:
        history = read_registries(data / "journal", meta["registries"])
    return _restore(meta, arrays, history, horizon, settings)


def _fits(
    meta: dict[str, Any], reader: JournalReader, horizon: Horizon, settings: QuotaSettings
) -> bool:
    if (meta["format"], meta["kernels"]) != (FORMAT, kernel_digest()):
        return False
    if meta["settings"] != settings.digest:
        return False
    if horizon.as_of_ms is not None and horizon.as_of_ms < meta["time_max_ms"]:
        return False
    if horizon.known_at_ms is not None and horizon.known_at_ms < meta["known_max_ms"]:
        return False
    return reader.chain_at(meta["sequence"]) == bytes.fromhex(meta["chain"])


def _meta(state: State) -> dict[str, Any]:
    versions = [v for found in state.registries.history.versions.values() for v in found]
    known_ms = max((version.known_time_ms for version in versions), default=0)
    return {
        "format": FORMAT,
        "kernels": kernel_digest(),
        "settings": state.quota.settings.digest,
        "sequence": state.position.sequence,
        "chain": state.position.chain.hex(),
        "time_max_ms": state.time_max_ms,
        "received_max_ms": state.received_max_ms,
        "known_max_ms": max(state.received_max_ms, known_ms),
        "registries": max((version.sequence for version in versions), default=0),
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
