"""Where pupils could use mobile Internet: bins, policy, verdicts."""
