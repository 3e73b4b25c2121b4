"""Who may come in by a door."""
