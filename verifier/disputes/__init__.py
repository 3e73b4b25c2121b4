"""Disputes about verdicts: who says otherwise, on what evidence, who answers, and how it ended."""
