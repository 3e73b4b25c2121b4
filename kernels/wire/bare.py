"""Kernels that allocate nothing, and so need no reference counts."""

from typing import Any, cast

import numba

from phusong.kernels.jit import Function

# `_nrt` is Numba's own name for "with the run time that counts references"; its type stub does not know it.
_BARE: dict[str, Any] = {"cache": True, "nogil": True, "_nrt": False}
_ALLOCATING: dict[str, Any] = {"cache": True, "nogil": True, "_nrt": True}


def bare_kernel(function: Function) -> Function:
    """Compile a pure function that allocates no array.

    Without Numba's run time no call counts references to its arrays: two atomic instructions for every array of
    every call. For functions as short as reading one byte that is most of the time: 27 ns a field with it, 3 ns without.
    An ordinary kernel called from a bare one would be compiled bare with it.
    """
    return cast("Function", numba.njit(**_BARE)(function))


def inlined_kernel(function: Function) -> Function:
    """Compile a bare kernel into its callers: its results then need not travel through memory."""
    return cast("Function", numba.njit(**_BARE, forceinline=True)(function))


def allocating_kernel(function: Function) -> Function:
    """Compile a pure function that allocates, although bare kernels call it."""
    return cast("Function", numba.njit(**_ALLOCATING)(function))
