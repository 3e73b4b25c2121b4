"""The Merkle tree of RFC 6962 §2.1 over journal frames: heads, proofs, and their checks. Pure.

The entry of a frame is its chain (32 bytes, kernels/frame.py), which binds its sequence, its received time, its body and every
frame before it:

    leaf hash  SHA-256(00 ‖ chain)
    node hash  SHA-256(01 ‖ left ‖ right)

Whoever holds a frame and the chain before it can compute its leaf; whoever holds a signed root can ask that the frame be in it.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256().digest()


class Tree(NamedTuple):
    """A tree that only grows: its size, and the roots of its perfect subtrees, largest first."""

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    @property
    def root(self) -> bytes:
        """The tree head."""
        if not self.peaks:
            return EMPTY_ROOT
        root = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            root = node_hash(peak, root)
        return root

    @property
    def is_whole(self) -> bool:
        """Whether it has one peak per bit of its size: a tree read from a file may lie."""
        return len(self.peaks) == self.size.bit_count()

    def grow(self, leaf: bytes) -> "Tree":
        """Return the tree with one more leaf hash."""
        peaks = list(self.peaks)
        size = self.size
        while size & 1:
            leaf = node_hash(peaks.pop(), leaf)
            size >>= 1
        return Tree(self.size + 1, (*peaks, leaf))


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of an entry; of a frame the entry is its chain."""
    return hashlib.sha256(b"\0" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash above two hashes."""
    return hashlib.sha256(b"\1" + left + right).digest()


def tree_of(leaves: Iterable[bytes]) -> Tree:
    """Return the tree of leaf hashes."""
    tree = Tree()
    for leaf in leaves:
        tree = tree.grow(leaf)
    return tree


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Return the hashes that lead from leaf `index` (from 0) to the root, lowest first (§2.1.1)."""
    assert 0 <= index < len(leaves), "only what is in the tree has a proof"
    first, last = 0, len(leaves)
    proof: list[bytes] = []
    while last - first > 1:
        middle = first + _left_size(last - first)
        if index < middle:
            proof.append(tree_of(leaves[middle:last]).root)
            last = middle
        else:
            proof.append(tree_of(leaves[first:middle]).root)
            first = middle
    return proof[::-1]


def is_included(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Tell whether a proof shows that a leaf hash stands at `index` of the tree of `size` and `root`."""
    if not 0 <= index < size:
        return False
    found, last = leaf, size - 1
    for other in proof:
        if last == 0:
            return False
        if index & 1 or index == last:
            found = node_hash(other, found)
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            found = node_hash(found, other)
        index, last = index >> 1, last >> 1
    return last == 0 and found == root


def consistency_proof(leaves: Sequence[bytes], old_size: int) -> list[bytes]:
    """Return the hashes that show the first `old_size` leaves to be a prefix of all (§2.1.2)."""
    assert 0 < old_size <= len(leaves), "a prefix has something and is no longer than the whole"
    first, last = 0, len(leaves)
    proof: list[bytes] = []
    while old_size != last:
        middle = first + _left_size(last - first)
        if old_size <= middle:
            proof.append(tree_of(leaves[middle:last]).root)
            last = middle
        else:
            proof.append(tree_of(leaves[first:middle]).root)
            first = middle
    if first:  # else it is the old root itself, which the other side holds
        proof.append(tree_of(leaves[first:last]).root)
    return proof[::-1]


def is_consistent(
    old_size: int, size: int, old_root: bytes, root: bytes, proof: Sequence[bytes]
) -> bool:
    """Tell whether a proof shows that the old tree is a prefix of the new one."""
    if not 0 < old_size <= size:
        return False
    if old_size == size:
        return not proof and old_root == root
    # A perfect old tree is itself the first node of the road up.
    road = [old_root, *proof] if not old_size & (old_size - 1) else list(proof)
    if not road:
        return False
    index, last = old_size - 1, size - 1
    while index & 1:
        index, last = index >> 1, last >> 1
    old_found = found = road[0]
    for other in road[1:]:
        if last == 0:
            return False
        if index & 1 or index == last:
            old_found, found = node_hash(other, old_found), node_hash(other, found)
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            found = node_hash(found, other)
        index, last = index >> 1, last >> 1
    return last == 0 and old_found == old_root and found == root


def _left_size(size: int) -> int:
    """Return the largest power of two smaller than a size."""
    return 1 << (size - 1).bit_length() - 1
