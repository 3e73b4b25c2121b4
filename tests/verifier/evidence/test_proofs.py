"""Proofs for many frames at once are those of the tree."""

import hashlib

import pytest

from phusong.kernels.merkle import inclusion_proof, is_included, leaf_hash, tree_of
from phusong.verifier.evidence.proofs import ProofTree


def chains(count: int) -> list[bytes]:
    return [hashlib.sha256(bytes([i])).digest() for i in range(count)]


@pytest.mark.parametrize("count", [*range(1, 18), 31, 32, 33, 100])
def test_every_proof_is_the_one_of_the_tree(count: int) -> None:
    leaves = [leaf_hash(chain) for chain in chains(count)]
    root = tree_of(leaves).root

    tree = ProofTree(chains(count))

    for index in range(count):
        proof = tree.proof(index + 1)
        assert proof == inclusion_proof(leaves, index)
        assert is_included(leaves[index], index, count, proof, root)
