"""What the collector remembers, rebuilt from the journal at start. The file beside the journal only saves time."""

import io
import json
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from phusong.collector.decisions import DecisionBoard
from phusong.collector.journal.reader import chain_at, read_frames
from phusong.collector.journal.segment import FILE_MODE, JournalDamaged
from phusong.collector.journal.writer import JournalWriter
from phusong.collector.judge import Judge
from phusong.collector.routes import RouteTable
from phusong.kernels.checked import with_digest, without_digest
from phusong.kernels.frame import decode_frame
from phusong.kernels.registers import SourceRegister, read_sources
from phusong.kernels.unnumbered import UnnumberedRows
from phusong.kernels.windows import SequenceWindows

CACHE_NAME = "collector-memory.cache"
# A file of another version is not read; the journal is.
CACHE_VERSION = 6

Arrays = dict[str, NDArray[np.int64]]


class Memory(NamedTuple):
    """What was seen and decided up to the last committed frame."""

    judge: Judge
    board: DecisionBoard
    sequence: int


def recover(folder: Path) -> Memory:
    """Return what the journal in `folder` says was seen. Raises FrameDamaged, sqlite3.Error."""
    memory = _from_cache(folder)
    if memory is None:
        memory = Memory(
            Judge(RouteTable(), SequenceWindows(), UnnumberedRows()), DecisionBoard(), 0
        )
    sequence = memory.sequence
    for stored in read_frames(folder, sequence):
        frame = decode_frame(stored.body)
        memory.judge.replay(frame, stored.body, stored.received_time_ms)
        memory.board.replay(frame, stored.body)
        sequence = stored.sequence
    return memory._replace(sequence=sequence)


def save_memory(writer: JournalWriter, judge: Judge, board: DecisionBoard) -> None:
    """Write the cache for the writer's position, whole or not at all. The intake must be closed."""
    arrays: dict[str, NDArray[np.int64] | NDArray[np.uint8]] = {
        f"{part}_{name}": array
        for part, state in (("windows", judge.windows), ("unnumbered", judge.unnumbered))
        for name, array in state.export().items()
    }
    arrays["position"] = np.array([CACHE_VERSION, writer.sequence], np.int64)
    arrays["chain"] = _as_bytes(writer.chain)
    arrays["identities"] = _as_bytes(json.dumps(judge.table.identities).encode())
    register = judge.table.register
    if register is not None:
        arrays["register"] = _as_bytes(register.content)
    arrays["board"] = _as_bytes(board.export())
    draft = writer.folder / f"{CACHE_NAME}.draft"
    descriptor = os.open(draft, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, FILE_MODE)
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, **arrays)
    with os.fdopen(descriptor, "wb") as file:
        file.write(with_digest(content.getvalue()))
    draft.replace(writer.folder / CACHE_NAME)


def _from_cache(folder: Path) -> Memory | None:
    """Return the memory in the cache, None where there is none that is whole and of this version.

    Raises JournalDamaged when the journal does not hold the frames the memory is of.
    """
    try:
        content = without_digest((folder / CACHE_NAME).read_bytes())
    except OSError:
        return None
    if content is None:
        return None
    with np.load(io.BytesIO(content), allow_pickle=False) as loaded:
        arrays: Arrays = dict(loaded)
    version, sequence = arrays["position"].tolist()
    if version != CACHE_VERSION:
        return None
    if chain_at(folder, sequence) != arrays["chain"].tobytes():
        raise JournalDamaged(
            f"sequence {sequence}: the collector remembers that frame and the journal does not hold it. Was the"
            f" journal cut, or replaced by an older copy? If it was on purpose, delete {folder / CACHE_NAME}"
        )
    table = RouteTable()
    if "register" in arrays:
        register = read_sources(arrays["register"].tobytes(), is_journalled=True)
        assert isinstance(register, SourceRegister), "it was in force when it was written down"
        table.admit(register)
    for operator, source in json.loads(arrays["identities"].tobytes()):
        table.identity_number(operator, source)
    windows, unnumbered = SequenceWindows(), UnnumberedRows()
    windows.restore(_part(arrays, "windows_"))
    unnumbered.restore(_part(arrays, "unnumbered_"))
    board = DecisionBoard()
    body = arrays["board"].tobytes()
    board.replay(decode_frame(body), body)
    return Memory(Judge(table, windows, unnumbered), board, sequence)


def _part(arrays: Arrays, prefix: str) -> Arrays:
    return {
        name.removeprefix(prefix): array
        for name, array in arrays.items()
        if name.startswith(prefix)
    }


def _as_bytes(content: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(content, np.uint8)
