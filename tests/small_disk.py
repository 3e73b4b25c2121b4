"""A real file system that is small enough to be filled."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

MIB = 1 << 20
FILL_NAME = "filling"


class SmallDisk:
    """A mounted tmpfs, and what another program may do to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filling = folder / FILL_NAME

    @property
    def free_bytes(self) -> int:
        found = os.statvfs(self.folder)
        return found.f_bavail * found.f_frsize

    def fill(self, left_bytes: int) -> None:
        """Leave so much room. A file of real blocks: a sparse one would take none."""
        with self._filling.open("ab") as file:
            os.posix_fallocate(
                file.fileno(), 0, self._filling.stat().st_size + self.free_bytes - left_bytes
            )

    def empty(self) -> None:
        """Give the room back."""
        self._filling.unlink()


@contextmanager
def small_disk(size_bytes: int, *options: str) -> Iterator[SmallDisk]:
    """Mount a disk of a size, with options of tmpfs; skip the test where this user may not mount."""
    with tempfile.TemporaryDirectory(prefix="phusong-disk-") as folder:
        mounted = subprocess.run(
            [
                "mount",
                "-t",
                "tmpfs",
                "-o",
                ",".join([f"size={size_bytes}", *options]),
                "tmpfs",
                folder,
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        if mounted.returncode:
            pytest.skip(f"no small file system can be mounted here: {mounted.stderr.strip()}")
        try:
            yield SmallDisk(Path(folder))
        finally:
            # Lazily: a service that a failed test left behind may still hold a file.
            subprocess.run(["umount", "--lazy", folder], check=True)
