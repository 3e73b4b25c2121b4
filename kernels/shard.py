"""Which shard a SIM or a site belongs to. One versioned function, for files, threads and machines alike."""

from phusong.kernels.columns import Int
from phusong.kernels.identity import mix64
from phusong.kernels.jit import kernel

# Changing the function means changing this number: it stands in the path of every sharded file.
SHARD_VERSION = 1


@kernel
def shard_of(key: Int, shard_count: Int) -> Int:
    """Return the shard, 0..shard_count-1, of a 64-bit key."""
    return (mix64(key) & 0x7FFFFFFFFFFFFFFF) % shard_count
