"""What the programme promised, and what of it is proven: obligations, targets, deadlines, provinces."""
