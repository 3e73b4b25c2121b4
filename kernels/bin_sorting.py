"""Bins in the order of their keys, by part or by trail."""

import numpy as np

from phusong.kernels.columns import Int, Int32Column, Int64Column
from phusong.kernels.identity import EMPTY
from phusong.kernels.jit import kernel


@kernel
def end_of(chain: Int, last: Int32Column) -> Int:
    """Return the last bin of a chain, EMPTY for one that has none yet."""
    return np.int64(last[chain]) if chain < len(last) else np.int64(EMPTY)


@kernel
def count_chained(chain: Int64Column, last: Int32Column, following: Int32Column) -> int:
    """Return how many bins the given chains hold; `following[b]` is the next bin of a chain."""
    count = 0
    for c in range(len(chain)):
        b = end_of(chain[c], last)
        while b != EMPTY:
            count += 1
            b = np.int64(following[b])
    return count


@kernel
def write_chained(
    chain: Int64Column,
    last: Int32Column,
    following: Int32Column,
    row: Int64Column,
    start: Int64Column,
) -> None:
    """Write the bins of the given chains one chain after the other; chain c fills start[c] .. start[c + 1]."""
    count = 0
    for c in range(len(chain)):
        start[c] = count
        b = end_of(chain[c], last)
        while b != EMPTY:
            row[count] = b
            count += 1
            b = np.int64(following[b])
    start[len(chain)] = count


@kernel
def comes_before(a: Int, b: Int, key: Int64Column) -> bool:
    """Tell whether row a of int64[n, width] keys sorts before row b; equal rows keep their order."""
    for k in range(key.shape[1]):
        if key[a, k] != key[b, k]:
            return bool(key[a, k] < key[b, k])
    return bool(a <= b)


@kernel
def sort_runs(start: Int64Column, key: Int64Column, order: Int64Column) -> None:
    """Write the order in which the rows of each run, start[r] .. start[r + 1], are sorted by `key`.

    A merge sort from the bottom up, run by run, so that what is compared stays in the cache.
    """
    spare = np.empty(len(order), np.int64)
    for r in range(len(start) - 1):
        low, high = start[r], start[r + 1]
        for i in range(low, high):
            order[i] = i
        width = np.int64(1)
        while width < high - low:
            for left in range(low, high, 2 * width):
                middle, right = min(left + width, high), min(left + 2 * width, high)
                a, b = left, middle
                for i in range(left, right):
                    if b == right or (a < middle and comes_before(order[a], order[b], key)):
                        spare[i] = order[a]
                        a += 1
                    else:
                        spare[i] = order[b]
                        b += 1
            for i in range(low, high):
                order[i] = spare[i]
            width *= 2
