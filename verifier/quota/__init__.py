"""The free 4 GB a day: ledger and decisions."""
