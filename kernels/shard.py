"""Which shard a SIM or a site belongs to. One versioned function, for files, threads and machines alike."""

from phusong.kernels.columns import Int, Int64Column
from phusong.kernels.identity import mix64
from phusong.kernels.jit import kernel


@kernel
def shard_of(key: Int, shard_count: Int) -> Int:
    """Return the shard, 0..shard_count-1, of a 64-bit key."""
    return (mix64(key) & 0x7FFFFFFFFFFFFFFF) % shard_count


@kernel
def mark_shards(key: Int64Column, shard_count: int, shard: Int64Column) -> None:
    """Write the shard of every key."""
    assert len(key) == len(shard)
    for i in range(len(key)):
        shard[i] = shard_of(key[i], shard_count)
