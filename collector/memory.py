"""What the collector remembers, rebuilt from the journal at start. The file beside the journal only saves time."""

import io
import json
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from phusong.collector.decisions import DecisionBoard
from phusong.collector.journal.closing import closing_memory, closing_of
from phusong.collector.journal.reader import chain_at, first_sequence, read_frames
from phusong.collector.journal.segment import FILE_MODE, JournalDamaged, segment_paths
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


def recover(folder: Path, until_sequence: int | None = None) -> Memory:
    """Return what the journal in `folder` says was seen, by default up to its end.

    Raises FrameDamaged, JournalDamaged, sqlite3.Error.
    """
    memory = _from_cache(folder) if until_sequence is None else None
    if memory is None:
        memory = _before_first_frame(folder)
    sequence = memory.sequence
    for stored in read_frames(folder, sequence):
        if until_sequence is not None and stored.sequence > until_sequence:
            break
        frame = decode_frame(stored.body)
        memory.judge.replay(frame, stored.body, stored.received_time_ms)
        memory.board.replay(frame, stored.body)
        sequence = stored.sequence
    return memory._replace(sequence=sequence)


def save_memory(writer: JournalWriter, judge: Judge, board: DecisionBoard) -> None:
    """Write the cache for the writer's position, whole or not at all. The intake must be closed."""
    content = encode_memory(Memory(judge, board, writer.sequence), writer.chain)
    draft = writer.folder / f"{CACHE_NAME}.draft"
    descriptor = os.open(draft, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, FILE_MODE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(with_digest(content))
    draft.replace(writer.folder / CACHE_NAME)


def encode_memory(memory: Memory, chain: bytes) -> bytes:
    """Return what is remembered after the frame with this chain."""
    judge = memory.judge
    arrays: dict[str, NDArray[np.int64] | NDArray[np.uint8]] = {
        f"{part}_{name}": array
        for part, state in (("windows", judge.windows), ("unnumbered", judge.unnumbered))
        for name, array in state.export().items()
    }
    arrays["position"] = np.array([CACHE_VERSION, memory.sequence], np.int64)
    arrays["chain"] = _as_bytes(chain)
    arrays["identities"] = _as_bytes(json.dumps(judge.table.identities).encode())
    register = judge.table.register
    if register is not None:
        arrays["register"] = _as_bytes(register.content)
    arrays["board"] = _as_bytes(memory.board.export())
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, **arrays)
    return content.getvalue()


def _before_first_frame(folder: Path) -> Memory:
    """Return what was seen in frames that were pruned, or nothing."""
    notes = closing_of(folder)
    if notes is None:
        return Memory(Judge(RouteTable(), SequenceWindows(), UnnumberedRows()), DecisionBoard(), 0)
    arrays = _opened(closing_memory(folder, notes))
    memory = None if arrays is None else _memory_of(arrays)
    if memory is None or memory.sequence != notes.closing.last_sequence:
        raise JournalDamaged(
            f"sequence 1 to {notes.closing.last_sequence} were pruned, and this software cannot read what"
            f" {notes.closing.software} remembered of them: put the copies of their segments back with"
            " `phusong journal restore FILE`"
        )
    return memory


def _from_cache(folder: Path) -> Memory | None:
    """Return the memory in the cache, None where there is none that is whole and of this version.

    Raises JournalDamaged when the journal does not hold the frames the memory is of.
    """
    try:
        content = without_digest((folder / CACHE_NAME).read_bytes())
    except OSError:
        return None
    arrays = None if content is None else _opened(content)
    if arrays is None:
        return None
    sequence = int(arrays["position"][1])
    paths = segment_paths(folder)
    if paths and sequence + 1 < first_sequence(paths[0]):
        return None  # older than what was pruned: what stands for that is newer
    if chain_at(folder, sequence) != arrays["chain"].tobytes():
        raise JournalDamaged(
            f"sequence {sequence}: the collector remembers that frame and the journal does not hold it. Was the"
            f" journal cut, or replaced by an older copy? If it was on purpose, delete {folder / CACHE_NAME}"
        )
    return _memory_of(arrays)


def _opened(content: bytes) -> Arrays | None:
    """Return the arrays of what `encode_memory` wrote, None where it was another version."""
    with np.load(io.BytesIO(content), allow_pickle=False) as loaded:
        arrays: Arrays = dict(loaded)
    return arrays if int(arrays["position"][0]) == CACHE_VERSION else None


def _memory_of(arrays: Arrays) -> Memory:
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
    sequence = int(arrays["position"][1])
    return Memory(Judge(table, windows, unnumbered), board, sequence)


def _part(arrays: Arrays, prefix: str) -> Arrays:
    return {
        name.removeprefix(prefix): array
        for name, array in arrays.items()
        if name.startswith(prefix)
    }


def _as_bytes(content: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(content, np.uint8)
