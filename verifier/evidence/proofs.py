"""Inclusion proofs for many frames of one tree: the levels of the tree, kept once.

The proofs are those of RFC 6962 §2.1.1, as `kernels.merkle.inclusion_proof` gives them one at a time. A last node without
a sibling rises to the next level as it is.
"""

from collections.abc import Iterable

from phusong.kernels.merkle import leaf_hash, node_hash


class ProofTree:
    """The tree over the chains of frames 1, 2, 3 …; 64 bytes a frame."""

    def __init__(self, chains: Iterable[bytes]) -> None:
        """Hash all of them, in the order of their sequences."""
        self._levels = [[leaf_hash(chain) for chain in chains]]
        while len(self._levels[-1]) > 1:
            below = self._levels[-1]
            level = [node_hash(below[i], below[i + 1]) for i in range(0, len(below) - 1, 2)]
            self._levels.append(level + below[len(level) * 2 :])

    @property
    def size(self) -> int:
        """How many frames there are."""
        return len(self._levels[0])

    def proof(self, sequence: int) -> list[bytes]:
        """Return the hashes that lead from a frame to the root, lowest first."""
        assert 1 <= sequence <= self.size, "only what is in the tree has a proof"
        index, found = sequence - 1, []
        for level in self._levels[:-1]:
            sibling = index ^ 1
            if sibling < len(level):
                found.append(level[sibling])
            index >>= 1
        return found
