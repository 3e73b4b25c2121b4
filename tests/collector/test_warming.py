"""Kernels are ready before the doors open."""

import numba

from phusong.collector import warming
from phusong.kernels import (
    batch_names,
    identity,
    publishes,
    row_hash,
    row_identity,
    window_bits,
)


def test_every_kernel_of_the_doors_is_compiled_once():
    warming.warm_kernels()

    for module, names in [
        (publishes, ("find_publishes", "write_envelopes", "write_pubacks")),
        (window_bits, ("mark_recent",)),
        (batch_names, ("find_names",)),
        (identity, ("add_keys", "find_keys")),
        (row_hash, ("mix_column", "mix_histograms")),
        (row_identity, ("recall_keys",)),
    ]:
        for name in names:
            kernel = getattr(module, name)
            if isinstance(kernel, numba.core.registry.CPUDispatcher):  # not with NUMBA_DISABLE_JIT
                assert len(kernel.signatures) == 1, (name, kernel.signatures)
