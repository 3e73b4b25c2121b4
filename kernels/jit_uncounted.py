"""Kernels that walk linked tables: compiled without Numba's reference counts.

Numba counts references to an array wherever it is passed on or looked into, an atomic instruction each time: 0.7 µs a row
in the meter, which passes ten tables through a dozen small functions. Nothing can be freed while such a kernel
runs, because its caller holds every array, so the counts are left out: 0.7 → 0.12 µs.
A kernel compiled so cannot allocate an array; Numba refuses to compile one that does. The option is not public:
if it goes, compiling fails loudly, and `jit.kernel` takes its place at the old speed.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

from phusong.kernels import jit

Function = TypeVar("Function", bound=Callable[..., object])

# Numba's own types know nothing of options that are not public.
njit = cast("Callable[..., Any]", numba.njit)
config = cast("Any", numba.config)

assert str(jit.CACHE_FOLDER) == config.CACHE_DIR, "the cache is named before anything compiles"


def uncounted_kernel(function: Function) -> Function:
    """Compile a pure function over tables that allocates nothing."""
    return cast("Function", njit(cache=True, nogil=True, _nrt=False)(function))
