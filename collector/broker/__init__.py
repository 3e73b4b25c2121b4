"""The road from an operator's own broker into the journal."""
