"""The tree of RFC 6962: the vectors of certificate-transparency, and the RFC's own recursion."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phusong.kernels.merkle import (
    EMPTY_ROOT,
    Tree,
    consistency_proof,
    inclusion_proof,
    is_consistent,
    is_included,
    leaf_hash,
    tree_of,
)
from reference import merkle as reference

# certificate-transparency, test vectors of merkletree/merkle_tree_test.cc.
ENTRIES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
LEFT_PATH = [  # of entry 0 in 8, and from 1 to 8
    "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
    "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]

entries_strategy = st.lists(st.binary(max_size=4), max_size=40)


def leaves_of(entries):
    return [leaf_hash(entry) for entry in entries]


@pytest.mark.parametrize("size", range(len(ROOTS)))
def test_roots_are_those_of_certificate_transparency(size):
    assert tree_of(LEAVES[:size]).root.hex() == ROOTS[size]


def test_proofs_are_those_of_certificate_transparency():
    assert [node.hex() for node in inclusion_proof(LEAVES, 0)] == LEFT_PATH
    assert [node.hex() for node in consistency_proof(LEAVES, 1)] == LEFT_PATH


def test_an_empty_tree_has_the_hash_of_nothing():
    assert Tree().root == EMPTY_ROOT == reference.mth([])


@given(entries_strategy)
def test_the_root_is_the_one_of_the_rfc(entries):
    tree = tree_of(leaves_of(entries))

    assert tree.root == reference.mth(entries)
    assert tree.is_whole


@given(entries_strategy, st.integers(0, 40))
def test_a_tree_may_be_grown_in_any_pieces(entries, cut):
    tree = tree_of(leaves_of(entries[:cut]))
    for leaf in leaves_of(entries[cut:]):
        tree = tree.grow(leaf)

    assert tree == tree_of(leaves_of(entries))


@given(entries_strategy.filter(bool), st.data())
def test_inclusion_is_proven_as_the_rfc_says(entries, data):
    index = data.draw(st.integers(0, len(entries) - 1))
    leaves = leaves_of(entries)

    proof = inclusion_proof(leaves, index)

    assert proof == reference.path(index, entries)
    assert is_included(leaves[index], index, len(leaves), proof, reference.mth(entries))


@given(entries_strategy.filter(bool), st.data())
def test_a_prefix_is_proven_as_the_rfc_says(entries, data):
    old_size = data.draw(st.integers(1, len(entries)))
    leaves = leaves_of(entries)
    old_root, root = reference.mth(entries[:old_size]), reference.mth(entries)

    proof = consistency_proof(leaves, old_size)

    assert proof == reference.proof(old_size, entries)
    assert is_consistent(old_size, len(leaves), old_root, root, proof)


@pytest.mark.parametrize("index", range(8))
def test_a_changed_inclusion_proof_proves_nothing(index):
    root = tree_of(LEAVES).root
    proof = inclusion_proof(LEAVES, index)

    for i, node in enumerate(proof):
        wrong = [*proof[:i], bytes([node[0] ^ 1]) + node[1:], *proof[i + 1 :]]
        assert not is_included(LEAVES[index], index, 8, wrong, root)
    for other in set(range(-1, 9)) - {index}:
        assert not is_included(LEAVES[index], other, 8, proof, root)
    assert not is_included(leaf_hash(b"x"), index, 8, proof, root)
    assert not is_included(LEAVES[index], index, 8, proof[:-1], root)
    assert not is_included(LEAVES[index], index, 8, [*proof, root], root)


@pytest.mark.parametrize("old_size", range(1, 9))
def test_a_changed_consistency_proof_proves_nothing(old_size):
    old_root, root = tree_of(LEAVES[:old_size]).root, tree_of(LEAVES).root
    proof = consistency_proof(LEAVES, old_size)

    for i, node in enumerate(proof):
        wrong = [*proof[:i], bytes([node[0] ^ 1]) + node[1:], *proof[i + 1 :]]
        assert not is_consistent(old_size, 8, old_root, root, wrong)
    assert not is_consistent(old_size, 8, leaf_hash(b"x"), root, proof)
    assert not is_consistent(old_size, 8, old_root, leaf_hash(b"x"), proof)
    assert not is_consistent(old_size, 8, old_root, root, [*proof, root])
    assert not is_consistent(9, 8, old_root, root, proof)
    if proof:
        assert not is_consistent(old_size, 8, old_root, root, proof[:-1])
