"""The one way a function becomes a kernel, and where its machine code is kept.

Numba's own cache does not notice that a helper in another file changed (numba#1833), so a
changed helper would meet an old caller. Here the cache directory is named by a digest of
every kernel source and the Numba version: any change starts a new cache.
"""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

import numba
import numpy as np

Function = TypeVar("Function", bound=Callable[..., object])

DIGEST_LENGTH = 16  # hex digits; a cache directory name, not a security boundary


def kernel_digest() -> str:
    """Return a digest of every kernel source and of the Numba version."""
    folder = Path(__file__).parent
    digest = hashlib.sha256(numba.__version__.encode())
    for path in sorted(folder.rglob("*.py")):
        digest.update(str(path.relative_to(folder)).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:DIGEST_LENGTH]


def _cache_folder() -> Path:
    # The folder must be fixed before the first kernel is compiled, which is at import
    # time: the one environment variable a kernel module may look at.
    home = os.environ.get("PHUSONG_KERNEL_CACHE") or os.path.join(  # noqa: PTH118
        os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"),  # noqa: PTH111
        "phusong",
    )
    return Path(home) / f"kernels-{kernel_digest()}"


CACHE_FOLDER = _cache_folder()
numba.config.CACHE_DIR = str(CACHE_FOLDER)  # type: ignore[attr-defined]


def is_compiled() -> bool:
    """Tell whether a warm cache exists, so that a command can say why it is slow once."""
    return CACHE_FOLDER.is_dir() and any(CACHE_FOLDER.rglob("*.nbc"))


def kernel(function: Function) -> Function:
    """Compile a pure function over numbers and columns.

    `nogil` lets the event loop keep reading sockets while a worker thread computes.
    """
    return cast("Function", numba.njit(cache=True, nogil=True)(function))


def wrapping(function: Function) -> Function:
    """Let unsigned numbers overflow silently where they are meant to, as compiled code does.

    Only plain Python (NUMBA_DISABLE_JIT=1) needs to be told: NumPy warns of a scalar that overflows.
    """
    if not numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
        return function
    return np.errstate(over="ignore")(function)
