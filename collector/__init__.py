"""Telemetry in: doors, intake and journal. Knows nothing of verdicts."""
