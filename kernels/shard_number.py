"""The shard of one key without Numba, whose import takes longer than reading what a question about one SIM needs."""

# Changing the function means changing this number: it stands in the path of every sharded file.
SHARD_VERSION = 1
MASK = 2**64 - 1


def shard_number(key: int, shard_count: int) -> int:
    """Return what `kernels.shard.shard_of` does, of a key as int64 bits."""
    h = key & MASK
    h = (h ^ h >> 33) * 0xFF51AFD7ED558CCD & MASK
    h = (h ^ h >> 33) * 0xC4CEB9FE1A85EC53 & MASK
    return ((h ^ h >> 33) & MASK >> 1) % shard_count
