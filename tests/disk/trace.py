"""What a process really asked of its disk: every write, sync, name and removal below a folder, taken down by strace.

strace sees the system calls themselves, whoever makes them (SQLite, Python, a library), so nothing the product does to
its files can be forgotten here. What cannot be taken down, such as a shared writable mapping, ends the reading.
"""

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

SYSCALLS = (
    "openat,open,creat,close,dup,dup2,dup3,lseek,read,write,writev,pwrite64,pwritev,ftruncate,truncate,fallocate,"
    "fsync,fdatasync,sync_file_range,rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,"
    "mkdir,mkdirat,rmdir,copy_file_range,sendfile,mmap"
)
TESTS = Path(__file__).parent.parent
# Longer than any single write of the product: a snapshot or a cache in one go.
STRING_MAX_BYTES = 64 << 20

CALL = re.compile(r"^(\d+) +(\w+)\((.*)\) += (-?\d+|0x[0-9a-f]+|\?)")
UNFINISHED = re.compile(r"^(\d+) +(\w+)\((.*) <unfinished \.\.\.>$")
RESUMED = re.compile(r"^(\d+) +<\.\.\. (\w+) resumed>(.*)$")
STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?')


@dataclass(frozen=True)
class Write:
    """Bytes put somewhere in a file."""

    start: int
    end: int
    offset: int
    content: bytes


@dataclass(frozen=True)
class Truncate:
    """A file cut or made longer."""

    start: int
    end: int
    size: int


@dataclass(frozen=True)
class Entry:
    """Names of a folder set to a node, or to none: several at once where the system call does so."""

    start: int
    end: int
    names: tuple[tuple[str, int | None], ...]


@dataclass
class Node:
    """A file or folder: what was done to it, and the syncs as (start, end)."""

    is_folder: bool
    operations: list[Write | Truncate | Entry] = field(default_factory=list)
    syncs: list[tuple[int, int]] = field(default_factory=list)


@dataclass(frozen=True)
class Mark:
    """A line the process wrote about itself, outside of the folder."""

    start: int
    text: str


@dataclass
class Record:
    """Everything asked of a folder, node 0. Moments are line numbers of the trace."""

    nodes: list[Node]
    marks: list[Mark]
    length: int


@dataclass
class _Open:
    node: int | None  # None: the file of marks
    position: int = 0
    is_append: bool = False


class _Call:
    def __init__(self, start: int, end: int, name: str, arguments: str, result: int) -> None:
        self.start, self.end, self.name, self.result = start, end, name, result
        self.strings = []
        for content, cut in STRING.findall(arguments):
            assert not cut, "a write longer than strace was told to show"
            self.strings.append(bytes.fromhex(content.replace("\\x", "")))
        self.arguments = [part.strip() for part in STRING.sub("S", arguments).split(",")]

    def number(self, place: int) -> int:
        return int(self.arguments[place], 0)


def run_traced(command: list[str], folder: Path, marks: Path, trace: Path) -> Record:
    """Run a command of these tests to its end; return what it did below `folder`. Raises CalledProcessError."""
    folder.mkdir(parents=True, exist_ok=True)
    strace = ["strace", "-f", "--seccomp-bpf", "-xx", "-s", str(STRING_MAX_BYTES)]
    strace += ["-e", f"trace={SYSCALLS}", "-e", "raw=read", "-e", "signal=none", "-o", str(trace)]
    subprocess.run(
        [*strace, "--", *command], check=True, env=os.environ | {"PYTHONPATH": str(TESTS)}
    )
    return _Reader(folder, marks).read(trace)


class _Reader:
    def __init__(self, folder: Path, marks: Path) -> None:
        self._folder, self._marks = str(folder), str(marks)
        self._nodes = [Node(is_folder=True)]
        self._node_of = {self._folder: 0}
        self._open: dict[int, _Open] = {}
        self._said: list[Mark] = []

    def read(self, trace: Path) -> Record:
        length = 0
        with trace.open() as lines:
            for call in _calls(lines):
                length = max(length, call.end)
                if call.result >= 0:
                    getattr(self, f"_{call.name}", self._other)(call)
        return Record(self._nodes, self._said, length + 1)

    def _path(self, call: _Call, place: int = 0) -> str | None:
        path = os.path.normpath(call.strings[place].decode())
        return path if path == self._folder or path.startswith(self._folder + "/") else None

    def _name(self, call: _Call, names: dict[str, int | None]) -> None:
        """Set names in the folder (one) they lie in."""
        (parent,) = {Path(path).parent for path in names}
        entries = tuple((Path(path).name, node) for path, node in names.items())
        self._nodes[self._node_of[str(parent)]].operations.append(
            Entry(call.start, call.end, entries)
        )
        for path, node in names.items():
            if node is None:
                del self._node_of[path]
            else:
                self._node_of[path] = node

    def _create(self, call: _Call, path: str, *, is_folder: bool) -> None:
        self._nodes.append(Node(is_folder))
        self._name(call, {path: len(self._nodes) - 1})

    def _openat(self, call: _Call) -> None:
        flags = call.arguments[2].split("|")
        if call.strings[0].decode() == self._marks:
            self._open[call.result] = _Open(None)
            return
        path = self._path(call)
        if path is None:
            self._open.pop(call.result, None)
            return
        if path not in self._node_of:
            assert "O_CREAT" in flags, f"{path} was there before the trace"
            self._create(call, path, is_folder=False)
        node = self._node_of[path]
        self._open[call.result] = _Open(node, is_append="O_APPEND" in flags)
        if "O_TRUNC" in flags:
            self._nodes[node].operations.append(Truncate(call.start, call.end, 0))

    def _close(self, call: _Call) -> None:
        self._open.pop(call.number(0), None)

    def _lseek(self, call: _Call) -> None:
        if (file := self._open.get(call.number(0))) is not None:
            file.position = call.result

    def _read(self, call: _Call) -> None:
        if (file := self._open.get(call.number(0))) is not None:
            file.position += call.result

    def _write(self, call: _Call) -> None:
        if (file := self._open.get(call.number(0))) is None:
            return
        content = call.strings[0][: call.result]
        if file.node is None:
            self._said.append(Mark(call.start, content.decode()))
            return
        assert not file.is_append, "appending opens are not followed yet"
        self._put(call, file.node, file.position, content)
        file.position += call.result

    def _pwrite64(self, call: _Call) -> None:
        if (file := self._open.get(call.number(0))) is not None:
            assert file.node is not None
            self._put(call, file.node, call.number(3), call.strings[0][: call.result])

    def _put(self, call: _Call, node: int, offset: int, content: bytes) -> None:
        self._nodes[node].operations.append(Write(call.start, call.end, offset, content))

    def _ftruncate(self, call: _Call) -> None:
        if (file := self._open.get(call.number(0))) is not None:
            assert file.node is not None
            self._nodes[file.node].operations.append(Truncate(call.start, call.end, call.number(1)))

    def _fsync(self, call: _Call) -> None:
        file = self._open.get(call.number(0))
        if file is not None and file.node is not None:
            self._nodes[file.node].syncs.append((call.start, call.end))

    _fdatasync = _fsync

    def _rename(self, call: _Call) -> None:
        source, target = self._path(call, 0), self._path(call, 1)
        if source is None and target is None:
            return
        assert source is not None
        assert target is not None
        self._name(call, {target: self._node_of[source], source: None})

    def _unlink(self, call: _Call) -> None:
        if (path := self._path(call)) is not None:
            self._name(call, {path: None})

    _rmdir = _unlink

    def _mkdir(self, call: _Call) -> None:
        path = self._path(call)
        if path is not None and path != self._folder:
            self._create(call, path, is_folder=True)

    def _mmap(self, call: _Call) -> None:
        """Refuse what changes a file without a call; SQLite's `-shm` is no data, and is made anew at every start."""
        file = self._open.get(int(call.arguments[4], 0))
        if file is None or "MAP_SHARED" not in call.arguments[3]:
            return
        path = next(p for p, node in self._node_of.items() if node == file.node)
        assert "PROT_WRITE" not in call.arguments[2] or path.endswith("-shm"), path

    def _other(self, call: _Call) -> None:
        touched = any(self._path(call, i) for i in range(len(call.strings)))
        descriptor = call.arguments[0]
        touched |= descriptor.isdigit() and int(descriptor) in self._open
        assert not touched, f"{call.name} is not followed yet"


def _calls(lines: Iterator[str]) -> Iterator[_Call]:
    """Yield the calls in the order they returned; a close when it begins.

    While a close is still being taken down, another thread may already have been given its descriptor.
    """
    waiting: dict[str, tuple[int, str, str]] = {}
    for number, line in enumerate(lines):
        if match := UNFINISHED.match(line):
            thread, name, arguments = match.groups()
            waiting[thread] = (number, name, arguments)
            if name == "close":
                yield _Call(number, number, name, arguments, 0)
            continue
        start = number
        if match := RESUMED.match(line):
            thread, name, rest = match.groups()
            start, begun, arguments = waiting.pop(thread)
            if name == "close":
                continue
            assert begun == name
            line = f"{thread} {name}({arguments}{rest}"  # noqa: PLW2901 - the same call, made whole
        if match := CALL.match(line):
            _, name, arguments, result = match.groups()
            if result != "?":
                yield _Call(start, number, name, arguments, int(result, 0))
