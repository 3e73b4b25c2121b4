"""Evidence packs: what a verdict rests on, with proofs, for somebody who has nothing of ours but a public key."""
