"""Journal to state to verdict. Knows nothing of doors."""
