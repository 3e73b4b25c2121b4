"""The shard function. It names files: its values never change under one SHARD_VERSION."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phusong.kernels.shard import mark_shards, shard_of
from phusong.kernels.shard_number import SHARD_VERSION, shard_number

KEYS = [0, 1, -1, 2**63 - 1, -(2**63), 0x0123456789ABCDEF, 42]

GOLDEN = {
    1: {
        1: [0, 0, 0, 0, 0, 0, 0],
        16: [0, 12, 1, 10, 3, 10, 12],
        1000: [0, 796, 289, 122, 899, 842, 532],
    }
}


@pytest.mark.parametrize("shard_count", [1, 16, 1000])
def test_shards_of_this_version_never_change(shard_count: int) -> None:
    shards = [int(shard_of(np.int64(key), shard_count)) for key in KEYS]

    assert shards == GOLDEN[SHARD_VERSION][shard_count]


def test_a_column_of_keys_is_marked_like_each_of_them() -> None:
    shards = np.empty(len(KEYS), np.int64)

    mark_shards(np.array(KEYS), 16, shards)

    assert shards.tolist() == GOLDEN[SHARD_VERSION][16]


def fmix64(key: int) -> int:
    """MurmurHash3's finaliser, on Python's numbers."""
    h = key % 2**64
    h = (h ^ h >> 33) * 0xFF51AFD7ED558CCD % 2**64
    h = (h ^ h >> 33) * 0xC4CEB9FE1A85EC53 % 2**64
    return h ^ h >> 33


@settings(deadline=None)  # the first call compiles
@given(st.integers(-(2**63), 2**63 - 1), st.integers(1, 2**31))
def test_a_shard_is_the_finaliser_of_murmurhash3_without_its_top_bit(key: int, count: int) -> None:
    assert shard_of(np.int64(key), count) == fmix64(key) % 2**63 % count
    assert shard_number(key, count) == shard_of(np.int64(key), count)


def test_numbered_keys_spread_evenly() -> None:
    shards = [int(shard_of(np.int64(key), 16)) for key in range(16_000)]

    assert all(850 < shards.count(shard) < 1150 for shard in range(16))
