"""What is wrong with a machine for this service, and how to mend it: disk, clock, limits, kernel cache."""

import ctypes
import os
import resource
import stat
import tempfile
import time
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from phusong.dashboards.commands.configuration import Configuration
from phusong.dashboards.commands.door_tables import DESCRIPTOR_RESERVE
from phusong.kernels.jit import CACHE_FOLDER, is_compiled

# A day of a million SIMs at one reading a minute is about 60 GB of journal; below this a day may not fit.
DISK_FREE_MIN_BYTES = 10 * 2**30
# A journal is few files; a disk with fewer inodes left is full of something else.
INODES_FREE_MIN = 10_000
# Every acknowledgement waits for one; above this a door of 1 MiB commits falls under 20 MB/s.
FSYNC_MAX_MS = 50.0
# Faster than any disk can be: what answers so keeps it in memory, and a power cut takes it.
FSYNC_BELIEVABLE_MS = 0.01
FSYNC_TRY_COUNT = 20
FSYNC_TRY_BYTES = 4096
# The programme began in 2021: a clock before that was never set.
CLOCK_MIN_S = 1_630_000_000
# Collector and verifier, and the state of a million SIMs while it is copied.
MEMORY_MIN_BYTES = 2 * 2**30
# Of these the first forgets at a restart; the others lose a lock or an fsync that was promised.
VOLATILE = {"tmpfs", "ramfs"}
REMOTE = {"nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "9p"}
# adjtimex(2): whether the kernel believes that something keeps its clock right.
STA_UNSYNC = 0x0040


class Grade(Enum):
    """How bad it is."""

    FINE = "● ok  "
    CAUTION = "◆ look"  # it works, and somebody should know
    BAD = "▲ bad "


class Finding(NamedTuple):
    """One thing looked at."""

    grade: Grade
    subject: str
    found: str
    remedy: str = ""


def judged(grade: Grade, subject: str, found: str, remedy: str, *, is_fine: bool) -> Finding:
    """Return a finding that is fine, or of a grade where it is not."""
    return Finding(Grade.FINE if is_fine else grade, subject, found, remedy)


def host_findings(configuration: Configuration) -> Iterator[Finding]:
    """Yield what was found, cheapest first."""
    data = configuration.data
    if data.exists() and not data.is_dir():
        remedy = "give --data a folder, or a name that does not exist yet"
        yield Finding(Grade.BAD, "data", f"{data} is a file", remedy)
    folder = next(path for path in (data.absolute(), *data.absolute().parents) if path.is_dir())
    yield from _disk(folder, configuration.disk_reserve_bytes)
    yield _fsync(folder)
    if folder == data.absolute():
        yield _privacy(folder)
    yield from _clock()
    yield _memory()
    yield _open_files(configuration.limits.connections)
    cache = next(path for path in (CACHE_FOLDER, *CACHE_FOLDER.parents) if path.is_dir())
    yield judged(
        Grade.BAD,
        "kernel cache",
        f"{CACHE_FOLDER} ({'compiled' if is_compiled() else 'empty: the first start compiles'})",
        "set PHUSONG_KERNEL_CACHE to a folder this user may write",
        is_fine=os.access(cache, os.W_OK),
    )


def _disk(folder: Path, reserve_bytes: int) -> Iterator[Finding]:
    found = os.statvfs(folder)
    free_bytes = found.f_bavail * found.f_frsize
    wanted_bytes = max(DISK_FREE_MIN_BYTES, 2 * reserve_bytes)
    yield judged(
        Grade.BAD,
        "disk",
        f"{free_bytes / 2**30:.1f} GiB free at {folder}; the last {reserve_bytes / 2**30:.1f} are kept free",
        f"free {wanted_bytes / 2**30:.0f} GiB, prune (`phusong journal prune`) or put --data on a larger disk",
        is_fine=free_bytes >= wanted_bytes,
    )
    if found.f_files:  # some file systems have no fixed number
        yield judged(
            Grade.BAD,
            "inodes",
            f"{found.f_favail} free",
            "something else fills this disk with small files: put --data on one of its own",
            is_fine=found.f_favail >= INODES_FREE_MIN,
        )
    kind = _file_system(folder)
    if kind in VOLATILE:
        remedy = "put --data on a disk: what is acknowledged here is gone after a restart"
        yield Finding(Grade.BAD, "file system", f"{kind}, which is memory", remedy)
    elif kind in REMOTE:
        remedy = "put --data on a local disk: SQLite needs locks and syncs that mean something"
        yield Finding(Grade.BAD, "file system", f"{kind}, over a network", remedy)
    elif kind:
        yield Finding(Grade.FINE, "file system", kind)


def _file_system(folder: Path) -> str:
    """Return the kind of file system a folder is on, "" where the machine does not tell."""
    try:
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    real = os.path.realpath(folder)
    kind, longest = "", -1
    for line in mounts.splitlines():
        _, point, name, *_ = line.split(" ")
        point = point.replace("\\040", " ")
        is_above = real == point or real.startswith(point.rstrip("/") + "/")
        if is_above and len(point) >= longest:
            kind, longest = name, len(point)
    return kind


def _fsync(folder: Path) -> Finding:
    """Time fsync where the journal will lie."""
    took_ms = []
    try:
        with tempfile.NamedTemporaryFile(dir=folder) as file:
            for _ in range(FSYNC_TRY_COUNT):
                start_s = time.perf_counter()
                file.write(bytes(FSYNC_TRY_BYTES))
                file.flush()
                os.fsync(file.fileno())
                took_ms.append((time.perf_counter() - start_s) * 1000)
    except OSError as error:
        found, remedy = f"{folder}: {error.strerror}", "give --data a folder this user may write"
        return Finding(Grade.BAD, "fsync", found, remedy)
    middle_ms = sorted(took_ms)[FSYNC_TRY_COUNT // 2]
    found = f"{middle_ms:.2f} ms, at most {max(took_ms):.1f} ms, at {folder}"
    if middle_ms < FSYNC_BELIEVABLE_MS:
        remedy = "no disk is so quick: turn off what answers before it has written (nobarrier, eatmydata, a cache without battery)"
        return Finding(Grade.CAUTION, "fsync", found, remedy)
    remedy = "use a local SSD: every acknowledgement waits for the disk"
    return judged(Grade.BAD, "fsync", found, remedy, is_fine=middle_ms <= FSYNC_MAX_MS)


def _privacy(folder: Path) -> Finding:
    """Readings say where children were; keys sign the journal."""
    mode = stat.S_IMODE(folder.stat().st_mode)
    return judged(
        Grade.CAUTION,
        "privacy",
        f"{folder} has mode {mode:04o}",
        f"chmod 0750 {folder}: others of this machine can read what telemetry says of subscribers",
        is_fine=not mode & stat.S_IRWXO,
    )


def _clock() -> Iterator[Finding]:
    yield judged(
        Grade.BAD,
        "clock",
        time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "set the clock: readings are judged by their arrival, and the journal takes nothing from before its last",
        is_fine=time.time() > CLOCK_MIN_S,
    )
    status = _clock_status()
    if status is not None:
        is_kept = not status & STA_UNSYNC
        remedy = (
            "run chrony, systemd-timesyncd or ntpd here, or on the host where this is a container"
        )
        found = "kept right" if is_kept else "nothing is known to keep the kernel's clock right"
        yield judged(Grade.CAUTION, "clock's keeper", found, remedy, is_fine=is_kept)


def _clock_status() -> int | None:
    """Return the status word of the kernel's clock, None where it cannot be asked."""

    class Timex(ctypes.Structure):
        """The beginning of struct timex; the kernel writes all 208 bytes."""

        _fields_ = (
            ("modes", ctypes.c_uint),
            ("offset", ctypes.c_long),
            ("freq", ctypes.c_long),
            ("maxerror", ctypes.c_long),
            ("esterror", ctypes.c_long),
            ("status", ctypes.c_int),
            ("rest", ctypes.c_char * 256),
        )

    timex = Timex()
    try:
        answer = ctypes.CDLL(None).adjtimex(ctypes.byref(timex))
    except (OSError, AttributeError):  # no glibc, no Linux
        return None
    return None if answer < 0 else int(timex.status)


def _memory() -> Finding:
    total_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return judged(
        Grade.CAUTION,
        "memory",
        f"{total_bytes / 2**30:.1f} GiB",
        f"give it {MEMORY_MIN_BYTES / 2**30:.0f} GiB for a million SIMs",
        is_fine=total_bytes >= MEMORY_MIN_BYTES,
    )


def _open_files(connections: int) -> Finding:
    # The service raises its own limit to the hard one.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + DESCRIPTOR_RESERVE
    is_fine = most == resource.RLIM_INFINITY or most >= wanted
    return judged(
        Grade.CAUTION,
        "open files",
        f"limit {'none' if most == resource.RLIM_INFINITY else most}, for limits.connections = {connections}",
        f"raise it to {wanted} (ulimit -Hn, LimitNOFILE= in systemd), or configure fewer connections;"
        f" as it is, {max(most - DESCRIPTOR_RESERVE, most // 2)} MQTT clients fit",
        is_fine=is_fine,
    )
