"""What the collector remembers, rebuilt from the journal at start. The file beside the journal only saves time."""

import io
import json
from itertools import chain as chained
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from phusong.collector.decisions import DecisionBoard
from phusong.collector.journal.closing import closing_memory, closing_of
from phusong.collector.journal.reader import chain_at, first_sequence, read_frames
from phusong.collector.journal.segment import JournalDamaged, segment_paths
from phusong.collector.judge import Judge
from phusong.collector.reservation_entries import decode_book, encode_book
from phusong.collector.routes import RouteTable
from phusong.kernels.checked import without_digest
from phusong.kernels.frame import decode_frame
from phusong.kernels.registers import SourceRegister, read_sources
from phusong.kernels.unnumbered import UnnumberedRows
from phusong.kernels.windows import SequenceWindows

CACHE_NAME = "collector-memory.cache"
# A file of another version is not read; the journal is.
CACHE_VERSION = 7
# Of identities: about 5 ms of a thread that lets no other run.
JSON_PIECE_COUNT = 8192

Arrays = dict[str, NDArray[np.int64]]


class Memory(NamedTuple):
    """What was seen and decided up to the last committed frame."""

    judge: Judge
    board: DecisionBoard
    sequence: int
    replayed_bytes: int = 0  # of the frames it had to be made from, the cache aside


class MemoryCopy(NamedTuple):
    """A memory as it was after one frame, which whoever goes on remembering does not change any more."""

    sequence: int
    chain: bytes
    states: dict[str, NDArray[np.int64]]
    identities: list[tuple[str, str]]
    register: bytes | None
    board: DecisionBoard

    @property
    def size_bytes(self) -> int:
        """About how large a file it makes."""
        names = sum(map(len, chained.from_iterable(self.identities))) + 8 * len(self.identities)
        states = sum(array.nbytes for array in self.states.values())
        return states + names + len(self.register or b"") + self.board.size_bytes


def recover(folder: Path, until_sequence: int | None = None) -> Memory:
    """Return what the journal in `folder` says was seen, by default up to its end.

    Raises FrameDamaged, JournalDamaged, sqlite3.Error.
    """
    memory = _from_cache(folder) if until_sequence is None else None
    if memory is None:
        memory = _before_first_frame(folder)
    sequence, replayed_bytes = memory.sequence, 0
    for stored in read_frames(folder, sequence):
        if until_sequence is not None and stored.sequence > until_sequence:
            break
        frame = decode_frame(stored.body)
        memory.judge.replay(frame, stored.body, stored.received_time_ms)
        memory.board.replay(frame, stored.body)
        sequence = stored.sequence
        replayed_bytes += len(stored.body)
    return memory._replace(sequence=sequence, replayed_bytes=replayed_bytes)


def copied(memory: Memory, chain: bytes) -> MemoryCopy:
    """Return a copy of what is remembered after the frame with this chain, on the thread that remembers."""
    judge = memory.judge
    register = judge.table.register
    return MemoryCopy(
        memory.sequence,
        chain,
        {
            f"{part}_{name}": array
            for part, state in (("windows", judge.windows), ("unnumbered", judge.unnumbered))
            for name, array in state.export().items()
        },
        judge.table.identities.copy(),
        None if register is None else register.content,
        memory.board.copy(),
    )


def encode_memory(memory: Memory, chain: bytes) -> bytes:
    """Return what is remembered after the frame with this chain."""
    content = io.BytesIO()
    write_memory(content, copied(memory, chain))
    return content.getvalue()


def write_memory(file: IO[bytes], copy: MemoryCopy) -> None:
    """Write what is remembered where `file` stands. Raises OSError."""
    arrays: dict[str, NDArray[np.int64] | NDArray[np.uint8]] = {**copy.states}
    arrays["position"] = np.array([CACHE_VERSION, copy.sequence], np.int64)
    arrays["chain"] = _as_bytes(copy.chain)
    arrays["identities"] = _as_bytes(_encoded(copy.identities))
    if copy.register is not None:
        arrays["register"] = _as_bytes(copy.register)
    arrays["board"] = _as_bytes(copy.board.export())
    arrays["reservations"] = _as_bytes(encode_book(copy.board.reservations))
    np.savez(file, allow_pickle=False, **arrays)


def _encoded(identities: list[tuple[str, str]]) -> bytes:
    """Return identities as JSON, made in pieces: no other thread runs while one is made."""
    pieces = (
        json.dumps(identities[first : first + JSON_PIECE_COUNT])[1:-1]
        for first in range(0, len(identities), JSON_PIECE_COUNT)
    )
    return f"[{', '.join(pieces)}]".encode()


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
    board.reservations = decode_book(arrays["reservations"].tobytes())
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
